"""Where tokens lie whose rows or columns were moved, and what is put together with tokens out of order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from onnxdissect.model.graph import name_of
from onnxdissect.model.layout.order.scattered import scatter, unbounded
from onnxdissect.model.layout.order.token_row import TokenRow
from onnxdissect.model.layout.tokens import Tokens
from onnxdissect.model.receptive_field.axis_geometry import (
    AxisGeometry,
    Position,
    Scattered,
    Unplaced,
    unite,
)

__all__ = ["heed_order"]

_Pair = tuple[Position, Position]


def heed_order(
    node: ir.Node,
    out: str,
    pair: _Pair,
    positions: Mapping[str, _Pair],
    axes: Mapping[str, str],
    tokens: Mapping[str, Tokens],
    rows: Mapping[str, TokenRow],
) -> _Pair:
    """Put right the places of tokens that were found without regard to their order.

    Parameters
    ----------
    node : onnx_ir.Node
        An operator.
    out : str
        One of its results.
    pair : (Position, Position)
        Where that result lies if tokens are where operands have them.
    positions : mapping of str to (Position, Position)
        Where the cells of earlier values lie.
    axes : mapping of str to str
        What the axes of values mean.
    tokens : mapping of str to Tokens
        What lies along token axes.
    rows : mapping of str to TokenRow
        Cells of values that have some of a row of tokens, or in another order.

    Returns
    -------
    (Position, Position)
        Vertical and horizontal.
    """
    if out in rows:
        return _moved_lines(rows[out], positions) or pair
    operands = [name_of(value) for value in node.inputs if value is not None and value.name in axes]
    return _beside_moved(out, pair, operands, positions, axes, tokens, rows)


def _moved_lines(row: TokenRow, positions: Mapping[str, _Pair]) -> _Pair | None:
    """Place a grid whose rows and columns were moved as a whole, or put in order again; None for others."""
    laid = row.lines()
    if laid is None:
        return None
    placed: list[Position] = []
    for axis, cells in enumerate(laid[1:]):
        found = [positions[name][axis] for name in row.origins if name in positions]
        extents = [place for place in found if isinstance(place, AxisGeometry)]
        place: Position | None = unite(extents) if extents and len(extents) == len(found) else None
        if place is None:
            place = found[0] if len(set(found)) == 1 else Unplaced.UNKNOWN
        placed.append(_lines(place, cells.tolist()))
    pair = placed[0], placed[1]
    return (unbounded(pair[0]), unbounded(pair[1])) if row.mixed else pair


def _lines(place: Position, cells: Sequence[int]) -> Position:
    """Place lines that are taken from a grid in some order."""
    if list(cells) == list(range(len(cells))):
        return place
    if isinstance(place, AxisGeometry):
        return scatter(place, cells)
    if isinstance(place, Scattered) and len(place.cells) == len(cells):
        return scatter(place.extent, [place.cells[cell] for cell in cells])
    return place if isinstance(place, Unplaced) else Unplaced.DISORDERED


def _beside_moved(
    out: str,
    pair: _Pair,
    operands: Sequence[str],
    positions: Mapping[str, _Pair],
    axes: Mapping[str, str],
    tokens: Mapping[str, Tokens],
    rows: Mapping[str, TokenRow],
) -> _Pair:
    """Place tokens that were added to, weighed by, or laid beside others in another order.

    Where all of the other row lies equally far away, they lie between the two, as do sums of shifted maps.
    """
    if out not in tokens or "T" not in axes[out]:
        return pair
    behind = len(axes[out]) - axes[out].index("T")
    for name in operands:
        row = rows.get(name)
        if row is None or axes[name][row.axis] == "T" or len(axes[name]) - row.axis != behind:
            continue
        if len(row.cells) != tokens[out].length:
            continue
        shift = row.shift(tokens[out])
        if shift is None:
            return Unplaced.DISORDERED, Unplaced.DISORDERED
        origin = positions.get(row.origins[0])
        placed = list(pair)
        for axis, cells in enumerate(shift):
            place = None if origin is None else origin[axis]
            here = pair[axis]
            if isinstance(place, AxisGeometry) and isinstance(here, AxisGeometry):
                placed[axis] = unite([here, place.resampled(-cells, 1).unbounded]) or Unplaced.UNKNOWN
        pair = placed[0], placed[1]
    return pair
