"""The largest values of every unit so far, and the bound they put under its threshold."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

__all__ = ["extend_tails", "settle_tails"]

_BLOCK = 128


def extend_tails(
    activations: NDArray[np.float32],
    maxima: NDArray[np.float32],
    tails: NDArray[np.float32],
    fill: NDArray[np.int64],
    bounds: NDArray[np.float32],
    keep: int,
    threads: int,
) -> None:
    """Add a batch's values above each unit's bound to its tail; raise the bound when the tail is full.

    Parameters
    ----------
    activations : ndarray of float32, shape (n, units, h, w)
        Finite, C-contiguous activations.
    maxima : ndarray of float32, shape (n, units)
        Largest value of each map.
    tails : ndarray of float32, shape (units, capacity)
        Values kept so far, in no order; changed in place. Capacity exceeds ``keep``.
    fill : ndarray of int64, shape (units,)
        How many values each tail holds; changed in place.
    bounds : ndarray of float32, shape (units,)
        A lower bound on the ``keep``-th largest value of each unit, ``-inf`` until that many were seen;
        changed in place, and only ever raised.
    keep : int
        How many of a unit's largest values decide its threshold, ``m + 1`` in section 1 of the method.
    threads : int
        How many threads share the units.
    """
    n, units, h, w = activations.shape
    if activations.dtype != np.float32 or not activations.flags.c_contiguous:
        raise TypeError("extend_tails needs C-contiguous float32 activations")
    if not 0 < keep < tails.shape[1]:
        raise ValueError(f"a tail of {tails.shape[1]} values cannot keep {keep}")
    _extend_driver(activations.reshape(n, units, h * w), maxima, tails, fill, bounds, keep, threads)


def settle_tails(
    tails: NDArray[np.float32], fill: NDArray[np.int64], bounds: NDArray[np.float32], keep: int, threads: int
) -> None:
    """Cut every tail to its ``keep`` largest values and raise the bounds accordingly.

    Parameters are those of `extend_tails`. A unit that saw fewer than ``keep`` values is left as it is.
    """
    _settle_driver(tails, fill, bounds, keep, threads)


@njit(parallel=True, cache=True)
def _extend_driver(activations, maxima, tails, fill, bounds, keep, threads):
    units = activations.shape[1]
    for t in prange(threads):
        _extend_body(
            activations, maxima, tails, fill, bounds, keep, units * t // threads, units * (t + 1) // threads
        )


@njit(cache=True, nogil=True)
def _extend_body(activations, maxima, tails, fill, bounds, keep, start, stop):
    capacity = tails.shape[1]
    for unit in range(start, stop):
        tail = tails[unit]
        count = fill[unit]
        bound = bounds[unit]
        for image in range(activations.shape[0]):
            if maxima[image, unit] <= bound:
                continue
            values = activations[image, unit]
            for start_of_block in range(0, values.shape[0], _BLOCK):
                block = values[start_of_block : start_of_block + _BLOCK]
                # Most blocks have nothing above the bound, and this loop is the one that vectorises.
                above = 0
                for j in range(block.shape[0]):
                    above += block[j] > bound
                if above == 0:
                    continue
                for j in range(block.shape[0]):
                    value = block[j]
                    if value > bound:
                        if count == capacity:
                            bound = _keep_largest(tail, count, keep)
                            count = keep
                            if value <= bound:
                                continue
                        tail[count] = value
                        count += 1
        fill[unit] = count
        bounds[unit] = bound


@njit(parallel=True, cache=True)
def _settle_driver(tails, fill, bounds, keep, threads):
    units = tails.shape[0]
    for t in prange(threads):
        for unit in range(units * t // threads, units * (t + 1) // threads):
            if fill[unit] >= keep:
                bounds[unit] = _keep_largest(tails[unit], fill[unit], keep)
                fill[unit] = keep


@njit(cache=True, nogil=True)
def _keep_largest(values, count, keep):
    """Move the ``keep`` largest of the first ``count`` values to the front; return the smallest of them."""
    # Quickselect by three-way partition: activations repeat (zeros after a ReLU), and a two-way partition
    # is quadratic on runs of equal values.
    low = 0
    high = count - 1
    target = keep - 1
    while low < high:
        a = values[low]
        b = values[(low + high) // 2]
        c = values[high]
        pivot = max(min(a, b), min(max(a, b), c))
        greater = low
        i = low
        less = high
        while i <= less:
            value = values[i]
            if value > pivot:
                values[i] = values[greater]
                values[greater] = value
                greater += 1
                i += 1
            elif value < pivot:
                values[i] = values[less]
                values[less] = value
                less -= 1
            else:
                i += 1
        if target < greater:
            high = greater - 1
        elif target > less:
            low = less + 1
        else:
            break
    return values[target]
