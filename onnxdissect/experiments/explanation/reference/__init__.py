"""What units are like on other images.

``images`` finds those, ``batches`` reads them some at a time, ``means`` averages units over them.
"""
