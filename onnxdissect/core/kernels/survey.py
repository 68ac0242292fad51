"""The largest value of every activation map, and whether all values are finite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

__all__ = ["cache_path", "survey"]

# Finite float32 values, as the order-preserving integers of `_key`, lie strictly between these two.
_KEY_INF = np.int32(0x7F800000)
_KEY_MINUS_INF = np.int32(-0x7F800001)


def survey(activations: NDArray[np.float32], threads: int) -> tuple[NDArray[np.float32], int]:
    """Find the maximum of every map in a batch, and the first map that is not finite.

    Parameters
    ----------
    activations : ndarray of float32, shape (n, units, h, w)
        C-contiguous activations.
    threads : int
        How many threads share the work.

    Returns
    -------
    maxima : ndarray of float32, shape (n, units)
        Largest value of each map.
    damaged : int
        Flat index ``image * units + unit`` of the first map holding NaN or infinity, -1 if there is none.
    """
    n, units, h, w = activations.shape
    if activations.dtype != np.float32 or not activations.flags.c_contiguous:
        raise TypeError("survey needs C-contiguous float32 activations")
    bits = activations.reshape(n * units, h * w).view(np.int32)
    maxima = np.empty(n * units, np.float32)
    damaged = np.full(threads, -1, np.int64)
    _survey_driver(bits, maxima.view(np.int32), damaged)
    found = damaged[damaged >= 0]
    return maxima.reshape(n, units), int(found.min()) if found.size else -1


def cache_path() -> Path:
    """Folder in which compiled kernels are kept."""
    return Path(_survey_driver.stats.cache_path)


@njit(parallel=True, cache=True)
def _survey_driver(bits, maxima, damaged):
    threads = damaged.shape[0]
    maps = bits.shape[0]
    for t in prange(threads):
        damaged[t] = _survey_body(bits, maps * t // threads, maps * (t + 1) // threads, maxima)


@njit(cache=True, nogil=True)
def _survey_body(bits, start, stop, maxima):
    # Comparing integers lets LLVM vectorise: a float maximum that respects NaN does not.
    first = -1
    for row in range(start, stop):
        high = np.int32(-2147483648)
        low = np.int32(2147483647)
        for j in range(bits.shape[1]):
            b = bits[row, j]
            key = np.int32(b ^ ((b >> np.int32(31)) & np.int32(0x7FFFFFFF)))
            high = max(high, key)
            low = min(low, key)
        if (high >= _KEY_INF or low <= _KEY_MINUS_INF) and first < 0:
            first = row
        maxima[row] = np.int32(high ^ ((high >> np.int32(31)) & np.int32(0x7FFFFFFF)))
    return first
