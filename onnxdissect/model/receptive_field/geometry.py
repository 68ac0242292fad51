"""Where cells lie in the input image: offset, stride and size, composed operator by operator.

Paper 3.2 anchors interpolants "at the center of each unit's receptive field". Along one axis a kernel of k
taps, dilation d, stride s and begin padding p turns (offset, stride, size) into::

    size   + (k - 1) * d * stride
    offset + ((k - 1) * d / 2 - p) * stride
    stride * s

Where branches meet, a cell sees what any of them sees: the smallest field that covers all. It lies where the
branch puts it that resolves finest, see `onnxdissect.model.receptive_field.axis_geometry.unite`.
Statistics over the whole map (global pools) weigh cells without placing them, and attention leaves each in
the place of its query; what such a cell sees has no known size. Normalisations over the map are not counted
as sight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of, stored_shape
from onnxdissect.model.layers.records import ImageInput, ReceptiveField
from onnxdissect.model.layout.order import scattered
from onnxdissect.model.layout.order.digits import CellOrder
from onnxdissect.model.layout.order.token_row import TokenRow
from onnxdissect.model.layout.products.matrices import einsum_operands, table_rows
from onnxdissect.model.layout.reduced import reduced_axes
from onnxdissect.model.layout.tokens import Tokens
from onnxdissect.model.operators.lookup import joined_operands, operator_of
from onnxdissect.model.operators.rules import Axes, Compute, Places
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.receptive_field import crop_pad as frames
from onnxdissect.model.receptive_field import interleaved, resampling, token_places, units_apart, windows
from onnxdissect.model.receptive_field.axis_geometry import (
    AxisGeometry,
    Lengths,
    Position,
    Rolled,
    Scattered,
    Step,
    Unplaced,
    unite,
)
from onnxdissect.model.receptive_field.wrapped import laid_again, merge_rolled, rolled_on, settle

__all__ = ["AxisGeometry", "Pair", "Position", "Unplaced", "follow_positions", "receptive_field"]

Pair = tuple[Position, Position]
"""Vertical and horizontal."""

_CUTTING = (Places.CROP, Places.CROP_OR_PAD, Places.GATHER, Places.PAD, Places.SLICE, Places.SPLIT)
_UNKNOWN: Pair = (Unplaced.UNKNOWN, Unplaced.UNKNOWN)


def follow_positions(
    graph: ir.Graph,
    image: ImageInput,
    probe: Probe,
    axes: dict[str, str],
    restored: Mapping[str, tuple[str, ...]] | None = None,
    tokens: Mapping[str, Tokens] | None = None,
    orders: Mapping[str, CellOrder] | None = None,
    rows: Mapping[str, TokenRow] | None = None,
) -> dict[str, Pair]:
    """Place the cells of every value that has spatial axes.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    image : ImageInput
        Its image input.
    probe : Probe
        Shapes of its values.
    axes : dict of str to str
        Their axes.
    restored : mapping of str to tuple of str, optional
        Values whose cells are those of earlier ones; see `onnxdissect.model.layout.axes.AxisLabels`.
    tokens : mapping of str to Tokens, optional
        What lies along the token axes.
    orders : mapping of str to CellOrder, optional
        Values whose cells were put in order again; see `onnxdissect.model.layout.order.digits`.
    rows : mapping of str to TokenRow, optional
        Cells of values that have some of a row of tokens, or in another order.

    Returns
    -------
    dict of str to (Position, Position)
        Vertical and horizontal.
    """
    pixel = AxisGeometry(0.0, 1.0, 1.0)
    positions: dict[str, Pair] = {image.name: (pixel, pixel)}
    again = restored or {}
    for node in graph:
        outputs = [name_of(value) for value in node.outputs]
        if not any(name in axes for name in outputs):
            continue
        for index, name in enumerate(outputs):
            if orders and name in orders:
                positions[name] = _ordered(orders[name], positions)
            elif name in again:
                places = [_merge(letter, name, "", again[name], positions, probe, axes) for letter in "HW"]
                positions[name] = places[0], places[1]
            elif name in axes:
                pair = _place(node, index, positions, probe, axes, tokens or {})
                if rows:
                    pair = token_places.heed_order(node, name, pair, positions, axes, tokens or {}, rows)
                positions[name] = interleaved.heed_parts(node, pair, positions, probe, axes)
    return positions


def _ordered(known: CellOrder, positions: Mapping[str, Pair]) -> Pair:
    """Place cells that are those of earlier maps again, or blocks of them."""
    placed: list[Position] = []
    for axis, block in enumerate(known.pooled):
        found = [positions[name][axis] for name in known.origins if name in positions]
        extents = [place for place in found if isinstance(place, AxisGeometry)]
        together = unite(extents) if extents and len(extents) == len(found) else None
        place: Position = Unplaced.UNKNOWN if len(set(found)) != 1 else found[0]
        if together is not None:
            place = together.windowed(block, block, 0)
        elif block > 1 and not isinstance(place, Unplaced):
            place = Unplaced.DISORDERED
        placed.append(scattered.unbounded(place) if known.mixed else place)
    return placed[0], placed[1]


def receptive_field(pair: Pair) -> ReceptiveField | None:
    """Turn the positions along both axes into a record.

    Parameters
    ----------
    pair : (Position, Position)
        Vertical and horizontal.

    Returns
    -------
    ReceptiveField or None
        None where either axis is not placed, or runs against the input.
    """
    vertical, horizontal = pair
    if not isinstance(vertical, AxisGeometry) or not isinstance(horizontal, AxisGeometry):
        return None
    if vertical.stride <= 0 or horizontal.stride <= 0:
        return None
    return ReceptiveField(
        (vertical.offset + vertical.apart, horizontal.offset + horizontal.apart),
        (vertical.stride, horizontal.stride),
        (vertical.size, horizontal.size) if math.isfinite(vertical.size + horizontal.size) else None,
    )


def _place(
    node: ir.Node,
    index: int,
    positions: dict[str, Pair],
    probe: Probe,
    axes: dict[str, str],
    tokens: Mapping[str, Tokens],
) -> Pair:
    operator = operator_of(node)
    rule = operator.axes
    out = name_of(node.outputs[index])
    operands = [name_of(value) for value in node.inputs if value is not None and value.name in positions]
    if rule in (Axes.POINTWISE, Axes.CONCATENATED):
        joins = rule is Axes.CONCATENATED
        joined = axes[out][int(attribute(node, "axis", 1)) % len(axes[out])] if joins else ""
        merged = [
            _join(letter, node, positions, probe, axes)
            if letter == joined
            else _merge(letter, out, joined, operands, positions, probe, axes)
            for letter in "HW"
        ]
        if joined == "C":
            merged = [
                units_apart.of_units(letter, place, out, operands, positions, probe, axes)
                for letter, place in zip("HW", merged, strict=True)
            ]
        return merged[0], merged[1]
    if rule is Axes.PRODUCT and len(operands) > 1:
        return _attend(out, operands, positions, axes)
    if rule is Axes.CONTRACTED and len(node.inputs) > 1:
        return _contract(node, positions, probe, axes)
    source = name_of(node.inputs[0]) if node.inputs and node.inputs[0] is not None else ""
    if rule is Axes.PRODUCT and operands:
        source = operands[0]
    if source not in positions or source not in axes:
        return positions.get(table_rows(node), _UNKNOWN)
    pair = positions[source]
    beside = [tokens[name].before if name in tokens else 0 for name in (source, out)]
    shapes = probe.shapes[source], probe.shapes[out]
    step = Step(node, index, axes[source], axes[out], *shapes, probe, (beside[0], beside[1]))
    moved = [_follow(step, axis, position) for axis, position in enumerate(pair)]
    if operator.compute is Compute.ATTENTION:
        return scattered.unbounded(moved[0]), scattered.unbounded(moved[1])
    return moved[0], moved[1]


def _follow(step: Step, axis: int, position: Position) -> Position:
    if isinstance(position, Scattered):
        return scattered.move_scattered(step, axis, position, _move)
    if isinstance(position, Unplaced):
        return position
    rolled = isinstance(position, Rolled)
    moved: Position = _move(step, axis, position.extent if isinstance(position, Rolled) else position)
    if isinstance(moved, AxisGeometry) and moved.apart and units_apart.mixes_units(step):
        moved = replace(moved, apart=0.0)
    lengths = step.lengths(axis)
    # of a rolled map only cuts and frames can make a straight one
    if lengths is not None and (not rolled or operator_of(step.node).places in _CUTTING):
        return settle(moved, lengths[1])
    return Rolled(moved) if rolled and isinstance(moved, AxisGeometry) else moved


def _attend(out: str, operands: Sequence[str], positions: dict[str, Pair], axes: dict[str, str]) -> Pair:
    """Follow queries by keys, or weights by values: a cell hears all others, and stays in its own place.

    Rows of the product are rows of the first operand, columns those of the second.
    """
    letters = axes[out]
    if "T" not in letters:
        return Unplaced.UNIFORM, Unplaced.UNIFORM
    from_first = letters.index("T") < len(letters) - 1
    pair = positions[operands[0 if from_first else 1]]
    return scattered.unbounded(pair[0]), scattered.unbounded(pair[1])


def _contract(node: ir.Node, positions: dict[str, Pair], probe: Probe, axes: dict[str, str]) -> Pair:
    """Follow Einsum: cells keep the places of the operands whose axis the result keeps."""
    read = einsum_operands(node, axes, probe)
    letters = axes[name_of(node.outputs[0])]
    if read is None:
        return _UNKNOWN
    equation, known, names = read
    placed: list[Position] = []
    for axis, letter in enumerate("HW"):
        along = letter if letter in letters else "T"
        if along not in letters:
            placed.append(Unplaced.UNIFORM)
            continue
        holding = [i for i in equation.holding(letters.index(along)) if i in known]
        found = [positions.get(names[i], _UNKNOWN)[axis] for i in holding]
        extents = [place for place in found if isinstance(place, AxisGeometry)]
        place: Position | None = unite(extents) if extents and len(extents) == len(found) else None
        if place is None:
            place = found[0] if len(set(found)) == 1 else Unplaced.UNKNOWN
        placed.append(scattered.unbounded(place) if equation.mixes(known) else place)
    return placed[0], placed[1]


def _join(
    letter: str, node: ir.Node, positions: dict[str, Pair], probe: Probe, axes: dict[str, str]
) -> Position:
    """Operands lie behind each other along the axis itself."""
    names = axes[name_of(node.outputs[0])]
    parts: list[tuple[Position, int]] = []
    for value in joined_operands(node):
        name = name_of(value) if value is not None else ""
        shape = probe.shapes.get(name) or stored_shape(value)
        if shape is None:
            return Unplaced.UNKNOWN
        placed = name in positions and letter in axes.get(name, "")
        position = positions[name]["HW".index(letter)] if placed else Unplaced.UNIFORM
        parts.append((position, shape[names.index(letter)]))
    again = laid_again(parts) if len(set(joined_operands(node))) == 1 else None
    return again or settle(rolled_on(parts) or frames.join(parts), sum(length for _, length in parts))


def _length(name: str, letter: str, probe: Probe, axes: dict[str, str]) -> int:
    return probe.shapes[name][axes[name].index(letter)]


def _merge(
    letter: str,
    out: str,
    joined: str,
    operands: Sequence[str],
    positions: dict[str, Pair],
    probe: Probe,
    axes: dict[str, str],
) -> Position:
    """Branches meet; `joined` is the axis along which they are laid behind each other, if any."""
    # tokens are the cells of a map in a row, so they have the places of both its axes
    along = letter if letter in axes[out] else "T"
    if along not in axes[out]:
        return Unplaced.UNIFORM
    length = _length(out, along, probe, axes)
    branches: list[AxisGeometry] = []
    scattered: list[Scattered] = []
    rolled: list[Rolled] = []
    mixed = False
    for name in operands:
        stretched = along not in axes[name] or _length(name, along, probe, axes) != length
        if stretched and not (along == joined and along in axes[name]):
            mixed = True  # a statistic of the whole axis: it places nothing
            continue
        position = positions[name]["HW".index(letter)]
        if position is Unplaced.UNIFORM:
            mixed = True
        elif isinstance(position, Scattered):
            scattered.append(position)
        elif isinstance(position, Rolled):
            rolled.append(position)
        elif isinstance(position, Unplaced):
            return position
        else:
            branches.append(position)
    if scattered:
        cells = {each.cells for each in scattered}
        together = unite([each.extent for each in scattered])
        if branches or rolled or len(cells) > 1 or together is None:
            return Unplaced.DISORDERED
        return Scattered(together.unbounded if mixed else together, cells.pop())
    if rolled:
        together = unite([each.extent for each in rolled], length)
        return merge_rolled(rolled, bool(branches), together and (together.unbounded if mixed else together))
    if not branches:
        return Unplaced.UNIFORM
    together = unite(branches, length)
    if together is None:
        return Unplaced.UNKNOWN
    return together.unbounded if mixed else together


def _move(step: Step, axis: int, at: AxisGeometry) -> Position:
    lengths = step.lengths(axis)
    operator = operator_of(step.node)
    if lengths is None:
        if operator.reshapes and "T" in step.source_axes and "HW"[axis] in step.out_axes:
            return resampling.cut_from_tokens(step, axis, at)
        if operator.compute is Compute.CONVOLUTION and step.source_axes == "NCT":
            return windows.along_tokens(step, axis, at)
        if operator.places is Places.ACCUMULATED:
            return at.unbounded
        return at if step.keeps_tokens else Unplaced.UNIFORM
    return _MOVERS[operator.places](step, axis, at, lengths)


def _keep(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    return Unplaced.UNIFORM if _stretched(lengths) else at


def _keep_length(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Follow an operator that nothing is known of: an axis that keeps its length keeps its cells."""
    if _stretched(lengths):
        return Unplaced.UNIFORM
    return at if lengths[0] == lengths[1] else Unplaced.UNKNOWN


def _regroup(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    if _stretched(lengths):
        return Unplaced.UNIFORM
    return at if lengths[0] == lengths[1] else resampling.regroup(step, axis, at, lengths)


def _stretched(lengths: Lengths) -> bool:
    return lengths[0] == 1 and lengths[1] > 1


def _reduce(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    reduced = reduced_axes(step.node, len(step.source_axes), step.probe)
    if reduced is None:
        return Unplaced.UNKNOWN
    return Unplaced.UNIFORM if step.where(axis) in reduced else at


_MOVERS: dict[Places, Callable[[Step, int, AxisGeometry, Lengths], Position]] = {
    Places.ACCUMULATED: frames.accumulate,
    Places.COMPRESS: frames.compress,
    Places.CROP: frames.crop,
    Places.CROP_OR_PAD: frames.crop_or_pad,
    Places.DEPTH_TO_SPACE: resampling.depth_to_space,
    Places.GATHER: frames.gather,
    Places.GATHER_ELEMENTS: frames.gather_elements,
    Places.KEPT: _keep,
    Places.MATRIX: frames.product,
    Places.PAD: frames.pad,
    Places.REDUCED: _reduce,
    Places.REGROUPED: _regroup,
    Places.RESIZE: resampling.resize,
    Places.REVERSE: frames.reverse,
    Places.SAMPLE: frames.sample,
    Places.SLICE: frames.slice_,
    Places.SPACE_TO_DEPTH: resampling.space_to_depth,
    Places.SPLIT: frames.split,
    Places.SPREAD: windows.spread,
    Places.UNKNOWN: _keep_length,
    Places.WHOLE: windows.whole_axis,
    Places.WINDOW: windows.slide,
}
