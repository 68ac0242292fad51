"""Sparse maps reduced further, once bounds have risen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import inlined, kernel
from onnxdissect.core.kernels.activations.keep import keep_cells
from onnxdissect.core.sparse_maps import SparseMaps

__all__ = ["refilter"]


def refilter(sparse_maps: SparseMaps, bounds: NDArray[np.float32]) -> SparseMaps:
    """Drop the maps and cells that risen bounds no longer ask for.

    Parameters
    ----------
    sparse_maps : SparseMaps
        Kept relative to lower bounds. Overwritten.
    bounds : ndarray of float32, shape (units,)
        Lower bounds that have risen since.

    Returns
    -------
    SparseMaps
        What a `SparseEncoder` would have kept under these bounds: views of the given arrays.
    """
    h, w = sparse_maps.shape
    _refilter(
        (
            sparse_maps.image_starts,
            sparse_maps.units,
            sparse_maps.starts,
            sparse_maps.cells,
            sparse_maps.values,
        ),
        bounds,
        np.zeros((2 * h + 2, w), np.uint8),
        np.zeros((h + 2) * (w + 1) + 1, np.uint8),
    )
    kept = int(sparse_maps.image_starts[-1])
    size = int(sparse_maps.starts[kept])
    return SparseMaps(
        shape=sparse_maps.shape,
        image_starts=sparse_maps.image_starts,
        units=sparse_maps.units[:kept],
        starts=sparse_maps.starts[: kept + 1],
        cells=sparse_maps.cells[:size],
        values=sparse_maps.values[:size],
    )


@kernel
def _refilter(sparse_maps, bounds, scratch, near):
    """Move what stays to the front, in place; what is written over has been read before.

    Parameters
    ----------
    sparse_maps : tuple of ndarray
        ``image_starts``, ``units``, ``starts``, ``cells``, ``values``, as in
        `onnxdissect.core.sparse_maps.SparseMaps`.
    bounds : ndarray of float32, shape (units,)
    scratch : ndarray of uint8, shape (2h + 2, w)
        As for `keep_cells`, which reduces maps that were kept whole.
    near : ndarray of uint8, shape ((h + 2) * (w + 1) + 1,)
        As for `_refilter_map`, which reduces the others.
    """
    image_starts, unit_of, starts, cells, values = sparse_maps
    w = scratch.shape[1]
    h = scratch.shape[0] // 2 - 1
    old = 0
    end = 0
    record = 0
    at = 0
    for image in range(image_starts.shape[0] - 1):
        stop = image_starts[image + 1]
        while old < stop:
            unit = unit_of[old]
            begin = end
            end = starts[old + 1]
            old += 1
            if end - begin < h * w:
                size = _refilter_map(
                    cells[begin:end], values[begin:end], bounds[unit], w, near, cells[at:], values[at:]
                )
            elif _exceeds(values[begin:end], bounds[unit]):
                size = keep_cells(
                    values[begin:end].reshape(h, w), bounds[unit], cells[at:], values[at:], scratch
                )
            else:
                size = 0
            if size:
                at += size
                unit_of[record] = unit
                record += 1
                starts[record] = at
        image_starts[image + 1] = record


@inlined
def _exceeds(values, bound):
    """Whether any value exceeds the bound."""
    hot = 0
    for i in range(values.shape[0]):
        hot += values[i] > bound
    return hot > 0


@inlined
def _refilter_map(cells, values, bound, w, near, new_cells, new_values):
    """Keep those of a map's cells that are above the bound or beside one that is; return how many.

    ``near`` is a grid of marks with a row more than the map above and below, and a column more, all zero
    before and after. The column keeps the end of a row from touching the beginning of the next.
    """
    pitch = w + 1
    top = -1
    row = 0
    for i in range(cells.shape[0]):
        if values[i] > bound:
            while cells[i] >= (row + 1) * w:
                row += 1
            _surround(near, cells[i] + row, pitch)
            top = row if top < 0 else top
    if top < 0:
        return 0
    bottom = row
    size = 0
    row = 0
    for i in range(cells.shape[0]):
        cell = cells[i]
        value = values[i]
        while cell >= (row + 1) * w:
            row += 1
        # Nothing is missing: a neighbour of a cell above the new bound is one of a cell above the old bound.
        new_cells[size] = cell
        new_values[size] = value
        size += near[cell + row + pitch + 1]
    # All marks lie between the row above the first of these cells and the one below the last.
    marks = near[top * pitch : (bottom + 3) * pitch + 1]
    for i in range(marks.shape[0]):
        marks[i] = 0
    return size


@inlined
def _surround(near, place, pitch):
    """Mark a cell and its eight neighbours; ``place`` is that of the upper left one."""
    for line in range(place, place + 3 * pitch, pitch):
        near[line] = 1
        near[line + 1] = 1
        near[line + 2] = 1
