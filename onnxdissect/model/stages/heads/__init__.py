"""What stands behind the trunk: necks, and the heads that make predictions.

``neck`` says where a pyramid or a decoder begins and what it ends in, ``heads`` where heads begin, and
``predictions`` what they predict.
"""
