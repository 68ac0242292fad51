"""The pixels of a mask: the upsampled map above its threshold (paper sections 3.2 and 3.3).

A map is interpolated between rows first, then between columns. Rows, cells and pixels are passed over as soon
as nothing between them can exceed the threshold. The tally and the permutation null both walk masks here.
"""

from __future__ import annotations

import numpy as np

from onnxdissect.compiling.kernel import inlined, part
from onnxdissect.core.kernels.masks.map_buffer import MISSING, lerp

__all__ = ["walk_mask"]


@part
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
    grid, row_max, first_hot, last_hot, between = buffer
    # Indices are without a sign where it matters: one with a sign could count from the end of an array, and
    # has to be looked at each time.
    area = np.uintp(0)
    found = np.uintp(0)
    walked = -1
    # Only label rows next to a cell row with a cell above the bound can hold pixels of the mask.
    for r in range(table.row_spans[top - 1 if top > 1 else 0], table.row_spans[bottom + 1]):
        above = table.row_low[r]
        below = table.row_high[r]
        if row_max[above] <= threshold and row_max[below] <= threshold:
            continue
        weight = table.row_weight[r]
        upper = grid[above]
        lower = grid[below]
        # All label rows between the same two rows of cells have their pixels at the same places: those with a
        # cell above the threshold at one of the four corners.
        if above != walked:
            walked = above
            found = np.uintp(0)
            begin = (first_hot[above] if first_hot[above] < first_hot[below] else first_hot[below]) - 1
            begin = begin if begin > 0 else 0
            end = (last_hot[above] if last_hot[above] > last_hot[below] else last_hot[below]) + 1
            for j in range(np.uintp(begin), np.uintp(end)):
                k = np.uintp(table.column_high[j])
                between[found] = j
                found += np.uintp(
                    (upper[j] > threshold)
                    | (lower[j] > threshold)
                    | (upper[k] > threshold)
                    | (lower[k] > threshold)
                )
        left = r * width
        for i in range(found):
            place = np.uintp(between[i])
            k = np.uintp(table.column_high[place])
            a = _between_rows(upper[place], lower[place], weight)
            b = _between_rows(upper[k], lower[k], weight)
            if a <= threshold and b <= threshold:
                continue
            # Every pixel is written down, and one that is not of the mask is overwritten by the next: quicker
            # than a branch, which the processor could not predict.
            for c in range(np.uintp(table.spans[place]), np.uintp(table.spans[place + np.uintp(1)])):
                points[area] = left + np.intp(c)
                area += np.uintp(lerp(a, b, table.column_weight[c]) > threshold)
    return np.intp(area)


@inlined
def _between_rows(upper, lower, weight):
    """Interpolate between two cells of a column.

    No pixel of the mask is interpolated from a cell that was not kept. Maps in the spool hold the eight
    neighbours of each cell above the bound, kept masks the four cells around each of their pixels.
    """
    value = lerp(upper, lower, weight)
    return MISSING if upper == MISSING or lower == MISSING else value
