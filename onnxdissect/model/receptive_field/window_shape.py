"""Windows of convolutions and pools: their shape and how far they reach before the first cell."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxdissect.model.graph import attribute, constant, stored_shape
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes, Compute, Places

__all__ = ["begin_pads", "channels_last", "kernel_shape", "weight_shape"]

_Shapes = dict[ir.Value | None, tuple[int, ...] | None]

_DEEPEST = 200
"""Operators between stored weights and the convolution that reads them: a dozen standardise weights."""


def weight_shape(node: ir.Node) -> tuple[int, ...] | None:
    """Shape of a convolution's or a product's weights.

    Parameters
    ----------
    node : onnx_ir.Node
        A node whose weights are stored in the file, or computed from such in the graph: dequantised,
        transposed, standardised and the like.

    Returns
    -------
    tuple of int or None
        None where the graph does not tell.
    """
    operator = operator_of(node)
    index = operator.weights
    shape = _shape(node.inputs[index], {}, _DEEPEST) if index < len(node.inputs) else None
    if shape is None or len(shape) < 2:
        return None
    return (shape[0], shape[-1], *shape[1:-1]) if operator.kernel_before_units else shape


def _shape(value: ir.Value | None, found: _Shapes, depth: int) -> tuple[int, ...] | None:
    """Shape of a value that does not depend on the image; each is looked at once, however many read it."""
    if value not in found:
        found[value] = _computed_shape(value, found, depth) if depth else None
    return found[value]


def _computed_shape(value: ir.Value | None, found: _Shapes, depth: int) -> tuple[int, ...] | None:
    stored = stored_shape(value)
    producer = value.producer() if value is not None else None
    if stored is not None or producer is None:
        return stored
    operator = operator_of(producer)
    first = producer.inputs[0] if producer.inputs else None
    if operator.states_shape is not None:
        target = constant(producer.inputs[operator.states_shape])
        return None if target is None or (target < 1).any() else tuple(int(n) for n in target)
    if operator.axes is Axes.POINTWISE:
        # what is not known is a statistic of what is, as in weights that are standardised
        shapes = [_shape(operand, found, depth - 1) for operand in producer.inputs]
        known = [shape for shape in shapes if shape is not None]
        return np.broadcast_shapes(*known) if known else None
    turned = operator.axes is Axes.TRANSPOSED
    shape = _shape(first, found, depth - 1) if operator.axes in (Axes.FIRST, Axes.MIXED) or turned else None
    if shape is None or not turned:
        return shape
    return tuple(shape[int(i)] for i in attribute(producer, "perm", tuple(reversed(range(len(shape))))))


def channels_last(node: ir.Node) -> bool:
    """Whether a convolution or a pool takes (N, H, W, C).

    Parameters
    ----------
    node : onnx_ir.Node
        The node.

    Returns
    -------
    bool
        Some of onnxruntime's own operators always do, some where an attribute says so.
    """
    return operator_of(node).channels_last or bool(attribute(node, "channels_last", 0))


def kernel_shape(node: ir.Node) -> tuple[int, ...] | None:
    """Spatial extent of a node's window.

    Parameters
    ----------
    node : onnx_ir.Node
        A convolution or a pool.

    Returns
    -------
    tuple of int or None
        None where neither the attribute nor the weights tell.
    """
    listed = attribute(node, "kernel_shape", None)
    if listed is not None:
        return tuple(int(n) for n in listed)
    shape = weight_shape(node) if operator_of(node).compute is Compute.CONVOLUTION else None
    return None if shape is None else shape[2:]


def begin_pads(
    node: ir.Node, axis: int, kernel: int, dilation: int, stride: int, lengths: tuple[int, int]
) -> int:
    """Work out the padding before the first cell along one axis, as onnxruntime does.

    Parameters
    ----------
    node : onnx_ir.Node
        A convolution or a pool over two spatial axes.
    axis : int
        0 vertical, 1 horizontal.
    kernel, dilation, stride : int
        Taps of the window, their distance, and the distance of windows.
    lengths : (int, int)
        Cells along the axis before and after.

    Returns
    -------
    int
        In cells of the operand, negative where cells are skipped; for a transposed convolution, cells cut
        off the result.
    """
    before, after = lengths
    mode = attribute(node, "auto_pad", "NOTSET")
    operator = operator_of(node)
    if operator.places is Places.SPREAD:
        if mode in ("SAME_UPPER", "SAME_LOWER") or "output_shape" in node.attributes:
            extra = int((attribute(node, "output_padding", None) or (0, 0))[axis])
            total = max(stride * (before - 1) + extra + (kernel - 1) * dilation + 1 - after, 0)
            # ONNX: SAME_UPPER puts the odd one at the end, everything else at the beginning
            return total // 2 if mode == "SAME_UPPER" else total - total // 2
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        # onnxruntime leaves dilation out, and cuts where windows lie further apart than they are wide
        total = ((before + stride - 1) // stride - 1) * stride + kernel - before
        if total < 0 and operator.compute is Compute.CONVOLUTION:
            total += 1
        return int((total + (mode == "SAME_LOWER")) / 2)
    if mode == "VALID":
        return 0
    return int((attribute(node, "pads", None) or (0, 0, 0, 0))[axis])
