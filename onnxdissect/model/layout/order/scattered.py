"""Maps whose cells are not in the order of the picture: rolled, flipped, or gathered in another order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes
from onnxdissect.model.receptive_field.axis_geometry import (
    AxisGeometry,
    Lengths,
    Position,
    Rolled,
    Scattered,
    Step,
    Unplaced,
)

__all__ = ["disorder", "move_scattered", "permuted", "scatter", "unbounded"]

_INDICES = AxisGeometry(0.0, 1.0, 1.0)


def scatter(extent: AxisGeometry, cells: Sequence[int]) -> Position:
    """Place cells that are taken from a map in any order.

    Parameters
    ----------
    extent : AxisGeometry
        The map.
    cells : sequence of int
        Which of its cells lies where.

    Returns
    -------
    Position
        Straight again where the cells run evenly.
    """
    steps = np.diff(cells)
    if len(cells) > 1 and np.all(steps == steps[0]) and steps[0]:
        return extent.resampled(float(cells[0]), float(steps[0]))
    return Scattered(extent, tuple(int(cell) for cell in cells)) if len(cells) > 1 else Unplaced.DISORDERED


def permuted(parts: Sequence[tuple[Position, int]]) -> Position | None:
    """Place pieces of one map that are laid behind each other in another order.

    Parameters
    ----------
    parts : sequence of (Position, int)
        Place and length of each piece.

    Returns
    -------
    Position or None
        None where they are not the cells of one map, each once unless they were out of order before, or are
        in their order.
    """
    places: list[float] = []
    first: AxisGeometry | None = None
    for position, length in parts:
        if isinstance(position, Scattered) and len(position.cells) == length:
            extent, cells = position.extent, position.cells
        elif isinstance(position, AxisGeometry):
            extent, cells = position, tuple(range(length))
        else:
            return None
        first = first or extent
        if (extent.size, extent.shift) != (first.size, first.shift):
            return None
        places += [extent.offset + cell * extent.stride for cell in cells]
    ordered = np.sort(places)
    if any(isinstance(position, Scattered) for position, _ in parts):
        # a roll may be taken back by framing the map with its other side first
        ordered = ordered[np.diff(ordered, prepend=-np.inf) > 1e-6]
    gaps = np.diff(ordered)
    if first is None or len(parts) < 2 or not len(gaps) or gaps.min() < 1e-6:
        return None
    if np.array_equal(ordered, places) and all(isinstance(position, AxisGeometry) for position, _ in parts):
        return None
    if gaps.max() - gaps.min() > 1e-6 * gaps.max():
        return Unplaced.DISORDERED
    whole = AxisGeometry(float(ordered[0]), float(gaps[0]), first.size, first.shift, first.coarsest)
    return scatter(whole, np.round((np.array(places) - ordered[0]) / gaps[0]).astype(int).tolist())


def move_scattered(
    step: Step, axis: int, at: Scattered, move: Callable[[Step, int, AxisGeometry], Position]
) -> Position:
    """Follow an operator that works on cells out of their order.

    Parameters
    ----------
    step : Step
        The operator.
    axis : int
        0 vertical, 1 horizontal.
    at : Scattered
        Its operand.
    move : callable
        What the operator does to cells in their order.

    Returns
    -------
    Position
        Out of order for good where neighbours are mixed that are none.
    """
    lengths: Lengths | None = step.lengths(axis)
    if lengths is None:
        # laid in a row, cells are in whatever order they were in
        return at if step.keeps_tokens else Unplaced.DISORDERED
    if operator_of(step.node).axes is Axes.RESHAPED and len(at.cells) in (*lengths, max(lengths)):
        # cut into blocks, each a row of cells, or put together again
        return at if max(lengths) % min(lengths) == 0 else Unplaced.DISORDERED
    if lengths[0] != len(at.cells):
        return at if lengths[0] == lengths[1] else Unplaced.DISORDERED
    moved = move(step, axis, _INDICES)
    if isinstance(moved, Scattered) and moved.extent.size == 1:
        picked = [moved.extent.offset + cell * moved.extent.stride for cell in moved.cells]
    elif isinstance(moved, AxisGeometry) and moved.size == 1:
        picked = [moved.offset + i * moved.stride for i in range(lengths[1])]
        if moved.period is not None:
            picked = [cell % len(at.cells) for cell in picked]
    else:
        return moved if moved is Unplaced.UNIFORM else Unplaced.DISORDERED
    if any(not 0 <= cell < len(at.cells) or cell != int(cell) for cell in picked):
        return Unplaced.DISORDERED
    return scatter(at.extent, [at.cells[int(cell)] for cell in picked])


def disorder(position: Position) -> bool:
    """Whether cells are known not to lie in the order of the picture.

    Parameters
    ----------
    position : Position
        Along one axis.

    Returns
    -------
    bool
    """
    backwards = isinstance(position, AxisGeometry) and position.stride < 0
    return backwards or isinstance(position, Rolled | Scattered) or position is Unplaced.DISORDERED


def unbounded(position: Position) -> Position:
    """Let each cell see everything, wherever it lies.

    Parameters
    ----------
    position : Position
        Along one axis.

    Returns
    -------
    Position
        In the same place or order.
    """
    if isinstance(position, Rolled | Scattered):
        return replace(position, extent=position.extent.unbounded)
    return position.unbounded if isinstance(position, AxisGeometry) else position
