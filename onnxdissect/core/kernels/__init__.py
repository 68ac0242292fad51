"""Numba kernels of the method: wrappers that validate, and serial bodies that leave Python's lock alone.

``sift``
    Activation maps reduced to the cells that can still matter.
``rank``
    How many activations lie above a value, by their leading bits.
``top``
    The strongest images of each unit.
``mix``
    The sets of concepts that pixels hold.
``count``
    Masks against annotations, in pixels.
``compiler``
    How they are compiled here.
``cache``
    Where they are kept when nothing else can be written.

No kernel uses fast-math: activations may hold NaN, and finding it is part of the contract. Threads share work
by images or by units, and every one owns what it writes, so counts do not depend on how many there are.
"""

from onnxdissect.core.kernels.cache import ensure_cache

__all__: list[str] = []

# Numba looks for a place when a kernel is defined, so before any module here is imported.
ensure_cache()
