"""Activation maps reduced to the cells that can still matter.

A label pixel lies between four cells. It can be above a threshold only if one of the four is, so a map is
kept as its cells above the unit's bound and their eight neighbours each: every interpolation that can come
out above the threshold finds all four of its corners.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

__all__ = ["encode"]


def encode(
    activations: NDArray[np.float32],
    maxima: NDArray[np.float32],
    bounds: NDArray[np.float32],
    threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.unsignedinteger], NDArray[np.float32]]:
    """Keep what a batch's maps hold above their units' bounds.

    Parameters
    ----------
    activations : ndarray of float32, shape (n, units, h, w)
        Finite, C-contiguous activations.
    maxima : ndarray of float32, shape (n, units)
        Largest value of each map.
    bounds : ndarray of float32, shape (units,)
        Lower bound on each unit's threshold. A map that does not exceed it is dropped.
    threads : int
        How many threads share the maps.

    Returns
    -------
    maps : ndarray of int64, shape (records,)
        Flat index ``image * units + unit`` of each surviving map, ascending.
    starts : ndarray of int64, shape (records + 1,)
        Where each record's cells begin in the two arrays below.
    cells : ndarray of uint16, or of uint32 where a map has more than 65,536 cells
        Flat index ``row * w + column`` of each kept cell, ascending within a record.
    values : ndarray of float32
        The value of each kept cell.
    """
    n, units, h, w = activations.shape
    if activations.dtype != np.float32 or not activations.flags.c_contiguous:
        raise TypeError("encode needs C-contiguous float32 activations")
    maps = np.flatnonzero((maxima > bounds).ravel()).astype(np.int64)
    flat = activations.reshape(n * units, h, w)
    starts = np.zeros(maps.size + 1, np.int64)
    _count_driver(flat, maps, bounds, starts, threads)
    np.cumsum(starts, out=starts)
    cells = np.empty(starts[-1], np.uint16 if h * w <= 65536 else np.uint32)
    values = np.empty(starts[-1], np.float32)
    _fill_driver(flat, maps, bounds, starts, cells, values, threads)
    return maps, starts, cells, values


@njit(parallel=True, cache=True)
def _count_driver(flat, maps, bounds, starts, threads):
    records = maps.shape[0]
    for t in prange(threads):
        keep = np.zeros((flat.shape[1], flat.shape[2]), np.uint8)
        for r in range(records * t // threads, records * (t + 1) // threads):
            starts[r + 1] = _mark(flat[maps[r]], bounds[maps[r] % bounds.shape[0]], keep)
            keep[:, :] = 0


@njit(parallel=True, cache=True)
def _fill_driver(flat, maps, bounds, starts, cells, values, threads):
    records = maps.shape[0]
    for t in prange(threads):
        keep = np.zeros((flat.shape[1], flat.shape[2]), np.uint8)
        for r in range(records * t // threads, records * (t + 1) // threads):
            activation = flat[maps[r]]
            _mark(activation, bounds[maps[r] % bounds.shape[0]], keep)
            _take(activation, keep, cells[starts[r] : starts[r + 1]], values[starts[r] : starts[r + 1]])
            keep[:, :] = 0


@njit(cache=True, nogil=True)
def _mark(activation, bound, keep):
    """Mark the cells above the bound and their neighbours in ``keep``; return how many there are."""
    h, w = activation.shape
    for i in range(h):
        # Most rows have nothing above the bound, and this loop is the one that vectorises.
        hot = 0
        for j in range(w):
            hot += activation[i, j] > bound
        if hot == 0:
            continue
        top = max(i - 1, 0)
        bottom = min(i + 2, h)
        for j in range(w):
            if activation[i, j] > bound:
                left = max(j - 1, 0)
                right = min(j + 2, w)
                for y in range(top, bottom):
                    for x in range(left, right):
                        keep[y, x] = 1
    count = 0
    for i in range(h):
        for j in range(w):
            count += keep[i, j]
    return count


@njit(cache=True, nogil=True)
def _take(activation, keep, cells, values):
    """Gather the marked cells."""
    h, w = keep.shape
    at = 0
    for i in range(h):
        marked = 0
        for j in range(w):
            marked += keep[i, j]
        if marked == 0:
            continue
        for j in range(w):
            if keep[i, j]:
                cells[at] = i * w + j
                values[at] = activation[i, j]
                at += 1
