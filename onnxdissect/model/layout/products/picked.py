"""Cells picked out of a map by stored numbers: indices, selecting matrices and sampling grids."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.model.graph import attribute
from onnxdissect.model.layout.order.scattered import scatter
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Places
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.receptive_field.axis_geometry import AxisGeometry, Position, Unplaced

__all__ = ["element_places", "grid_places", "product_places", "take"]

# Columns of a matrix that interpolates weigh two to four neighbours; those of a learned one, everything.
_WIDEST = 0.75
_FEWEST = 5


def take(at: AxisGeometry, places: NDArray[Any]) -> Position:
    """Place cells that are taken from a map.

    Parameters
    ----------
    at : AxisGeometry
        The map.
    places : ndarray, one axis of two cells or more
        Where among its cells each of them lies.

    Returns
    -------
    Position
        Straight where they run evenly, or within a cell of a line, as repeated cells do.
    """
    cells = np.arange(len(places))
    steps = np.diff(places)
    if np.all(steps == steps[0]) and steps[0]:
        return at.resampled(float(places[0]), float(steps[0]))
    stride, offset = np.polyfit(cells, places, 1)
    if abs(stride) < 1e-9 or np.abs(offset + stride * cells - places).max() >= 1:
        whole = np.array_equal(places, places.astype(int)) and len(np.unique(places)) == len(places)
        return scatter(at, places.astype(int).tolist()) if whole else Unplaced.DISORDERED
    return at.resampled(float(offset), float(stride))


def product_places(node: ir.Node, side: int, probe: Probe) -> NDArray[np.float64] | None:
    """Where the cells of a product with a stored matrix lie among the operand's.

    Parameters
    ----------
    node : onnx_ir.Node
        A MatMul.
    side : int
        Which of its operands is the matrix: 1, over the map's last axis, or 0, over the last but one.
    probe : Probe
        Numbers.

    Returns
    -------
    ndarray or None
        For each cell of the result the centre of what it weighs; None where it weighs more than neighbours,
        as learned matrices do.
    """
    matrix = probe.number(node, side) if operator_of(node).places is Places.MATRIX else None
    if matrix is None or matrix.ndim != 2 or matrix.dtype.kind != "f":
        return None
    weights = np.abs((matrix if side else matrix.T).astype(np.float64))
    total = weights.sum(axis=0)
    if len(weights) < _FEWEST or len(total) < 2 or not np.all(total > 0):
        return None
    cells = np.arange(len(weights))[:, None]
    centres = (cells * weights).sum(axis=0) / total
    spread = np.sqrt(((cells - centres) ** 2 * weights).sum(axis=0) / total)
    return centres if spread.max() <= _WIDEST else None


def element_places(indices: NDArray[Any], axis: int, length: int) -> NDArray[np.int64] | None:
    """Which cells a GatherElements takes along its axis.

    Parameters
    ----------
    indices : ndarray
        Its indices.
    axis : int
        Its axis.
    length : int
        Cells of the operand.

    Returns
    -------
    ndarray or None
        None where they differ along the other axes.
    """
    rows = np.moveaxis(indices, axis, -1).reshape(-1, indices.shape[axis])
    if not len(rows) or not np.all(rows == rows[0]):
        return None
    places: NDArray[np.int64] = np.where(rows[0] < 0, rows[0] + length, rows[0]).astype(np.int64)
    return places


def grid_places(node: ir.Node, axis: int, length: int, probe: Probe) -> NDArray[np.float64] | None:
    """Where a GridSample with a stored grid samples a map along one axis, in cells.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.
    axis : int
        0 vertical, 1 horizontal.
    length : int
        Cells of the operand.
    probe : Probe
        Numbers.

    Returns
    -------
    ndarray or None
        Empty where rows and columns are not kept apart; None where the grid is not stored.
    """
    grid = probe.number(node, 1)
    if grid is None or grid.ndim != 4 or grid.shape[-1] != 2:
        return None
    along = grid[..., 1 - axis].astype(np.float64)
    lines = np.moveaxis(along, 1 + axis, -1).reshape(-1, grid.shape[1 + axis])
    if not len(lines) or np.ptp(lines, axis=0).max() > 1e-4:
        return np.empty(0)
    if attribute(node, "align_corners", 0):
        places: NDArray[np.float64] = (lines[0] + 1) / 2 * (length - 1)
    else:
        places = ((lines[0] + 1) * length - 1) / 2
    rounded: NDArray[np.float64] = np.round(places, 4)
    return rounded
