"""Which cell of the picture each token is, where tokens are cut, turned round, or put in another order.

A row of tokens is cut into pieces, reversed for a scan that runs backwards, rolled, or given a class token in
its middle. So each value that has the cells of a row carries a list along one of its axes: the number of the
cell that lies at each place. Where such a list is the grid again, in its order or with whole rows and columns
moved, the value is a row of tokens; in any other order it is not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from math import prod

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.model.graph import attribute, name_of, stored_shape
from onnxdissect.model.layout.order.token_row import OTHER, SEVERAL, TokenRow
from onnxdissect.model.layout.products.picked import element_places, product_places
from onnxdissect.model.layout.reduced import reduced_axes
from onnxdissect.model.layout.tokens import Tokens, pad_numbers, slice_numbers
from onnxdissect.model.operators.lookup import is_followed, joined_operands, operator_of
from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Axes, Compute, Places
from onnxdissect.model.reading.shape_probe import Probe

__all__ = ["TokenRows"]

_PICKING = (
    Places.COMPRESS,
    Places.GATHER,
    Places.GATHER_ELEMENTS,
    Places.PAD,
    Places.REVERSE,
    Places.SLICE,
)


class TokenRows:
    """The cells along one axis of every value that has some, followed node by node."""

    def __init__(self) -> None:
        self._known: dict[str, TokenRow] = {}

    def name(
        self,
        node: ir.Node,
        axes: dict[str, str],
        tokens: dict[str, Tokens],
        probe: Probe,
        settled: Collection[str] = (),
    ) -> dict[str, TokenRow]:
        """Follow a node, and name axes by the cells along them; to be called in topological order.

        Parameters
        ----------
        node : onnx_ir.Node
            The node.
        axes : dict of str to str
            What the axes of values mean, without regard to the order of tokens; put right for its results.
        tokens : dict of str to Tokens
            What lies along token axes; likewise.
        probe : Probe
            Shapes and stored numbers.
        settled : collection of str
            Values whose axes are not to be changed.

        Returns
        -------
        dict of str to TokenRow
            Results whose cells are not those of the operand at the same places: some of them, or all in
            another order, or in order again.
        """
        found: dict[str, TokenRow] = {}
        for name, row in self._follow(node, probe).items():
            letters = axes.get(name)
            if letters is None or name in settled:
                continue
            known = _named(node, row, letters, tokens.get(name))
            if known is None:
                continue
            axes[name], laid = known
            tokens.pop(name, None)
            if laid is not None:
                tokens[name] = laid
            found[name] = row
        for name in map(name_of, node.outputs):
            letters = axes.get(name, "")
            # parts of a grid stay parts of it: what they are put together with may be the others
            part = name in self._known and not self._known[name].complete
            if letters.count("T") == 1 and name in tokens and not part:
                self._known[name] = TokenRow.of(name, letters.index("T"), tokens[name])
        return found

    def _follow(self, node: ir.Node, probe: Probe) -> dict[str, TokenRow]:
        """Follow a node; what has no cells along an axis, or none that are known, is left out."""
        if not any(value is not None and value.name in self._known for value in node.inputs):
            return {}
        if not is_followed(node):
            return {}
        operator = operator_of(node)
        outputs = node.outputs if operator.axes is Axes.SPLIT else node.outputs[:1]
        found: dict[str, TokenRow] = {}
        for index, value in enumerate(outputs):
            shape = probe.shapes.get(name_of(value))
            row = None if shape is None else self._row(node, operator, index, shape, probe)
            if shape is None or row is None or row.axis >= len(shape):
                continue
            if shape[row.axis] == len(row.cells) and np.any(row.cells != OTHER):
                found[name_of(value)] = row
        self._known |= found
        return found

    def _row(
        self, node: ir.Node, operator: Operator, index: int, shape: tuple[int, ...], probe: Probe
    ) -> TokenRow | None:
        if operator.axes is Axes.POINTWISE:
            return self._together([value for value in node.inputs if value is not None], shape, probe)
        if operator.axes is Axes.CONCATENATED:
            return self._concatenated(node, shape, probe)
        if operator.axes is Axes.PRODUCT:
            return self._product(node, len(shape), probe)
        first = name_of(node.inputs[0]) if node.inputs and node.inputs[0] is not None else ""
        row, source = self._known.get(first), probe.shapes.get(first)
        if row is None or source is None:
            return None
        if operator.axes is Axes.SPLIT:
            return _part(node, index, row, probe)
        if operator.places in _PICKING:
            return _picked(node, row, source, shape, probe)
        if operator.axes is Axes.TRANSPOSED:
            perm = [int(i) for i in attribute(node, "perm", tuple(reversed(range(len(source)))))]
            return replace(row, axis=perm.index(row.axis))
        if operator.reshapes:
            return _reshaped(row, source, shape)
        if operator.places is Places.REDUCED:
            gone = reduced_axes(node, len(source), probe)
            if gone is None or row.axis in gone:
                return None
            kept = attribute(node, "keepdims", 1)
            return row if kept else replace(row, axis=row.axis - sum(axis < row.axis for axis in gone))
        if operator.axes is Axes.SPATIAL:
            # a convolution along the row goes from each token to its neighbours
            return replace(row, mixed=True) if row.axis > 1 and len(shape) == len(source) else None
        if operator.keeps_axes and len(shape) == len(source):
            hears = operator.compute is Compute.ATTENTION or operator.places is Places.ACCUMULATED
            return replace(row, mixed=row.mixed or hears)
        return None

    def _together(
        self, values: Sequence[ir.Value], shape: tuple[int, ...], probe: Probe, along: int | None = None
    ) -> TokenRow | None:
        """Operands with cells of their own along the same axis of the result; others move nothing."""
        rows: list[TokenRow] = []
        for value in values:
            row = self._known.get(name_of(value))
            if row is None:
                continue
            behind = len(probe.shapes[name_of(value)]) - row.axis
            if behind <= len(shape) and len(row.cells) == shape[len(shape) - behind]:
                rows.append(replace(row, axis=len(shape) - behind))
        if not rows or any((row.axis, row.grid) != (rows[0].axis, rows[0].grid) for row in rows):
            return None
        cells = rows[0].cells
        for row in rows[1:]:
            cells = np.where((cells == row.cells) | (row.cells == OTHER), cells, _over(cells, row.cells))
        return TokenRow(_origins(rows), rows[0].grid, rows[0].axis, cells, any(row.mixed for row in rows))

    def _concatenated(self, node: ir.Node, shape: tuple[int, ...], probe: Probe) -> TokenRow | None:
        parts = joined_operands(node)
        along = int(attribute(node, "axis", 1)) % len(shape)
        values = [value for value in parts if value is not None]
        rows = [self._known[name_of(value)] for value in values if value.name in self._known]
        if len(values) < len(parts) or not rows:
            return None
        if any((row.axis, row.grid) != (rows[0].axis, rows[0].grid) for row in rows):
            return None
        if rows[0].axis != along:
            return self._together(values, shape, probe)
        laid: list[NDArray[np.int64]] = []
        for value in values:
            own = probe.shapes.get(name_of(value)) or stored_shape(value)
            if own is None:
                return None
            row = self._known.get(name_of(value))
            laid.append(np.full(own[along], OTHER) if row is None else row.cells)
        cells = np.concatenate(laid)
        held = cells[cells >= 0]
        if len(np.unique(held)) < len(held):
            # two maps, one behind the other, or pieces of a row that is continued by itself
            return None
        return TokenRow(_origins(rows), rows[0].grid, along, cells, any(row.mixed for row in rows))

    def _product(self, node: ir.Node, rank: int, probe: Probe) -> TokenRow | None:
        names = [name_of(value) if value is not None else "" for value in node.inputs]
        right = operator_of(node).weights
        second = names[right] if right < len(names) else ""
        rows, columns = self._known.get(names[0]), self._known.get(second)
        flags = ("transA", "transB", "transBatchA", "transBatchB")
        if any(attribute(node, flag, 0) for flag in flags) and second in probe.shapes:
            return None
        if rows is not None and len(probe.shapes[names[0]]) == rank:
            if rows.axis < rank - 1:
                # queries stay where they are, whatever they hear
                return replace(rows, mixed=True) if second in probe.shapes else rows
            places = product_places(node, 1, probe)
            return None if places is None else _chosen(rows, places)
        if columns is None or len(probe.shapes[second]) != rank:
            return None
        if columns.axis == rank - 2:
            places = product_places(node, 0, probe)
            return None if places is None else _chosen(columns, places)
        return columns if names[0] not in probe.shapes or columns.axis == rank - 1 else None


def _named(
    node: ir.Node, row: TokenRow, letters: str, tokens: Tokens | None
) -> tuple[str, Tokens | None] | None:
    """Name axes by the cells along one: tokens where they are a grid, open in any other order."""
    operator = operator_of(node).axes
    joins = operator is Axes.CONCATENATED and int(attribute(node, "axis", 1)) % len(letters) == row.axis
    before, letter, behind = letters[: row.axis], letters[row.axis], letters[row.axis + 1 :]
    if letter not in "?T" or set(before + behind) & set("THWx"):
        return None
    if letter == "T" and operator in (Axes.POINTWISE, Axes.CONCATENATED) and not joins:
        # where branches meet, the cells are those of the branch that has them in order
        return None
    laid = row.lines()
    if laid is None:
        return f"{before}?{behind}", None
    if letter == "T" and tokens == laid[0] and not row.disordered:
        return None
    return f"{before}T{behind}", laid[0]


def _over(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cells of either where the other has none; else several at once."""
    return np.where(one == OTHER, other, SEVERAL).astype(np.int64)


def _origins(rows: Sequence[TokenRow]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows for name in row.origins))


def _chosen(row: TokenRow, places: NDArray[np.float64]) -> TokenRow | None:
    """Cells that a stored matrix picks; None where it interpolates."""
    if not np.array_equal(places, np.round(places)):
        return None
    return replace(row, cells=row.cells[places.astype(np.int64)])


def _part(node: ir.Node, index: int, row: TokenRow, probe: Probe) -> TokenRow | None:
    rank = len(probe.shapes[name_of(node.outputs[index])])
    if int(attribute(node, "axis", 0)) % rank != row.axis:
        return row
    lengths = [probe.shapes.get(name_of(value), (0,) * rank)[row.axis] for value in node.outputs]
    first = sum(lengths[:index])
    return replace(row, cells=row.cells[first : first + lengths[index]])


def _reshaped(row: TokenRow, source: tuple[int, ...], shape: tuple[int, ...]) -> TokenRow | None:
    """Follow a reshape that leaves the axis whole."""
    before = prod(source[: row.axis])
    at = [i for i, n in enumerate(shape) if n == len(row.cells) and prod(shape[:i]) == before]
    return replace(row, axis=at[0]) if len(row.cells) > 1 and at else None


def _picked(
    node: ir.Node, row: TokenRow, source: tuple[int, ...], shape: tuple[int, ...], probe: Probe
) -> TokenRow | None:
    """Follow an operator that takes some of what lies along an axis, or frames it."""
    places, length = operator_of(node).places, len(row.cells)
    if places is Places.SLICE:
        spans = slice_numbers(node, len(source), probe)
        if spans is None:
            return None
        return replace(row, cells=row.cells[slice(*spans[row.axis])]) if row.axis in spans else row
    if places is Places.PAD:
        frame = pad_numbers(node, len(source), probe)
        if frame is None:
            return None
        before, after = frame.get(row.axis, (0, 0))
        kept = row.cells[max(-before, 0) : length - max(-after, 0)]
        if max(before, after) > 0 and attribute(node, "mode", "constant") != "constant":
            return None
        return replace(row, cells=np.pad(kept, (max(before, 0), max(after, 0)), constant_values=OTHER))
    if places is Places.REVERSE:
        turned = probe.number(node, 1)
        if int(attribute(node, "time_axis", 0)) != row.axis or turned is None:
            return row if turned is not None else None
        return replace(row, cells=row.cells[::-1]) if np.all(turned == length) else None
    along = int(attribute(node, "axis", 0)) % len(source)
    if along != row.axis:
        gone = len(source) - len(shape)
        return replace(row, axis=row.axis - gone) if along < row.axis else row
    listed = probe.number(node, 1)
    if listed is None:
        return None
    if places is Places.GATHER_ELEMENTS:
        listed = element_places(listed, along, length)
    elif places is Places.COMPRESS:
        listed = np.flatnonzero(listed.ravel()[:length])
    return replace(row, cells=row.cells[listed]) if listed is not None and listed.ndim == 1 else None
