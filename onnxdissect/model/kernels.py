"""Windows of convolutions and pools: their shape and how far they reach before the first cell."""

from __future__ import annotations

import onnx_ir as ir

from onnxdissect.model.graph import attribute
from onnxdissect.model.operators import CONVOLUTIONS, COPIES, QUANTISERS

__all__ = ["begin_pads", "kernel_shape", "weight_shape"]

_PASSING = COPIES | QUANTISERS


def weight_shape(node: ir.Node) -> tuple[int, ...] | None:
    """Shape of a convolution's or a product's weights.

    Parameters
    ----------
    node : onnx_ir.Node
        A node whose weights are stored in the file, quantised or not.

    Returns
    -------
    tuple of int or None
        None where they are computed.
    """
    value = node.inputs[3 if node.op_type.startswith("QLinear") else 1]
    while value is not None:
        producer = value.producer()
        if value.is_initializer() and value.const_value is not None:
            return tuple(value.const_value.shape.numpy())
        if producer is None:
            return None
        if producer.op_type == "Constant":
            tensor = attribute(producer, "value", None)
            return None if tensor is None else tuple(tensor.shape.numpy())
        if producer.op_type not in _PASSING:
            return None
        value = producer.inputs[0]
    return None


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
    shape = weight_shape(node) if node.op_type in CONVOLUTIONS else None
    return None if shape is None else shape[2:]


def begin_pads(node: ir.Node, axis: int, taps: int, stride: int, before: int, after: int) -> int:
    """Work out the padding before the first cell along one axis.

    Parameters
    ----------
    node : onnx_ir.Node
        A convolution or a pool over two spatial axes.
    axis : int
        0 vertical, 1 horizontal.
    taps : int
        Extent of the window, dilation included.
    stride : int
        Its stride.
    before, after : int
        Cells along the axis before and after.

    Returns
    -------
    int
        In cells of the operand; for a transposed convolution, cells cut off the result.
    """
    transposed = node.op_type == "ConvTranspose"
    pads = attribute(node, "pads", (0, 0, 0, 0))
    mode = attribute(node, "auto_pad", "NOTSET")
    if transposed and "output_shape" in node.attributes:
        extra = int(attribute(node, "output_padding", (0, 0))[axis])
        total = max(stride * (before - 1) + extra + taps - after, 0)
        # ONNX: SAME_UPPER puts the odd one at the end, everything else at the beginning
        return total // 2 if mode == "SAME_UPPER" else total - total // 2
    if mode in ("NOTSET", ""):
        return int(pads[axis])
    if mode == "VALID":
        return 0
    if transposed:
        extra = int(attribute(node, "output_padding", (0, 0))[axis])
        total = max(stride * (before - 1) + extra + taps - after, 0)
    else:
        total = max((after - 1) * stride + taps - before, 0)
    return total // 2 if mode == "SAME_UPPER" else total - total // 2
