"""Operators that cut, frame, flip or join: each result cell repeats one operand cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.model.extent import Extent, Lengths, Position, Step, Unplaced, unite
from onnxdissect.model.graph import attribute, name_of
from onnxdissect.model.order import permuted, scatter

__all__ = ["block_steps", "crop", "crop_or_pad", "gather", "join", "pad", "slice_", "split"]


def pad(step: Step, axis: int, at: Extent, lengths: Lengths) -> Position:
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
    return at.resampled(-begin, 1)


def slice_(step: Step, axis: int, at: Extent, lengths: Lengths) -> Position:
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


def split(step: Step, axis: int, at: Extent, lengths: Lengths) -> Position:
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


def block_steps(listed: NDArray[Any] | None) -> tuple[int, int, int] | None:
    """Read indices that cut an axis into blocks: rows of blocks along one axis, rows within along the other.

    Parameters
    ----------
    listed : ndarray or None
        Indices of a Gather.

    Returns
    -------
    tuple of int or None
        The first index, and the steps along both axes; None where they are no such table.
    """
    if listed is None or listed.ndim != 2 or min(listed.shape) < 2 or listed.min() < 0:
        return None
    first = int(listed[0, 0])
    down, across = int(listed[1, 0]) - first, int(listed[0, 1]) - first
    rows, columns = np.indices(listed.shape)
    even = np.array_equal(listed, first + down * rows + across * columns)
    if min(down, across) < 1 or down == across or not even:
        return None
    return first, down, across


def gather(step: Step, axis: int, at: Extent, lengths: Lengths) -> Position:
    """Place the results of a Gather whose indices the file stores and that run evenly."""
    where = step.where(axis)
    if int(attribute(step.node, "axis", 0)) % len(step.source_axes) != where:
        return at
    listed = step.probe.number(step.node, 1)
    blocks = block_steps(listed)
    if listed is not None and blocks is not None:
        # each block is placed at the middle of its rows
        first, between, within = blocks[0], max(blocks[1:]), min(blocks[1:])
        rows = listed.shape[int(blocks[1] >= blocks[2])]
        reach = (rows - 1) * within
        return at.resampled(first + reach / 2, between, reach + 1)
    if listed is None or listed.ndim != 1 or len(listed) < 2:
        return Unplaced.UNKNOWN
    indices = np.where(listed < 0, listed + lengths[0], listed).astype(float)
    cells = np.arange(len(indices))
    steps = np.diff(indices)
    if np.all(steps == steps[0]) and steps[0]:
        return at.resampled(float(indices[0]), float(steps[0]))
    stride, offset = np.polyfit(cells, indices, 1)
    # repeated cells (an upsampling) stay within one of a line; a permutation does not
    if abs(stride) < 1e-9 or np.abs(offset + stride * cells - indices).max() >= 1:
        alike = len(np.unique(indices)) == len(indices)
        return scatter(at, indices.astype(int).tolist()) if alike else Unplaced.DISORDERED
    return at.resampled(float(offset), float(stride))


def crop(step: Step, axis: int, at: Extent, lengths: Lengths) -> Position:
    """Place the results of a Crop, an operator that ONNX gave up and onnxruntime kept."""
    border = attribute(step.node, "border", (0, 0, 0, 0))
    return at.resampled(int(border[1 - axis]), 1)


def crop_or_pad(step: Step, axis: int, at: Extent, lengths: Lengths) -> Position:
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
    implied: list[tuple[Extent, int]] = []
    for position, length in parts:
        if isinstance(position, Extent):
            implied.append((position.resampled(-before, 1), length))
        elif position is not Unplaced.UNIFORM and 2 * length > total:
            return position if position is Unplaced.UNKNOWN else Unplaced.DISORDERED
        before += length
    if not implied:
        return Unplaced.UNIFORM if all(p is Unplaced.UNIFORM for p, _ in parts) else Unplaced.UNKNOWN
    joined: Extent | None = implied[0][0]
    for extent, _ in implied[1:]:
        together = unite([joined, extent]) if joined is not None else None
        shifted = together is not None and abs(extent.offset - implied[0][0].offset) > abs(extent.stride) / 2
        joined = None if shifted else together
    if joined is not None and sum(length for _, length in implied) == total:
        return joined
    largest, length = max(implied, key=lambda part: part[1])
    return largest if 2 * length > total else Unplaced.UNKNOWN
