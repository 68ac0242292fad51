"""Polygons by COCO's own rule, which is not that of pixel centres.

COCO's decoder draws the outline in steps of a fifth of a pixel and fills between the steps where it changes
columns, so that shapes cover about half a pixel more on some sides than on others. Truths that people compare
are made by it, down to how it rounds; here it is followed step by step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.importers.drawing.polygons import Patch
from onnxdissect.data.limits import MOST_OUTLINE

__all__ = ["fill_outline"]

_SCALE = 5.0


def fill_outline(points: NDArray[np.float64], shape: tuple[int, int]) -> Patch:
    """Fill a polygon as COCO's decoder does.

    Parameters
    ----------
    points : ndarray of float64, shape (points, 2)
        Finite x and y. The last is joined to the first.
    shape : (int, int)
        Height and width of the image.

    Returns
    -------
    Patch
        As large as the columns that it changes in.

    Raises
    ------
    ValueError
        If its outline is longer than the limit.
    """
    height, width = shape
    # truncated, as a cast is in C, not rounded down
    ends = np.trunc(_SCALE * points + 0.5)
    span = np.abs(np.roll(ends, -1, axis=0) - ends)
    total = float((span.max(axis=1) + 1).sum())
    if not total <= MOST_OUTLINE:
        raise ValueError(
            f"its outline has {total:,.0f} steps of a fifth of a pixel; at most {MOST_OUTLINE:,} are drawn"
        )
    u, v = _walk(ends.astype(np.int64))
    changes = np.flatnonzero(u[1:] != u[:-1])
    before, after = u[changes], u[changes + 1]
    column = (np.where(after < before, after, after - 1) + 0.5) / _SCALE - 0.5
    row = np.ceil(np.clip((np.minimum(v[changes], v[changes + 1]) + 0.5) / _SCALE - 0.5, 0, height))
    kept = (np.floor(column) == column) & (column >= 0) & (column <= width - 1)
    column, row = column[kept].astype(np.int64), row[kept].astype(np.int64)
    if not column.size:
        return Patch(0, 0, np.zeros((0, 0), np.bool_))
    left = int(column.min())
    # pixels are counted down the columns: a step below the last row is one before the first of the next
    place = (column - left) * height + row
    columns = min(int(column.max()) + 2, width) - left
    toggles = np.zeros(columns * height + 1, np.uint8)
    np.add.at(toggles, np.minimum(place, columns * height), 1)
    inside = np.cumsum(toggles[:-1], dtype=np.uint8) & 1
    return Patch(0, left, inside.astype(np.bool_).reshape(columns, height).T)


def _walk(ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Points of the outline, in steps along the longer side of each edge, from its smaller end."""
    others = np.roll(ends, -1, axis=0)
    span = np.abs(others - ends)
    flat = span[:, 0] >= span[:, 1]
    along = np.where(flat, 0, 1)
    edges = np.arange(len(ends))
    backwards = ends[edges, along] > others[edges, along]
    begin = np.where(backwards[:, None], others, ends)
    finish = np.where(backwards[:, None], ends, others)
    length = span[edges, along]
    rise = (finish - begin)[edges, 1 - along] / np.maximum(length, 1)

    edge = np.repeat(edges, length + 1)
    step = np.arange(edge.size) - np.repeat(np.cumsum(length + 1) - (length + 1), length + 1)
    step = np.where(backwards[edge], length[edge] - step, step)
    main = step + begin[edge, along[edge]]
    other = np.trunc(begin[edge, 1 - along[edge]] + rise[edge] * step + 0.5).astype(np.int64)
    return np.where(flat[edge], main, other), np.where(flat[edge], other, main)
