"""One sparse map at a time, laid out as a grid of cells.

A worker has one buffer. `load_map` fills it with a map, `clear_map` empties it again, touching only the cells
that were filled: maps hold few cells.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "MapBuffer",
    "clear_map",
    "exceeds",
    "lerp",
    "load_map",
    "lowest_thresholds",
    "map_buffer",
    "maps_of",
]


class MapBuffer(NamedTuple):
    """A map as a grid, and what lets whole rows of it be passed over.

    Attributes
    ----------
    grid : ndarray of float32, shape (h, w)
        Minus infinity where a cell was not kept.
    row_max : ndarray of float32, shape (h,)
        The largest of the cells of a row that exceed the bound; minus infinity if none does.
    first_hot, last_hot : ndarray of int64, shape (h,)
        Columns of the first and the last of these cells; w and -1 if there is none.
    line : ndarray of float32, shape (w,)
        Room for one row of label pixels, interpolated between two rows of cells.
    """

    grid: NDArray[Any]
    row_max: NDArray[Any]
    first_hot: NDArray[Any]
    last_hot: NDArray[Any]
    line: NDArray[Any]


@njit(cache=True, nogil=True)
def map_buffer(h, w):
    """Make an empty buffer for maps of h x w cells."""
    missing = np.float32(-np.inf)
    return MapBuffer(
        np.full((h, w), missing, np.float32),
        np.full(h, missing, np.float32),
        np.full(h, w, np.int64),
        np.full(h, -1, np.int64),
        np.empty(w, np.float32),
    )


@njit(cache=True, nogil=True)
def lowest_thresholds(thresholds):
    """Lowest of each unit's thresholds, float32 of shape (quantiles, units), over the quantiles: (units,)."""
    lowest = thresholds[0].copy()
    for q in range(1, thresholds.shape[0]):
        lowest = np.minimum(lowest, thresholds[q])
    return lowest


@njit(cache=True, nogil=True)
def maps_of(maps, image, first, last):
    """Where the maps of an image's units ``first .. last - 1`` begin and end among all maps of a chunk."""
    here = maps.units[maps.image_starts[image] : maps.image_starts[image + 1]]
    return (
        maps.image_starts[image] + np.searchsorted(here, first),
        maps.image_starts[image] + np.searchsorted(here, last),
    )


@njit(cache=True, nogil=True)
def load_map(maps, record, bound, buffer):
    """Fill an empty buffer with a map.

    Parameters
    ----------
    maps : MapArrays
        The maps of a chunk.
    record : int
        Which of them.
    bound : float32
        At most the thresholds that the map will be cut at.
    buffer : MapBuffer
        Empty; filled.

    Returns
    -------
    rows : (int, int)
        The first and the last row with a cell above the bound; h and -1 if there is none.
    highest : float32
        The largest of the cells above the bound; minus infinity if there is none.
    """
    h, w = buffer.grid.shape
    highest = np.float32(-np.inf)
    top = h
    bottom = -1
    i = 0
    for at in range(maps.starts[record], maps.starts[record + 1]):
        while maps.cells[at] >= (i + 1) * w:
            i += 1
        j = maps.cells[at] - i * w
        value = maps.values[at]
        buffer.grid[i, j] = value
        if value > bound:
            buffer.row_max[i] = max(buffer.row_max[i], value)
            buffer.first_hot[i] = min(buffer.first_hot[i], j)
            buffer.last_hot[i] = j
            highest = max(highest, value)
            top = min(top, i)
            bottom = i
    return (top, bottom), highest


@njit(cache=True, nogil=True)
def clear_map(maps, record, rows, buffer):
    """Empty a buffer that holds a map; ``rows`` is what `load_map` returned for it."""
    h, w = buffer.grid.shape
    top, bottom = rows
    missing = np.float32(-np.inf)
    flat = buffer.grid.reshape(h * w)
    for at in range(maps.starts[record], maps.starts[record + 1]):
        flat[maps.cells[at]] = missing
    buffer.row_max[top : bottom + 1] = missing
    buffer.first_hot[top : bottom + 1] = w
    buffer.last_hot[top : bottom + 1] = -1


@njit(cache=True, nogil=True)
def exceeds(values, bound):
    """Whether any value exceeds a bound, looked for by 64 values at a time: such a loop vectorises."""
    for start in range(0, values.shape[0], 64):
        hot = 0
        for value in values[start : start + 64]:
            hot += value > bound
        if hot:
            return True
    return False


@njit(cache=True, nogil=True, inline="always")
def lerp(a, b, weight):
    """Interpolate between two float32: ``a * (1 - weight) + b * weight``, never beyond either.

    Rounding can lift the sum a little above both. Held between them, the mask of a map whose cells do not
    exceed a threshold is empty for certain. So whole maps, rows and cells can be skipped, and no count
    changes.
    """
    value = a * (np.float32(1.0) - weight) + b * weight
    return max(min(value, max(a, b)), min(a, b))
