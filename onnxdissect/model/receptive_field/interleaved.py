"""Maps whose rows and columns are put together of several: which cell came to lie where.

A map may be taken apart into every second row, or into units that hold a block of cells each, and be put
together again. A reshape or a DepthToSpace that makes more rows or columns is told to be straight by its axes
alone; whether it is depends on the order in which the parts were laid beside each other. So numbers that
the graph only moves are followed back to the maps that they come from, and the places of those are carried
forward the same way. A convolution that mixes the units of a block makes its cells alike: their order is
in learned weights then, and only measuring tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.model.graph import attribute, name_of, stored_shape
from onnxdissect.model.layout.order.scattered import scatter
from onnxdissect.model.layout.tokens import slice_numbers
from onnxdissect.model.operators.lookup import is_followed, joined_operands, operator_of
from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Axes, Places
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.receptive_field.axis_geometry import AxisGeometry, Position, Scattered, Unplaced
from onnxdissect.model.receptive_field.window_shape import channels_last

__all__ = ["heed_parts", "laid_beside", "refines"]

_Labels = NDArray[np.float64]
_Pair = tuple[Position, Position]

_DEEPEST = 24
"""Operators that numbers are followed back through."""

_FARTHEST = 400
"""Operators that the common origin of several parts is looked for behind."""

_LARGEST = 2**24
"""Numbers of a value that is followed; larger ones would take more memory than the answer is worth."""

_LITTLE = 1e-6
"""Input pixels below which two places are one."""


def refines(node: ir.Node, source: str, out: str, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Tell whether an operator makes more rows or columns of what lies beside them.

    Parameters
    ----------
    node : onnx_ir.Node
        The operator.
    source, out : str
        Axes of its operand and of its result.
    shapes : mapping of str to tuple of int
        Shapes of values.

    Returns
    -------
    bool
    """
    operator = operator_of(node)
    if operator.places is not Places.DEPTH_TO_SPACE and not operator.reshapes:
        return False
    before, after = (shapes[name_of(value)] for value in (node.inputs[0], node.outputs[0]) if value)
    return any(
        letter in source and letter in out and after[out.index(letter)] > before[source.index(letter)] > 1
        for letter in "HW"
    )


def heed_parts(
    node: ir.Node, pair: _Pair, positions: Mapping[str, _Pair], probe: Probe, axes: Mapping[str, str]
) -> _Pair:
    """Correct the places of a map that was put together of parts in another order than the picture's.

    Parameters
    ----------
    node : onnx_ir.Node
        An operator.
    pair : (Position, Position)
        Where the cells of its first result would lie, were all parts in order.
    positions : mapping of str to (Position, Position)
        Where those of earlier values lie.
    probe : Probe
        Shapes and stored numbers.
    axes : mapping of str to str
        What axes mean.

    Returns
    -------
    (Position, Position)
        The same unless parts are known to be out of order.
    """
    source = name_of(node.inputs[0]) if node.inputs and node.inputs[0] is not None else ""
    out = node.outputs[0]
    letters = axes.get(name_of(out), "")
    if source not in axes or not {"H", "W"} <= set(letters):
        return pair
    if not refines(node, axes[source], letters, probe.shapes):
        return pair
    placed: list[Position] = []
    for axis, place in enumerate(pair):
        parts = _Parts(axis, positions, probe, axes)
        labels = parts.labels(out, _DEEPEST) if isinstance(place, AxisGeometry) else None
        # parts of several maps lie beside each other because learned windows look to different sides
        if labels is None or not isinstance(place, AxisGeometry) or len(parts.origins) != 1:
            placed.append(place)
        elif _crossed(labels, letters, "HW"[axis], place, parts.coarsest):
            placed.append(Unplaced.DISORDERED)
        else:
            placed.append(_reordered(labels, letters.index("HW"[axis]), place))
    return placed[0], placed[1]


def laid_beside(node: ir.Node) -> ir.Node:
    """Find the operator that laid parts beside each other which another one makes rows or columns of.

    Parameters
    ----------
    node : onnx_ir.Node
        The other one; see `refines`.

    Returns
    -------
    onnx_ir.Node
        A concatenation; the node itself where there is none.
    """
    found: ir.Node | None = node
    for _ in range(_DEEPEST):
        source = found.inputs[0] if found is not None and found.inputs else None
        found = None if source is None else source.producer()
        if found is None:
            break
        operator = operator_of(found)
        if operator.axes is Axes.CONCATENATED:
            return found
        if not (operator.reshapes or operator.axes in (Axes.TRANSPOSED, Axes.FIRST)):
            break
    return node


def _crossed(labels: _Labels, letters: str, letter: str, place: AxisGeometry, coarsest: float) -> bool:
    """Whether cells of one row, or units of one cell, come from rows that lie a cell and more apart.

    Where a map is put together again only in part, the units of a cell are the finer cells that it covers.
    Of coarser maps, units may have been moved against each other on purpose before they are spread out.
    """
    crossing = ["W" if letter == "H" else "H"]
    if coarsest < abs(place.stride) + _LITTLE:
        crossing.append("C")
    for other in crossing:
        if other in letters:
            along = letters.index(other)
            apart = np.fmax.reduce(labels, axis=along) - np.fmin.reduce(labels, axis=along)
            if np.any(apart > abs(place.stride) - _LITTLE):
                return True
    return False


def _reordered(labels: _Labels, along: int, place: AxisGeometry) -> Position:
    steps = np.diff(labels, axis=along)
    # comparing with what is not known is false: only cells of known places speak
    if not np.any(steps < -_LITTLE):
        return place
    lines = np.moveaxis(labels, along, 0).reshape(labels.shape[along], -1)
    line = lines[:, 0]
    ordered = np.sort(line)
    gaps = np.diff(ordered)
    alike = np.all(np.abs(lines - line[:, None]) < _LITTLE)
    if not alike or gaps.min() < _LITTLE or gaps.max() - gaps.min() > _LITTLE * gaps.max():
        return Unplaced.DISORDERED
    whole = replace(place, offset=float(ordered[0]), stride=float(gaps[0]))
    return scatter(whole, np.round((line - ordered[0]) / gaps[0]).astype(int).tolist())


class _Parts:
    """Rows, or columns, of the input in which the numbers of a value have their middle; NaN where unknown."""

    def __init__(
        self, axis: int, positions: Mapping[str, _Pair], probe: Probe, axes: Mapping[str, str]
    ) -> None:
        self._axis, self._positions, self._probe, self._axes = axis, positions, probe, axes
        self._found: dict[str, _Labels | None] = {}
        self.origins: set[str] = set()
        self.coarsest = 0.0

    def labels(self, value: ir.Value, depth: int) -> _Labels | None:
        """Label a value's numbers; None where nothing is known of any."""
        name = name_of(value)
        if name not in self._found:
            self._found[name] = self._label(value, name, depth)
        return self._found[name]

    def _label(self, value: ir.Value, name: str, depth: int) -> _Labels | None:
        shape = self._probe.shapes.get(name)
        if shape is None or prod(shape) > _LARGEST:
            return None
        node = value.producer()
        if node is None or depth == 0 or not is_followed(node) or not node.inputs:
            return self._placed(value, shape)
        operator = operator_of(node)
        if operator.axes is Axes.CONCATENATED:
            found = self._joined(node, len(shape), depth)
        elif operator.axes is Axes.POINTWISE:
            found = self._together(node, shape, depth)
        else:
            move = _mover(node, operator, value, self._probe)
            if move is None:
                return self._placed(value, shape)
            source = node.inputs[0]
            before = None if source is None else self.labels(source, depth - 1)
            found = None if before is None else move(before)
        return found if found is not None and found.shape == shape else None

    def _joined(self, node: ir.Node, rank: int, depth: int) -> _Labels | None:
        axis = int(attribute(node, "axis", 1))
        parts: list[_Labels] = []
        for value in joined_operands(node):
            shape = self._probe.shapes.get(name_of(value)) if value is not None else None
            shape = shape or stored_shape(value)
            if value is None or shape is None or len(shape) != rank:
                return None
            found = self.labels(value, depth - 1)
            parts.append(np.full(shape, np.nan) if found is None else found)
        return np.concatenate(parts, axis=axis % rank)

    def _together(self, node: ir.Node, shape: tuple[int, ...], depth: int) -> _Labels | None:
        """Operands of the result's own shape decide, where all put the same cells in the same places."""
        values = [v for v in node.inputs if v is not None and self._probe.shapes.get(name_of(v)) == shape]
        found = [self.labels(value, depth - 1) for value in values]
        known = [labels for labels in found if labels is not None]
        if not known or len(known) < len(found):
            return None
        return np.where(np.logical_and.reduce([known[0] == each for each in known]), known[0], np.nan)

    def _placed(self, value: ir.Value, shape: tuple[int, ...]) -> _Labels | None:
        """Take the places of a map whose numbers are new ones."""
        name, letter = name_of(value), "HW"[self._axis]
        letters = self._axes.get(name, "")
        place = self._positions[name][self._axis] if name in self._positions else None
        if not {"H", "W"} <= set(letters):
            return None
        along = letters.index(letter)
        cells = np.arange(shape[along], dtype=np.float64)
        if isinstance(place, Scattered) and len(place.cells) == len(cells):
            cells, place = np.array(place.cells, np.float64), place.extent
        if not isinstance(place, AxisGeometry) or place.period is not None:
            return None
        self.origins.add(self._origin(value))
        self.coarsest = max(self.coarsest, abs(place.stride))
        line = place.offset + cells * place.stride
        lengths = tuple(len(cells) if i == along else 1 for i in range(len(shape)))
        return np.broadcast_to(line.reshape(lengths), shape)

    def _origin(self, value: ir.Value) -> str:
        """Find the map that a part was cut out of, before operators that left its cells where they were."""
        for _ in range(_FARTHEST):
            node = value.producer()
            source = node.inputs[0] if node is not None and node.inputs else None
            if node is None or source is None or name_of(source) not in self._positions:
                break
            picks = operator_of(node).places in (Places.GATHER, Places.SLICE, Places.SPLIT)
            if not picks and not self._stays(source, value):
                break
            value = source
        return name_of(value)

    def _stays(self, source: ir.Value, value: ir.Value) -> bool:
        """Whether an operator leaves cells where they are; windows to one side may be for moving them."""
        before, after = (self._positions[name_of(each)] for each in (source, value))
        return all(_place(one) == _place(other) for one, other in zip(before, after, strict=True))


def _place(position: Position) -> Position | tuple[float, float]:
    return (position.offset, position.stride) if isinstance(position, AxisGeometry) else position


def _mover(
    node: ir.Node, operator: Operator, value: ir.Value, probe: Probe
) -> Callable[[_Labels], _Labels | None] | None:
    """Say how an operator moves numbers; None where it makes new ones."""
    shape = probe.shapes[name_of(value)]
    if operator.reshapes:
        return lambda labels: labels.reshape(shape) if labels.size == prod(shape) else None
    if operator.axes is Axes.TRANSPOSED:
        perm = attribute(node, "perm", None)
        return lambda labels: np.transpose(labels, None if perm is None else [int(i) for i in perm])
    if operator.axes is Axes.FIRST and node.outputs[0] is value:
        return lambda labels: labels
    if channels_last(node):
        return None
    block = int(attribute(node, "blocksize", 1))
    if operator.places is Places.SPACE_TO_DEPTH:
        return lambda labels: _to_depth(labels, block)
    if operator.places is Places.DEPTH_TO_SPACE:
        return lambda labels: _to_space(labels, block, by_unit=attribute(node, "mode", "DCR") == "CRD")
    if operator.axes is Axes.SPLIT:
        return lambda labels: _part(node, value, labels, probe)
    if operator.places is Places.SLICE:
        return lambda labels: _cut(node, labels, probe)
    if operator.places is Places.GATHER:
        return lambda labels: _gathered(node, labels, probe)
    return None


def _to_depth(labels: _Labels, block: int) -> _Labels:
    n, c, h, w = labels.shape
    cut = labels.reshape(n, c, h // block, block, w // block, block)
    return cut.transpose(0, 3, 5, 1, 2, 4).reshape(n, -1, h // block, w // block)


def _to_space(labels: _Labels, block: int, *, by_unit: bool) -> _Labels:
    n, c, h, w = labels.shape
    units = c // block**2
    if by_unit:
        laid = labels.reshape(n, units, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    else:
        laid = labels.reshape(n, block, block, units, h, w).transpose(0, 3, 4, 1, 5, 2)
    return laid.reshape(n, units, h * block, w * block)


def _part(node: ir.Node, value: ir.Value, labels: _Labels, probe: Probe) -> _Labels | None:
    axis = int(attribute(node, "axis", 0)) % labels.ndim
    first = 0
    for each in node.outputs:
        shape = probe.shapes.get(name_of(each))
        if shape is None:
            return None
        if each is value:
            return labels.take(range(first, first + shape[axis]), axis)
        first += shape[axis]
    return None


def _cut(node: ir.Node, labels: _Labels, probe: Probe) -> _Labels | None:
    spans = slice_numbers(node, labels.ndim, probe)
    if spans is None:
        return None
    return labels[tuple(slice(*spans.get(axis, (None,))) for axis in range(labels.ndim))]


def _gathered(node: ir.Node, labels: _Labels, probe: Probe) -> _Labels | None:
    listed = probe.number(node, 1)
    return None if listed is None else np.take(labels, listed, int(attribute(node, "axis", 0)))
