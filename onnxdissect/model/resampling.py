"""The affine map behind a resize: where result cells fall among the operand's cells."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxdissect.model.graph import attribute
from onnxdissect.model.probe import Probe

__all__ = ["Affine", "resize_map"]

_ROUNDING: dict[str, Callable[[float], float]] = {
    "round_prefer_floor": lambda x: math.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: math.floor(x + 0.5),
    "floor": math.floor,
    "ceil": math.ceil,
}


@dataclass(frozen=True, slots=True)
class Affine:
    """Result cell ``i`` lies at ``offset + i * stride`` among the operand's and hears ``taps`` of them."""

    offset: float
    stride: float
    taps: int


def resize_map(node: ir.Node, where: int, rank: int, lengths: tuple[int, int], probe: Probe) -> Affine | None:
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
        None where it depends on a region of interest or on an unknown mode.
    """
    before, after = lengths
    scale = _scale(node, where, rank, probe)
    if scale is None:
        if attribute(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
            return None
        scale = after / before
    if scale == 1.0 and before == after:
        return Affine(0.0, 1.0, 1)
    old = (
        node.op_type == "Upsample"
        or (node.version is not None and node.version < 11)
        or len(node.inputs) == 2
    )
    coordinates = attribute(node, "coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    if coordinates == "asymmetric":
        offset, stride = 0.0, 1 / scale
    elif coordinates == "align_corners":
        stride = (before - 1) / (after - 1) if after > 1 else 0.0
        offset = 0.0
    elif coordinates in ("half_pixel", "pytorch_half_pixel"):
        offset, stride = 0.5 / scale - 0.5, 1 / scale
    elif coordinates == "half_pixel_symmetric":
        adjustment = after / (scale * before)
        offset, stride = before / 2 * (1 - adjustment) + 0.5 / scale - 0.5, 1 / scale
    else:
        return None
    mode = attribute(node, "mode", "nearest")
    if mode == "nearest":
        rounding = _ROUNDING.get(attribute(node, "nearest_mode", "floor" if old else "round_prefer_floor"))
        if rounding is None or stride == 0.0:
            return None
        # rounding shifts the picture as a whole; its mean is what an affine map can express
        shift = float(np.mean([rounding(offset + i * stride) - (offset + i * stride) for i in range(after)]))
        return Affine(offset + shift, stride, 1)
    taps = {"linear": 2, "bilinear": 2, "cubic": 4}.get(mode)
    return None if taps is None else Affine(offset, stride, taps)


def _scale(node: ir.Node, where: int, rank: int, probe: Probe) -> float | None:
    listed = attribute(node, "scales", None)
    if listed is None:
        scales = probe.number(node, 1 if len(node.inputs) == 2 else 2)
        listed = None if scales is None or not scales.size else scales.tolist()
    if listed is None:
        return None
    axes = attribute(node, "axes", None)
    order = list(range(rank)) if axes is None else [int(a) % rank for a in axes]
    return float(listed[order.index(where)]) if where in order else 1.0
