"""The pixels of a mask: the upsampled map above its threshold (paper sections 3.2 and 3.3).

A map is interpolated between rows first, then between columns. Rows, cells and pixels are passed over as soon
as nothing between them can exceed the threshold. The tally and the permutation null both walk masks here.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from onnxdissect.core.kernels.masks.map_buffer import lerp

__all__ = ["walk_mask"]


@njit(cache=True, nogil=True)
def walk_mask(buffer, rows, threshold, table, width, points):
    """List the label pixels of a mask: those at which the upsampled map exceeds the threshold.

    ``M_k(x) = {p : S_k(x)[p] > T_k}``, where S_k(x) is the map, interpolated bilinearly.

    Parameters
    ----------
    buffer : MapBuffer
        The map, loaded with a bound that does not exceed the threshold.
    rows : (int, int)
        Its first and last row with a cell above that bound.
    threshold : float32
        T_k.
    table : GridTable
        How the label grid looks at the cells, for one grid.
    width : int
        sw, the label grid's width.
    points : ndarray of int32, shape (at least sh * sw,)
        Filled with ``row * sw + column`` of each pixel, row by row.

    Returns
    -------
    int
        How many there are.
    """
    top, bottom = rows
    w = buffer.grid.shape[1]
    missing = np.float32(-np.inf)
    line = buffer.line
    area = 0
    # Only label rows next to a cell row with a cell above the bound can hold pixels of the mask.
    for r in range(table.row_spans[max(top - 1, 0)], table.row_spans[bottom + 1]):
        above = table.row_low[r]
        below = table.row_high[r]
        if buffer.row_max[above] <= threshold and buffer.row_max[below] <= threshold:
            continue
        weight = table.row_weight[r]
        line_max = missing
        # Likewise only label columns next to a cell above the bound.
        begin = max(min(buffer.first_hot[above], buffer.first_hot[below]) - 1, 0)
        end = min(max(buffer.last_hot[above], buffer.last_hot[below]) + 2, w)
        for j in range(begin, end):
            a = buffer.grid[above, j]
            b = buffer.grid[below, j]
            # No pixel of the mask is interpolated from a cell that was not kept. Maps in the spool hold the
            # eight neighbours of each cell above the bound, kept masks the four cells around each of their
            # pixels.
            if a == missing or b == missing:
                line[j] = missing
            else:
                line[j] = lerp(a, b, weight)
                line_max = max(line_max, line[j])
        if line_max <= threshold:
            continue
        if end < w:
            line[end] = missing
        for j in range(begin, end):
            a = line[j]
            b = line[table.column_high[j]]
            if a <= threshold and b <= threshold:
                continue
            for c in range(table.spans[j], table.spans[j + 1]):
                if lerp(a, b, table.column_weight[c]) > threshold:
                    points[area] = r * width + c
                    area += 1
    return area
