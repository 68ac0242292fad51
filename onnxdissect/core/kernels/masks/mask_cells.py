"""The cells that make the masks: what is left of sparse maps once thresholds are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import kernel
from onnxdissect.core.kernels.masks.arguments import MapArrays, grid_table, map_arrays, table_of
from onnxdissect.core.kernels.masks.map_buffer import clear_map, exceeds, load_map, map_buffer
from onnxdissect.core.kernels.masks.mask_walk import walk_mask
from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.upsampling import InterpolationTable

__all__ = ["mask_cells"]


def mask_cells(
    sparse_maps: SparseMaps,
    grids_of: NDArray[np.int64],
    thresholds: NDArray[np.float32],
    sampling: InterpolationTable,
) -> SparseMaps:
    """Reduce maps to the cells above the thresholds and the four around each pixel of a mask.

    The reduced maps have the same masks as the whole ones at these thresholds and at all higher ones. A mask
    at a higher threshold is a part of the mask at this one, so the four cells of each of its pixels are kept;
    a pixel of which one of the four cells is not kept is in no such mask. All activations above the threshold
    are kept as well, so thresholds T_k of smaller quantiles can be found among them.

    Parameters
    ----------
    sparse_maps : SparseMaps
        Maps of a chunk of images, kept relative to bounds that do not exceed the thresholds. Not changed.
    grids_of : ndarray of int64, shape (images, grids of an image)
        On which of the grids masks of each image are wanted: its label grid, and others.
    thresholds : ndarray of float32, shape (units,)
        Lowest threshold of each unit.
    sampling : InterpolationTable
        From the layer's cells to all grids.

    Returns
    -------
    SparseMaps
        Without the maps of which no cell exceeds the threshold. New arrays.
    """
    records, cells = sparse_maps.units.size, sparse_maps.cells.size
    kept = MapArrays(
        image_starts=np.zeros_like(sparse_maps.image_starts),
        units=np.empty(records, np.int32),
        starts=np.zeros(records + 1, np.int64),
        cells=np.empty(cells, sparse_maps.cells.dtype),
        values=np.empty(cells, np.float32),
    )
    _mask_cells(
        map_arrays(sparse_maps),
        grids_of,
        thresholds,
        (sampling.grids, grid_table(sampling)),
        kept,
        map_buffer(sparse_maps.shape),
        (
            np.empty(int(sampling.grids.prod(axis=1).max()), np.int32),
            np.empty((grids_of.shape[1], int(sampling.grids[:, 1].max())), np.int64),
            np.zeros(sparse_maps.shape[0] * sparse_maps.shape[1], np.bool_),
        ),
    )
    found = int(kept.image_starts[-1])
    size = int(kept.starts[found])
    return SparseMaps(
        shape=sparse_maps.shape,
        image_starts=kept.image_starts,
        units=kept.units[:found],
        starts=kept.starts[: found + 1],
        cells=kept.cells[:size],
        values=kept.values[:size],
    )


@kernel
def _mask_cells(
    maps: Any, grids_of: Any, thresholds: Any, grids: Any, kept: Any, buffer: Any, scratch: Any
) -> None:
    """Do what `mask_cells` says.

    ``scratch`` is room for the pixels of a mask, the cell column left of each column of an image's grids, and
    marks of cells, which are not set before and after.
    """
    grids, table = grids
    points, left, around = scratch
    w = buffer.grid.shape[1]
    record = 0
    at = 0
    for image in range(grids_of.shape[0]):
        for nth in range(grids_of.shape[1]):
            grid = table_of(table, grids_of[image, nth])
            for j in range(w):
                for column in range(grid.spans[j], grid.spans[j + 1]):
                    left[nth, column] = j
        for old in range(maps.image_starts[image], maps.image_starts[image + 1]):
            unit = maps.units[old]
            threshold = thresholds[unit]
            begin = maps.starts[old]
            end = maps.starts[old + 1]
            if not exceeds(maps.values[begin:end], threshold):
                continue
            rows, _ = load_map(maps, old, threshold, buffer)
            for nth in range(grids_of.shape[1]):
                width = grids[grids_of[image, nth], 1]
                grid = table_of(table, grids_of[image, nth])
                for i in range(walk_mask(buffer, rows, threshold, grid, width, points)):
                    r = points[i] // width
                    j = left[nth, points[i] - r * width]
                    above = grid.row_low[r] * w
                    below = grid.row_high[r] * w
                    around[above + j] = True
                    around[above + grid.column_high[j]] = True
                    around[below + j] = True
                    around[below + grid.column_high[j]] = True
            for place in range(begin, end):
                cell = maps.cells[place]
                if around[cell] or maps.values[place] > threshold:
                    kept.cells[at] = cell
                    kept.values[at] = maps.values[place]
                    at += 1
                around[cell] = False
            clear_map(maps, old, rows, buffer)
            kept.units[record] = unit
            record += 1
            kept.starts[record] = at
        kept.image_starts[image + 1] = record
