"""Operators that cut, frame, flip or join: each result cell repeats one operand cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of
from onnxdissect.model.layout.order.scattered import disorder, permuted
from onnxdissect.model.layout.products.picked import element_places, grid_places, product_places, take
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.receptive_field.axis_geometry import (
    AxisGeometry,
    Lengths,
    Position,
    Step,
    Unplaced,
    unite,
)
from onnxdissect.model.receptive_field.wrapped import continued, frame_of_indices, repeated

__all__ = [
    "Blocks",
    "accumulate",
    "compress",
    "crop",
    "crop_or_pad",
    "gather",
    "gather_elements",
    "gathers_blocks",
    "join",
    "pad",
    "product",
    "reverse",
    "sample",
    "slice_",
    "split",
]


def pad(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a Pad, which cuts where its numbers are negative."""
    rank = len(step.source_axes)
    pads = attribute(step.node, "pads", None)
    if pads is None:
        numbers = step.probe.number(step.node, 1)
        if numbers is None:
            return Unplaced.UNKNOWN
        pads = numbers.ravel().tolist()
    listed = step.probe.number(step.node, 3)
    order = list(range(rank)) if listed is None else [int(a) % rank for a in listed.tolist()]
    where = step.where(axis)
    begin = int(pads[order.index(where)]) if where in order else 0
    behind = int(pads[order.index(where) + len(order)]) if where in order else 0
    if attribute(step.node, "mode", "constant") == "wrap" and max(begin, behind) > 0:
        period = continued(at, lengths[0])
        if period is None:
            return Unplaced.DISORDERED
        at = replace(at, period=period)
    return at.resampled(-begin, 1)


def slice_(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a Slice; a negative step turns the axis round."""
    node = step.node
    rank = len(step.source_axes)
    if "starts" in node.attributes:
        starts = list(attribute(node, "starts", ()))
        listed = attribute(node, "axes", None)
        steps = [1] * len(starts)
    else:
        numbers = [step.probe.number(node, i) for i in (1, 3, 4)]
        if numbers[0] is None or any(
            n is None and i < len(node.inputs) and node.inputs[i] is not None
            for n, i in zip(numbers, (1, 3, 4), strict=True)
        ):
            return Unplaced.UNKNOWN
        starts = numbers[0].tolist()
        listed = None if numbers[1] is None else numbers[1].tolist()
        steps = [1] * len(starts) if numbers[2] is None else numbers[2].tolist()
    order = list(range(len(starts))) if listed is None else [int(a) % rank for a in listed]
    where = step.where(axis)
    if where not in order:
        return at
    start, stride = int(starts[order.index(where)]), int(steps[order.index(where)])
    first = start + lengths[0] if start < 0 else start
    last = lengths[0] - 1 if stride < 0 else lengths[0]
    return at.resampled(min(max(first, 0), last), stride)


def split(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place one of the results of a Split."""
    where = step.where(axis)
    if int(attribute(step.node, "axis", 0)) % len(step.source_axes) != where:
        return at
    before = 0
    for value in step.node.outputs[: step.index]:
        shape = step.probe.shapes.get(name_of(value))
        if shape is None:
            return Unplaced.UNKNOWN
        before += shape[where]
    return at.resampled(before, 1)


def gather(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a Gather whose indices the file stores and that run evenly."""
    where = step.where(axis)
    if int(attribute(step.node, "axis", 0)) % len(step.source_axes) != where:
        return at
    blocks = gathers_blocks(step.node, step.probe)
    if blocks is not None:
        return at.windowed((blocks.cells - 1) * blocks.apart + 1, blocks.step, -blocks.first)
    listed = step.probe.number(step.node, 1)
    if listed is None or listed.ndim != 1 or len(listed) < 2:
        return Unplaced.UNKNOWN
    indices = np.where(listed < 0, listed + lengths[0], listed).astype(float)
    framed = frame_of_indices(at, indices, lengths[0])
    return take(at, indices) if framed is None else framed


def compress(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a Compress, which leaves out the cells that the file says."""
    where = step.where(axis)
    if int(attribute(step.node, "axis", 0)) % len(step.source_axes) != where:
        return at
    kept = step.probe.number(step.node, 1)
    if kept is None:
        return Unplaced.UNKNOWN
    places = np.flatnonzero(kept.ravel()[: lengths[0]])
    return take(at, places.astype(float)) if len(places) > 1 else Unplaced.UNKNOWN


@dataclass(frozen=True, slots=True)
class Blocks:
    """How a table of indices cuts an axis into blocks.

    Attributes
    ----------
    first : int
        The first cell of the first block.
    cells : int
        Cells of a block.
    apart : int
        Distance of the cells of a block.
    step : int
        Distance of neighbouring blocks.
    within_first : bool
        Whether the cells within all blocks lie before the blocks.
    """

    first: int
    cells: int
    apart: int
    step: int
    within_first: bool

    @property
    def whole(self) -> bool:
        """Whether the blocks, one behind the other, are the axis again."""
        return self.apart == 1 and self.step == self.cells and self.first == 0

    def letters(self, letter: str) -> str:
        """Name the two axes that rows, or columns, are cut into."""
        # cells of overlapping blocks, laid behind each other again, are not the map
        within = letter.lower() if self.whole else "x"
        return within + letter if self.within_first else letter + within


def gathers_blocks(node: ir.Node, probe: Probe) -> Blocks | None:
    """Recognise a Gather that cuts an axis into blocks, overlapping or not, as `unfold` is exported.

    Parameters
    ----------
    node : onnx_ir.Node
        A Gather.
    probe : Probe
        Its indices.

    Returns
    -------
    Blocks or None
        None where the indices are others.
    """
    listed = probe.number(node, 1)
    if listed is None or listed.ndim != 2 or min(listed.shape) < 2:
        return None
    first, down, right = (int(n) for n in (listed[0, 0], listed[1, 0], listed[0, 1]))
    down, right = down - first, right - first
    table = first + down * np.arange(listed.shape[0])[:, None] + right * np.arange(listed.shape[1])
    if min(first, down - 1, right - 1) < 0 or not np.array_equal(listed, table):
        return None
    above = Blocks(first, listed.shape[0], down, right, True)
    below = Blocks(first, listed.shape[1], right, down, False)
    # the same table can be read both ways; windows are such that each cell is in as few of them as can be
    return min(above, below, key=lambda blocks: blocks.cells / blocks.step)


def gather_elements(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a GatherElements whose indices the file stores."""
    where = step.where(axis)
    rank = len(step.source_axes)
    if int(attribute(step.node, "axis", 0)) % rank != where:
        return at if lengths[0] == lengths[1] else Unplaced.UNKNOWN
    listed = step.probe.number(step.node, 1)
    if listed is None:
        return Unplaced.UNKNOWN
    places = element_places(listed, where, lengths[0])
    return Unplaced.DISORDERED if places is None or len(places) < 2 else take(at, places)


def accumulate(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a running sum: how much each has heard depends on where it lies."""
    along = step.probe.number(step.node, 1)
    here = along is None or int(along.flat[0]) % len(step.source_axes) == step.where(axis)
    return at.unbounded if here else at


def sample(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a GridSample; where the grid is computed, what is seen depends on the image."""
    places = grid_places(step.node, axis, lengths[0], step.probe)
    if places is None:
        return Unplaced.UNKNOWN
    return take(at, places) if len(places) > 1 else Unplaced.DISORDERED


def product(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a product with a stored matrix that picks cells, or interpolates between them."""
    from_left = step.node.inputs[0] is not None and step.node.inputs[0].name not in step.probe.shapes
    if step.where(axis) != len(step.source_axes) - (2 if from_left else 1):
        return at
    places = product_places(step.node, 0 if from_left else 1, step.probe)
    return Unplaced.UNKNOWN if places is None else take(at, places)


def reverse(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a ReverseSequence: exporters reverse the channels with it, or a whole axis."""
    if int(attribute(step.node, "time_axis", 0)) != step.where(axis):
        return at
    turned = step.probe.number(step.node, 1)
    if turned is None:
        return Unplaced.UNKNOWN
    if np.all(turned <= 1):
        return at
    return at.resampled(lengths[0] - 1, -1) if np.all(turned == lengths[0]) else Unplaced.DISORDERED


def crop(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a Crop, an operator that ONNX gave up and onnxruntime kept."""
    border = attribute(step.node, "border", (0, 0, 0, 0))
    return at.resampled(int(border[1 - axis]), 1)


def crop_or_pad(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a CenterCropPad."""
    before, after = lengths
    begin = (before - after) // 2 if before > after else -((after - before) // 2)
    return at.resampled(begin, 1)


def join(parts: Sequence[tuple[Position, int]]) -> Position:
    """Place the results of a concatenation along the axis itself.

    Parameters
    ----------
    parts : sequence of (Position, int)
        Place and length of each operand, in order.

    Returns
    -------
    Position
        Where all operands that have places agree, as halves that were processed apart do; else where the
        operand puts it that makes up more than half, as the picture within its own repeated borders does.
    """
    turned = permuted(parts)
    if turned is not None:
        return turned
    before = 0
    total = sum(length for _, length in parts)
    implied: list[tuple[AxisGeometry, int]] = []
    for position, length in parts:
        if isinstance(position, AxisGeometry):
            implied.append((position.resampled(-before, 1), length))
        elif position is not Unplaced.UNIFORM and 2 * length > total:
            return position if position is Unplaced.UNKNOWN else Unplaced.DISORDERED
        before += length
    if not implied:
        return Unplaced.UNIFORM if all(p is Unplaced.UNIFORM for p, _ in parts) else Unplaced.UNKNOWN
    joined: AxisGeometry | None = implied[0][0]
    for extent, _ in implied[1:]:
        together = unite([joined, extent]) if joined is not None else None
        shifted = together is not None and abs(extent.offset - implied[0][0].offset) > abs(extent.stride) / 2
        joined = None if shifted else together
    whole = sum(length for _, length in implied) == total
    if joined is not None and whole:
        return joined
    largest, length = max(implied, key=lambda part: part[1])
    if 2 * length > total:
        which = max(range(len(parts)), key=lambda i: parts[i][1])
        return replace(largest, period=repeated(parts, which) or largest.period)
    # pieces that all have places and do not fit together are in another order
    return Unplaced.DISORDERED if whole or any(disorder(p) for p, _ in parts) else Unplaced.UNKNOWN
