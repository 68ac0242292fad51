"""Where a label pixel lies among a layer's cells: rows and columns of bilinear upsampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "UPSAMPLINGS",
    "Field",
    "InterpolationTable",
    "interpolation",
    "interpolation_table",
    "upsample_map",
]

UPSAMPLINGS = ("auto", "receptive-field", "effective", "resize")
"""What can be asked for. Under `auto`, one of the last three is chosen layer by layer."""

Field = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class InterpolationTable:
    """How label grids look at one layer's cells: a row per distinct grid, padded to the largest.

    Attributes
    ----------
    grids : ndarray of int64, shape (grids, 2)
        (sh, sw) of each label grid.
    row_low, row_high : ndarray of int32, shape (grids, rows)
        The two cell rows a label row lies between.
    row_weight : ndarray of float32, shape (grids, rows)
        Share of ``row_high``, in 0..1.
    row_spans : ndarray of int64, shape (grids, h + 1)
        The label rows below cell row i are ``row_spans[i] .. row_spans[i + 1] - 1``.
    column_high : ndarray of int32, shape (grids, w)
        The cell column right of each cell column that has labels on its right; itself at the last.
    column_weight : ndarray of float32, shape (grids, columns)
        Share of the right one of the two cells a label column lies between.
    spans : ndarray of int64, shape (grids, w + 1)
        The label columns right of cell column j are ``spans[j] .. spans[j + 1] - 1``: cells are skipped as
        a whole.
    """

    grids: NDArray[np.int64]
    row_low: NDArray[np.int32]
    row_high: NDArray[np.int32]
    row_weight: NDArray[np.float32]
    row_spans: NDArray[np.int64]
    column_high: NDArray[np.int32]
    column_weight: NDArray[np.float32]
    spans: NDArray[np.int64]


def interpolation(
    cells: int, labels: int, pixels: int, anchor: tuple[float, float] | None
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Bilinear interpolation along one axis (paper section 3.2).

    Parameters
    ----------
    cells : int
        Cells of the layer along this axis, at least 1.
    labels : int
        Label rows (or columns), at least 1.
    pixels : int
        Input pixels along this axis. Only looked at with an anchor.
    anchor : tuple of (offset, stride) or None
        Input coordinate of the centre of cell 0 and the distance between centres: interpolants are
        anchored at the receptive fields' centres. Without it the layer is resized to the label grid with
        half-pixel centres.

    Returns
    -------
    low, high : ndarray of int32, shape (labels,)
        The two cells a label lies between; ``high`` is ``low + 1``, or the last cell.
    weight : ndarray of float32, shape (labels,)
        Share of ``high``. Coordinates are computed in float64 and clamped to the outermost centres, so edge
        values are held.
    """
    label = np.arange(labels, dtype=np.float64) + 0.5
    if anchor is None:
        u = label * cells / labels - 0.5
    else:
        offset, stride = anchor
        u = (label * pixels / labels - 0.5 - offset) / stride
    u = np.clip(u, 0.0, cells - 1.0)
    low = np.floor(u).astype(np.int32)
    high = np.minimum(low + 1, cells - 1).astype(np.int32)
    return low, high, (u - low).astype(np.float32)


def interpolation_table(
    cells: tuple[int, int],
    grids: NDArray[np.int64],
    pixels: tuple[int, int],
    field: Field | None,
) -> InterpolationTable:
    """Interpolation from a layer's cells to every label grid of a data set.

    Parameters
    ----------
    cells : tuple of int
        (h, w) of the layer.
    grids : ndarray of int64, shape (grids, 2)
        Distinct label grids (sh, sw).
    pixels : tuple of int
        (height, width) of the network's input.
    field : tuple of (offset, stride) or None
        Receptive-field geometry as ((vertical, horizontal) offset, (vertical, horizontal) stride) in input
        pixels; ``None`` for `resize`.

    Returns
    -------
    InterpolationTable
    """
    count = len(grids)
    rows, columns = int(grids[:, 0].max()), int(grids[:, 1].max())
    w = cells[1]
    table = InterpolationTable(
        grids=grids,
        row_low=np.zeros((count, rows), np.int32),
        row_high=np.zeros((count, rows), np.int32),
        row_weight=np.zeros((count, rows), np.float32),
        row_spans=np.zeros((count, cells[0] + 1), np.int64),
        column_high=np.zeros((count, w), np.int32),
        column_weight=np.zeros((count, columns), np.float32),
        spans=np.zeros((count, w + 1), np.int64),
    )
    down, across = (None, None) if field is None else zip(*field, strict=True)
    for g, (sh, sw) in enumerate(grids.tolist()):
        low, high, weight = interpolation(cells[0], sh, pixels[0], down)
        table.row_low[g, :sh], table.row_high[g, :sh], table.row_weight[g, :sh] = low, high, weight
        table.row_spans[g] = np.searchsorted(low, np.arange(cells[0] + 1))
        low, _, weight = interpolation(w, sw, pixels[1], across)
        table.column_high[g] = np.minimum(np.arange(w) + 1, w - 1)
        table.column_weight[g, :sw] = weight
        table.spans[g] = np.searchsorted(low, np.arange(w + 1))
    return table


def upsample_map(
    activation: NDArray[np.float32], grid: tuple[int, int], pixels: tuple[int, int], field: Field | None
) -> NDArray[np.float32]:
    """Upsample a map, or several, to a grid of any size, between rows first and then between columns.

    Parameters
    ----------
    activation : ndarray of float32, shape (..., h, w)
        A_k(x).
    grid : (int, int)
        (rows, columns) of the result, laid over the whole image.
    pixels : (int, int)
        (height, width) of the network's input.
    field : tuple of (offset, stride) or None
        As `interpolation_table` takes it.

    Returns
    -------
    ndarray of float32, shape (..., rows, columns)
        The very numbers that the tally compares with T_k.
    """
    down, across = (None, None) if field is None else zip(*field, strict=True)
    low, high, weight = interpolation(activation.shape[-2], grid[0], pixels[0], down)
    rows = _between(activation[..., low, :], activation[..., high, :], weight[:, None])
    low, high, weight = interpolation(activation.shape[-1], grid[1], pixels[1], across)
    return _between(rows[..., low], rows[..., high], weight)


def _between(
    a: NDArray[np.float32], b: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    value = a * (np.float32(1) - weight) + b * weight
    # rounding must not lead beyond the two
    between: NDArray[np.float32] = np.clip(value, np.minimum(a, b), np.maximum(a, b))
    return between
