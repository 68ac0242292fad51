"""One sparse map at a time, laid out as a grid of cells.

A worker has one buffer. `load_map` fills it with a map, `clear_map` empties it again, touching only the cells
that were filled: maps hold few cells.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import inlined, part

__all__ = [
    "MISSING",
    "MapBuffer",
    "clear_map",
    "exceeds",
    "lerp",
    "load_map",
    "map_buffer",
]


MISSING = np.float32(-np.inf)


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
    between : ndarray of int32, shape (w,)
        Room for the places between two rows of cells that may hold pixels of the mask.
    """

    grid: NDArray[Any]
    row_max: NDArray[Any]
    first_hot: NDArray[Any]
    last_hot: NDArray[Any]
    between: NDArray[Any]


def map_buffer(shape: tuple[int, int]) -> MapBuffer:
    """Make an empty buffer.

    Parameters
    ----------
    shape : tuple of int
        (h, w) of the maps.

    Returns
    -------
    MapBuffer
    """
    h, w = shape
    return MapBuffer(
        np.full((h, w), -np.inf, np.float32),
        np.full(h, -np.inf, np.float32),
        np.full(h, w, np.int64),
        np.full(h, -1, np.int64),
        np.empty(w, np.int32),
    )


@part
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
    grid, row_max, first_hot, last_hot, _ = buffer
    cells = maps.cells
    values = maps.values
    h, w = grid.shape
    highest = MISSING
    top = h
    bottom = -1
    i = 0
    for at in range(maps.starts[record], maps.starts[record + 1]):
        while cells[at] >= (i + 1) * w:
            i += 1
        j = cells[at] - i * w
        value = values[at]
        grid[i, j] = value
        if value > bound:
            if value > row_max[i]:
                row_max[i] = value
            if j < first_hot[i]:
                first_hot[i] = j
            last_hot[i] = j
            highest = value if value > highest else highest
            # Cells come row by row.
            top = i if i < top else top
            bottom = i
    return (top, bottom), highest


@part
def clear_map(maps, record, rows, buffer):
    """Empty a buffer that holds a map; ``rows`` is what `load_map` returned for it."""
    grid, row_max, first_hot, last_hot, _ = buffer
    h, w = grid.shape
    top, bottom = rows
    flat = grid.reshape(h * w)
    for at in range(maps.starts[record], maps.starts[record + 1]):
        flat[maps.cells[at]] = MISSING
    for i in range(top, bottom + 1):
        row_max[i] = MISSING
        first_hot[i] = w
        last_hot[i] = -1


@part
def exceeds(values, bound):
    """Whether any value exceeds a bound, looked for by 64 values at a time: such a loop vectorises."""
    for start in range(0, values.shape[0], 64):
        hot = 0
        for value in values[start : start + 64]:
            hot += value > bound
        if hot:
            return True
    return False


@inlined
def lerp(a, b, weight):
    """Interpolate between two float32: ``a * (1 - weight) + b * weight``, never beyond either.

    Rounding can lift the sum a little above both. Held between them, the mask of a map whose cells do not
    exceed a threshold is empty for certain. So whole maps, rows and cells can be skipped, and no count
    changes.
    """
    value = a * (np.float32(1.0) - weight) + b * weight
    low = b if b < a else a
    high = b if b > a else a
    value = high if high < value else value
    return low if low > value else value
