"""Activation maps reduced to the cells that can still matter.

A label pixel lies between four cells. It can be above a threshold only if one of the four is, so a map is
kept as its cells above the unit's bound and their eight neighbours each: every interpolation that can come
out above the threshold finds all four of its corners.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

__all__ = ["encode"]

_Kind = TypeVar("_Kind", np.unsignedinteger, np.float32)


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
    # Room for every cell of every map costs address space only: pages that are never written stay unbacked.
    room = maps.size * h * w
    cells = np.empty(room, np.uint16 if h * w <= 65536 else np.uint32)
    values = np.empty(room, np.float32)
    starts = np.zeros(maps.size + 1, np.int64)
    _encode_driver(flat, maps, bounds, starts, cells, values, threads)
    np.cumsum(starts, out=starts)
    shares = [(maps.size * t // threads, maps.size * (t + 1) // threads) for t in range(threads)]
    used = [slice(first * h * w, first * h * w + starts[last] - starts[first]) for first, last in shares]
    return maps, starts, _joined(cells, used), _joined(values, used)


def _joined(slab: NDArray[_Kind], parts: list[slice]) -> NDArray[_Kind]:
    return np.concatenate([slab[part] for part in parts])


@njit(parallel=True, cache=True)
def _encode_driver(flat, maps, bounds, sizes, cells, values, threads):
    records = maps.shape[0]
    h, w = flat.shape[1:]
    for t in prange(threads):
        wide = np.zeros((h + 2, w), np.uint8)
        keep = np.zeros((h, w), np.uint8)
        first = records * t // threads
        at = first * h * w
        for r in range(first, records * (t + 1) // threads):
            activation = flat[maps[r]]
            size = _mark(activation, bounds[maps[r] % bounds.shape[0]], wide, keep)
            _take(activation, keep, cells[at : at + size], values[at : at + size])
            sizes[r + 1] = size
            at += size


@njit(cache=True, nogil=True)
def _mark(activation, bound, wide, keep):
    """Set ``keep`` to the cells above the bound and their neighbours; return how many there are.

    ``wide`` holds the cells above the bound and those beside them, with an empty row above and below. Every
    inner loop is over bytes without a branch, so that it vectorises.
    """
    h, w = activation.shape
    for i in range(h):
        row = activation[i]
        beside = wide[i + 1]
        hot = 0
        for j in range(w):
            beside[j] = row[j] > bound
            hot += row[j] > bound
        if hot == 0 or w == 1:
            continue
        line = keep[i]
        line[0] = beside[0] | beside[1]
        for j in range(1, w - 1):
            line[j] = beside[j - 1] | beside[j] | beside[j + 1]
        line[w - 1] = beside[w - 2] | beside[w - 1]
        for j in range(w):
            beside[j] = line[j]
    count = 0
    for i in range(h):
        line = keep[i]
        above = wide[i]
        here = wide[i + 1]
        below = wide[i + 2]
        for j in range(w):
            line[j] = above[j] | here[j] | below[j]
            count += above[j] | here[j] | below[j]
    return count


@njit(cache=True, nogil=True)
def _take(activation, keep, cells, values):
    """Gather the marked cells."""
    h, w = keep.shape
    at = 0
    for i in range(h):
        line = keep[i]
        marked = 0
        for j in range(w):
            marked += line[j]
        if marked == 0:
            continue
        row = activation[i]
        for j in range(w):
            if line[j]:
                cells[at] = i * w + j
                values[at] = row[j]
                at += 1
