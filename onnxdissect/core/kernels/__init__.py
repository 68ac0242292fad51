"""Numba kernels of the method: wrappers that validate, and serial bodies that leave Python's lock alone.

``activations``
    What the pass does with activations: cells that can still matter, thresholds, top images.
``masks``
    What the tally does with masks: their pixels, and counts against annotations.
``labels``
    What annotations hold, in the form that masks are counted against.
``resampling``
    Counts image by image, over resampled images and against the annotations of others.
``compiler``
    How compiling them goes on this machine.

No kernel uses fast-math: activations may hold NaN, and finding it is part of the contract. Threads share work
by images or by units, and every one owns what it writes, so counts do not depend on how many there are.
"""
