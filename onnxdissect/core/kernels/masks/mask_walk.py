"""The pixels of a mask: by row, by cell, by pixel (paper sections 3.2 and 3.3)."""

from __future__ import annotations

import numpy as np
from numba import njit

from onnxdissect.core.kernels.masks.map_buffer import lerp

__all__ = ["walk_mask"]


@njit(cache=True, nogil=True)
def walk_mask(buffer, rows, threshold, table, width, points):
    """List the label pixels at which an upsampled map exceeds a threshold.

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
    # Labels lie between a hot row and its neighbours.
    for r in range(table.row_spans[max(top - 1, 0)], table.row_spans[bottom + 1]):
        above = table.row_low[r]
        below = table.row_high[r]
        if buffer.row_max[above] <= threshold and buffer.row_max[below] <= threshold:
            continue
        weight = table.row_weight[r]
        line_max = missing
        # Labels lie between a hot cell and its neighbours; further away none can be above.
        begin = max(min(buffer.first_hot[above], buffer.first_hot[below]) - 1, 0)
        end = min(max(buffer.last_hot[above], buffer.last_hot[below]) + 2, w)
        for j in range(begin, end):
            a = buffer.grid[above, j]
            b = buffer.grid[below, j]
            # A cell that was not kept has no hot neighbour, so what depends on it is never above.
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
