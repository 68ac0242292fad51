"""Operators that change the resolution without weights: resizes, and moves between cells and units."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxdissect.model.graph import attribute, opset_of
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.receptive_field.axis_geometry import AxisGeometry, Lengths, Position, Step, Unplaced

__all__ = ["Affine", "cut_from_tokens", "depth_to_space", "regroup", "resize", "resize_map", "space_to_depth"]

_ROUNDING: dict[str, Callable[[float], float]] = {
    "round_prefer_floor": lambda x: math.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: math.floor(x + 0.5),
    "floor": math.floor,
    "ceil": math.ceil,
}

# cells on either side that interpolation weighs
_SUPPORT = {"linear": 1, "bilinear": 1, "cubic": 2}


@dataclass(frozen=True, slots=True)
class Affine:
    """Result cell ``i`` lies at ``offset + i * stride`` among the operand's and hears ``taps`` of them."""

    offset: float
    stride: float
    taps: int


def resize(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a Resize or Upsample."""
    if lengths[0] == 1 and lengths[1] > 1:
        return Unplaced.UNIFORM
    affine = resize_map(step.node, step.where(axis), len(step.source_axes), lengths, step.probe)
    if affine is None:
        return Unplaced.UNKNOWN
    return at.resampled(affine.offset, affine.stride, affine.taps)


def depth_to_space(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a DepthToSpace: a block of cells that see the same."""
    block = int(attribute(step.node, "blocksize", 1))
    return at.resampled(0.5 / block - 0.5, 1 / block)


def space_to_depth(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a SpaceToDepth: each holds a block of cells, its units one of them each."""
    block = int(attribute(step.node, "blocksize", 1))
    return at.windowed(block, block, 0)


def regroup(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a reshape that splits an axis into blocks, or fills cells with finer ones."""
    before, after = lengths
    if before % after == 0:
        block = before // after
        return at.windowed(block, block, 0)
    if after % before == 0:
        block = after // before
        return at.resampled(0.5 / block - 0.5, 1 / block)
    return Unplaced.UNKNOWN


def cut_from_tokens(step: Step, axis: int, at: AxisGeometry) -> Position:
    """Place the blocks of a grid that a reshape cuts a row of tokens into: rows, rows within, columns, ..."""
    blocks = {letter: _within(step, letter) for letter in "HW"}
    cells = math.prod(step.out_shape[step.out_axes.index(letter)] * blocks[letter] for letter in "HW")
    if cells != step.source_shape[step.source_axes.index("T")]:
        return Unplaced.UNKNOWN
    block = blocks["HW"[axis]]
    return at.windowed(block, block, 0)


def _within(step: Step, letter: str) -> int:
    """Cells of the grid in one block along an axis."""
    block = 1
    for names, length in list(zip(step.out_axes, step.out_shape, strict=True))[
        step.out_axes.index(letter) + 1 :
    ]:
        if names not in ("?", letter.lower()):
            break
        block *= length
    return block


def resize_map(node: ir.Node, where: int, rank: int, lengths: Lengths, probe: Probe) -> Affine | None:
    """Map of a Resize or Upsample along one axis.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.
    where : int
        Axis of the operand.
    rank : int
        Rank of the operand.
    lengths : (int, int)
        Cells before and after.
    probe : Probe
        Numbers of computed scales.

    Returns
    -------
    Affine or None
        None where it depends on a computed region of interest, or on an unknown mode.
    """
    before, after = lengths
    scale = _scale(node, where, rank, probe)
    if scale is None:
        scale = _policy_scale(node, where, rank, probe) or after / before
    # an old Resize has scales where a new one has a region of interest
    old = node.op_type == "Upsample" or (opset_of(node) or 11) < 11 or len(node.inputs) == 2
    coordinates = attribute(node, "coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    region = _region(node, where, rank, probe) if coordinates == "tf_crop_and_resize" else None
    if before == after and _copies(node, rank, probe):
        return Affine(0.0, 1.0, 1)
    line = _line(coordinates, scale, before, after, region)
    if line is None or line[1] == 0.0:
        return None
    offset, stride = line
    mode = attribute(node, "mode", "nearest")
    if mode == "nearest":
        rounding = _ROUNDING.get(attribute(node, "nearest_mode", "round_prefer_floor"))
        if old and "nearest_mode" not in node.attributes:
            rounding = math.ceil if scale < 1 else math.floor
        if rounding is None:
            return None
        # rounding shifts the picture as a whole; its mean is what an affine map can express
        exact = [offset + i * stride for i in range(after)]
        # 0.99999... is 1 that was computed
        shift = float(np.mean([rounding(round(x, 9)) - x for x in exact]))
        return Affine(offset + shift, stride, 1)
    support = _SUPPORT.get(mode)
    if support is None:
        return None
    return Affine(offset, stride, _widest(node, offset, stride, scale, support, after))


def _line(
    coordinates: str, scale: float, before: int, after: int, region: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Offset and stride among the operand's cells, as ONNX defines each coordinate mode."""
    if coordinates == "asymmetric":
        return 0.0, 1 / scale
    if coordinates == "align_corners":
        return (0.0, (before - 1) / (after - 1)) if after > 1 else (0.0, 1 / scale)
    if coordinates == "pytorch_half_pixel" and after == 1:
        return 0.0, 1 / scale
    if coordinates in ("half_pixel", "pytorch_half_pixel"):
        return 0.5 / scale - 0.5, 1 / scale
    if coordinates == "half_pixel_symmetric":
        adjustment = after / (scale * before)
        return before / 2 * (1 - adjustment) + 0.5 / scale - 0.5, 1 / scale
    if coordinates == "tf_half_pixel_for_nn":
        return 0.5 / scale, 1 / scale
    if coordinates == "tf_crop_and_resize" and region is not None:
        start, end = region
        if after > 1:
            return start * (before - 1), (end - start) * (before - 1) / (after - 1)
        return (start + end) * (before - 1) / 2, 1 / scale
    return None


def _widest(node: ir.Node, offset: float, stride: float, scale: float, support: int, after: int) -> int:
    """Cells between the first and the last that any result weighs, both counted."""
    reach = support / scale if attribute(node, "antialias", 0) and scale < 1 else float(support)
    widest = 1
    for i in range(after):
        x = offset + i * stride
        # a result that falls on a cell hears no other, nor one that lies a whole support away
        low, high = math.floor(x - reach + 1 + 1e-6), math.ceil(x + reach - 1 - 1e-6)
        widest = max(widest, 1 if abs(x - round(x)) < 1e-6 and reach == support else high - low + 1)
    return widest


def _order(node: ir.Node, rank: int) -> list[int]:
    axes = attribute(node, "axes", None)
    return list(range(rank)) if axes is None else [int(a) % rank for a in axes]


def _scale(node: ir.Node, where: int, rank: int, probe: Probe) -> float | None:
    listed = attribute(node, "scales", None)
    if listed is None:
        scales = probe.number(node, 1 if len(node.inputs) == 2 else 2)
        listed = None if scales is None or not scales.size else scales.tolist()
    if listed is None:
        return None
    order = _order(node, rank)
    return float(listed[order.index(where)]) if where in order else 1.0


def _copies(node: ir.Node, rank: int, probe: Probe) -> bool:
    """Whether no axis changes; onnxruntime then looks at nothing else, a region of interest included."""
    scales = [_scale(node, axis, rank, probe) for axis in range(rank)]
    if None in scales:
        source, out = node.inputs[0], node.outputs[0]
        return source is not None and probe.shapes.get(source.name or "") == probe.shapes.get(out.name or "")
    return all(scale == 1.0 for scale in scales)


def _policy_scale(node: ir.Node, where: int, rank: int, probe: Probe) -> float | None:
    """Scale that all axes share where the picture keeps its proportions."""
    choose = {"not_larger": min, "not_smaller": max}.get(attribute(node, "keep_aspect_ratio_policy", ""))
    source = node.inputs[0]
    sizes = probe.number(node, 3)
    if choose is None or source is None or sizes is None:
        return None
    shape = probe.shapes.get(source.name or "")
    order = _order(node, rank)
    if shape is None or where not in order:
        return None
    return float(choose(int(n) / shape[a] for n, a in zip(sizes.tolist(), order, strict=True)))


def _region(node: ir.Node, where: int, rank: int, probe: Probe) -> tuple[float, float] | None:
    corners = probe.number(node, 1)
    order = _order(node, rank)
    if corners is None or corners.size != 2 * len(order):
        return None
    if where not in order:
        return 0.0, 1.0
    index = order.index(where)
    return float(corners[index]), float(corners[index + len(order)])
