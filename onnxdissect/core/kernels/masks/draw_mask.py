"""The mask of one sparse map, as a picture (paper section 3.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import kernel
from onnxdissect.core.kernels.masks.arguments import MapArrays, grid_table
from onnxdissect.core.kernels.masks.map_buffer import load_map, map_buffer
from onnxdissect.core.kernels.masks.mask_walk import walk_mask
from onnxdissect.core.upsampling import InterpolationTable

__all__ = ["draw_mask"]


def draw_mask(
    cells: NDArray[np.unsignedinteger],
    values: NDArray[np.float32],
    shape: tuple[int, int],
    threshold: np.float32,
    sampling: InterpolationTable,
    grid: int,
) -> NDArray[np.bool_]:
    """Upsample a sparse map to a label grid and cut it: M_k(x) = upsample(A_k(x)) > T.

    The pixels are those that `onnxdissect.core.kernels.masks.count.count` counts: both walk the same kernel.

    Parameters
    ----------
    cells : ndarray of uint16 or uint32, shape (E,)
        Flat index ``row * w + column`` of each kept cell, ascending. Among them must be every cell above the
        threshold, and the four cells that each pixel of the mask is interpolated from.
    values : ndarray of float32, shape (E,)
        Activation of each of them.
    shape : tuple of int
        (h, w) of the layer.
    threshold : float32
        T, at least the bound that the map was kept relative to.
    sampling : InterpolationTable
        From the layer's cells to label grids.
    grid : int
        Which of these grids the image has.

    Returns
    -------
    ndarray of bool, shape (sh, sw)
    """
    sh, sw = sampling.grids[grid].tolist()
    mask = np.zeros(sh * sw, np.bool_)
    if values.size:
        zero = np.zeros(1, np.int64)
        arrays = MapArrays(
            image_starts=np.array([0, 1], np.int64),
            units=np.zeros(1, np.int32),
            starts=np.append(zero, values.size),
            cells=cells,
            values=values,
        )
        table = grid_table(sampling, grid)
        _draw(
            arrays, np.float32(threshold), table, sw, map_buffer(shape), np.empty(mask.size, np.int32), mask
        )
    return mask.reshape(sh, sw)


@kernel
def _draw(maps: Any, threshold: Any, table: Any, width: Any, buffer: Any, points: Any, mask: Any) -> None:
    """Do what `draw_mask` says; ``points`` is room for the pixels of the mask."""
    rows, highest = load_map(maps, 0, threshold, buffer)
    # Without a cell above the threshold there is no row to walk.
    if highest <= threshold:
        return
    for at in range(walk_mask(buffer, rows, threshold, table, width, points)):
        mask[points[at]] = True
