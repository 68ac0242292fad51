"""Numba kernels of the method, each a wrapper that validates, a parallel driver and a serial body.

``survey``
    The largest value of every activation map, and whether all values are finite.
``rank``
    How many activations lie above a value, by their leading bits.
``sparse``
    Activation maps reduced to the cells that can still matter.
``count``
    Masks against annotations, in pixels.
``compiler``
    How they are compiled here.

No kernel uses fast-math: activations may hold NaN, and finding it is part of the contract. Every thread
owns the rows it writes, so counts do not depend on how many there are.
"""
