"""Right and wrong predictions of labelled images, and the detectors that made the wrong ones.

``explain_labelled`` is the call, ``records`` what it gives; ``image_pass`` runs the images, ``confused_units``
and ``held_shares`` compare with base rates and with units at random; ``formats`` keeps it in a folder.
"""
