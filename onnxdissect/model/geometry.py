"""Where cells lie in the input image: offset, stride and size, composed operator by operator.

Paper 3.2 anchors interpolants "at the center of each unit's receptive field". Along one axis a kernel of k
taps, dilation d, stride s and begin padding p turns (offset, stride, size) into::

    size   + (k - 1) * d * stride
    offset + ((k - 1) * d / 2 - p) * stride
    stride * s
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import onnx_ir as ir

from onnxdissect.model.axes import reduced_axes
from onnxdissect.model.graph import attribute, name_of
from onnxdissect.model.kernels import begin_pads, kernel_shape
from onnxdissect.model.layers import ImageInput, ReceptiveField
from onnxdissect.model.operators import FIRST_INPUT, GLOBAL_POOLS, POINTWISE, REDUCTIONS, SPATIAL
from onnxdissect.model.probe import Probe
from onnxdissect.model.resampling import resize_map

__all__ = ["Extent", "Position", "Unplaced", "follow_positions", "receptive_field"]


@dataclass(frozen=True, slots=True)
class Extent:
    """Cells along one axis: centres at ``offset + i * stride``, ``size`` wide, in input pixels."""

    offset: float
    stride: float
    size: float

    def windowed(self, taps: float, stride: float, begin: float) -> Extent:
        """Compose with a window of ``taps`` cells that starts ``begin`` cells before the first one."""
        return Extent(
            self.offset + ((taps - 1) / 2 - begin) * self.stride,
            self.stride * stride,
            self.size + (taps - 1) * self.stride,
        )


class Unplaced(Enum):
    """Why an axis has no cells at known places."""

    UNIFORM = "the same everywhere"
    """A global statistic, stretched or not: it weighs cells but does not place them."""

    UNKNOWN = "not determined by the graph"


Position = Extent | Unplaced
Pair = tuple[Position, Position]

_UNKNOWN: Pair = (Unplaced.UNKNOWN, Unplaced.UNKNOWN)


def follow_positions(
    graph: ir.Graph, image: ImageInput, probe: Probe, axes: dict[str, str]
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

    Returns
    -------
    dict of str to (Position, Position)
        Vertical and horizontal.
    """
    pixel = Extent(0.0, 1.0, 1.0)
    positions: dict[str, Pair] = {image.name: (pixel, pixel)}
    for node in graph:
        outputs = [name_of(value) for value in node.outputs]
        if not any(name in axes for name in outputs):
            continue
        for index, name in enumerate(outputs):
            if name in axes:
                positions[name] = _place(node, index, positions, probe, axes)
    return positions


def receptive_field(pair: Pair) -> ReceptiveField | None:
    """Turn the positions along both axes into a record.

    Parameters
    ----------
    pair : (Position, Position)
        Vertical and horizontal.

    Returns
    -------
    ReceptiveField or None
        None where either axis is not placed.
    """
    vertical, horizontal = pair
    if isinstance(vertical, Unplaced) or isinstance(horizontal, Unplaced):
        return None
    return ReceptiveField(
        (vertical.offset, horizontal.offset),
        (vertical.stride, horizontal.stride),
        (vertical.size, horizontal.size),
    )


def _place(node: ir.Node, index: int, positions: dict[str, Pair], probe: Probe, axes: dict[str, str]) -> Pair:
    op = node.op_type
    out = name_of(node.outputs[index])
    operands = [name_of(value) for value in node.inputs if value is not None and value.name in positions]
    if op in POINTWISE or op == "Concat":
        if op == "Concat" and _concatenates_space(node, axes[out]):
            return _UNKNOWN
        merged = [_merge(letter, out, operands, positions, probe, axes) for letter in "HW"]
        return merged[0], merged[1]
    source = name_of(node.inputs[0]) if node.inputs[0] is not None else ""
    if source not in positions:
        return _UNKNOWN
    pair = positions[source]
    step = _Step(node, index, axes[source], axes[out], probe.shapes[source], probe.shapes[out], probe)
    moved = [
        position if isinstance(position, Unplaced) else _move(op, step, axis, position)
        for axis, position in enumerate(pair)
    ]
    return moved[0], moved[1]


def _concatenates_space(node: ir.Node, names: str) -> bool:
    return names[int(attribute(node, "axis", 1)) % len(names)] in "HW"


def _merge(
    letter: str,
    out: str,
    operands: Sequence[str],
    positions: dict[str, Pair],
    probe: Probe,
    axes: dict[str, str],
) -> Position:
    """Branches meet: the largest field wins, as in the original."""
    if letter not in axes[out]:
        return Unplaced.UNIFORM
    length = probe.shapes[out][axes[out].index(letter)]
    best: Position = Unplaced.UNIFORM
    for name in operands:
        if letter not in axes[name] or probe.shapes[name][axes[name].index(letter)] != length:
            continue  # stretched, so it places nothing
        position = positions[name]["HW".index(letter)]
        if position is Unplaced.UNIFORM:
            continue
        if isinstance(position, Unplaced):
            return Unplaced.UNKNOWN
        if isinstance(best, Extent):
            if abs(position.stride - best.stride) > 1e-9 * best.stride:
                return Unplaced.UNKNOWN
            if position.size <= best.size:
                continue
        best = position
    return best


@dataclass(frozen=True, slots=True)
class _Step:
    """One operator, seen from one operand to one result."""

    node: ir.Node
    index: int
    source_axes: str
    out_axes: str
    source_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    probe: Probe

    def lengths(self, axis: int) -> tuple[int, int] | None:
        """Cells before and after along an axis (0 vertical, 1 horizontal)."""
        letter = "HW"[axis]
        if letter not in self.source_axes or letter not in self.out_axes:
            return None
        return (
            self.source_shape[self.source_axes.index(letter)],
            self.out_shape[self.out_axes.index(letter)],
        )


def _move(op: str, step: _Step, axis: int, at: Extent) -> Position:
    lengths = step.lengths(axis)
    if lengths is None:
        return Unplaced.UNIFORM
    mover = _MOVERS.get(op)
    if mover is not None:
        return mover(step, axis, at, lengths)
    if op in SPATIAL:
        return _convolve(step, axis, at, lengths)
    if op in REDUCTIONS:
        return _reduce(step, axis, at, lengths)
    if op in FIRST_INPUT or lengths[0] == lengths[1]:
        return at
    return Unplaced.UNKNOWN


def _convolve(step: _Step, axis: int, at: Extent, lengths: tuple[int, int]) -> Position:
    node = step.node
    kernel = kernel_shape(node)
    if kernel is None or len(kernel) != 2:
        return Unplaced.UNKNOWN
    stride = int(attribute(node, "strides", (1, 1))[axis])
    dilation = int(attribute(node, "dilations", (1, 1))[axis])
    taps = (kernel[axis] - 1) * dilation + 1
    begin = begin_pads(node, axis, taps, stride, *lengths)
    return at.windowed(taps, stride, begin)


def _transposed(step: _Step, axis: int, at: Extent, lengths: tuple[int, int]) -> Position:
    node = step.node
    kernel = kernel_shape(node)
    if kernel is None or len(kernel) != 2:
        return Unplaced.UNKNOWN
    stride = int(attribute(node, "strides", (1, 1))[axis])
    dilation = int(attribute(node, "dilations", (1, 1))[axis])
    taps = (kernel[axis] - 1) * dilation + 1
    begin = begin_pads(node, axis, taps, stride, *lengths)
    # output o hears input i where o = i * stride + tap - begin
    heard = -(-taps // stride)
    return Extent(
        at.offset + (begin - (taps - 1) / 2) / stride * at.stride,
        at.stride / stride,
        at.size + (heard - 1) * at.stride,
    )


def _whole(step: _Step, axis: int, at: Extent, lengths: tuple[int, int]) -> Position:
    return Unplaced.UNIFORM


def _reduce(step: _Step, axis: int, at: Extent, lengths: tuple[int, int]) -> Position:
    reduced = reduced_axes(step.node, len(step.source_axes), step.probe)
    if reduced is None:
        return Unplaced.UNKNOWN
    return Unplaced.UNIFORM if step.source_axes.index("HW"[axis]) in reduced else at


def _pad(step: _Step, axis: int, at: Extent, lengths: tuple[int, int]) -> Position:
    rank = len(step.source_axes)
    pads = attribute(step.node, "pads", None)
    if pads is None:
        numbers = step.probe.number(step.node, 1)
        if numbers is None:
            return Unplaced.UNKNOWN
        pads = numbers.tolist()
    where = step.source_axes.index("HW"[axis])
    listed = step.probe.number(step.node, 3)
    order = list(range(rank)) if listed is None else [int(a) % rank for a in listed.tolist()]
    begin = int(pads[order.index(where)]) if where in order else 0
    return Extent(at.offset - begin * at.stride, at.stride, at.size)


def _slice(step: _Step, axis: int, at: Extent, lengths: tuple[int, int]) -> Position:
    node = step.node
    rank = len(step.source_axes)
    where = step.source_axes.index("HW"[axis])
    if "starts" in node.attributes:
        starts = list(attribute(node, "starts", ()))
        listed = attribute(node, "axes", None)
        steps = [1] * len(starts)
    else:
        numbers = [step.probe.number(node, i) for i in (1, 3, 4)]
        if numbers[0] is None:
            return Unplaced.UNKNOWN
        starts = numbers[0].tolist()
        listed = None if numbers[1] is None else numbers[1].tolist()
        steps = [1] * len(starts) if numbers[2] is None else numbers[2].tolist()
    order = list(range(len(starts))) if listed is None else [int(a) % rank for a in listed]
    if where not in order:
        return at
    start, stride = int(starts[order.index(where)]), int(steps[order.index(where)])
    if stride < 1:
        return Unplaced.UNKNOWN
    first = max(start + lengths[0], 0) if start < 0 else min(start, lengths[0])
    return Extent(at.offset + first * at.stride, at.stride * stride, at.size)


def _split(step: _Step, axis: int, at: Extent, lengths: tuple[int, int]) -> Position:
    where = step.source_axes.index("HW"[axis])
    if int(attribute(step.node, "axis", 0)) % len(step.source_axes) != where:
        return at
    before = sum(
        step.probe.shapes[name_of(value)][where] for value in step.node.outputs[: step.index] if value.name
    )
    return Extent(at.offset + before * at.stride, at.stride, at.size)


def _resize(step: _Step, axis: int, at: Extent, lengths: tuple[int, int]) -> Position:
    if lengths[0] == 1 and lengths[1] > 1:
        return Unplaced.UNIFORM
    where = step.source_axes.index("HW"[axis])
    affine = resize_map(step.node, where, len(step.source_axes), lengths, step.probe)
    if affine is None:
        return Unplaced.UNKNOWN
    return Extent(
        at.offset + affine.offset * at.stride,
        at.stride * affine.stride,
        at.size + (affine.taps - 1) * at.stride,
    )


def _depth_to_space(step: _Step, axis: int, at: Extent, lengths: tuple[int, int]) -> Position:
    block = int(attribute(step.node, "blocksize", 1))
    return Extent(at.offset + (0.5 / block - 0.5) * at.stride, at.stride / block, at.size)


def _space_to_depth(step: _Step, axis: int, at: Extent, lengths: tuple[int, int]) -> Position:
    block = int(attribute(step.node, "blocksize", 1))
    return at.windowed(block, block, 0)


def _gather(step: _Step, axis: int, at: Extent, lengths: tuple[int, int]) -> Position:
    where = step.source_axes.index("HW"[axis])
    gathered = int(attribute(step.node, "axis", 0)) % len(step.source_axes) == where
    return Unplaced.UNKNOWN if gathered else at


_MOVERS: dict[str, Callable[[_Step, int, Extent, tuple[int, int]], Position]] = {
    **dict.fromkeys(GLOBAL_POOLS, _whole),
    "ConvTranspose": _transposed,
    "DepthToSpace": _depth_to_space,
    "Gather": _gather,
    "Pad": _pad,
    "Resize": _resize,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Upsample": _resize,
}
