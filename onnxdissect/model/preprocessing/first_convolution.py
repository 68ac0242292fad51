"""Which axis of an input the network's first convolution reads as its channels."""

from __future__ import annotations

import onnx_ir as ir

from onnxdissect.model.graph import attribute, constant, users_of_pixels
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes, Compute, Numbers, Pixels
from onnxdissect.model.receptive_field.window_shape import channels_last, weight_shape

__all__ = ["trace_channels"]

_PREPARING = (Pixels.CLIPPED, Pixels.NORMALISED, Pixels.RESIZED)
_ONES = (Axes.SQUEEZED, Axes.UNSQUEEZED)

_DEPTH = 64


def trace_channels(image: ir.Value, rank: int) -> tuple[int, int] | None:
    """Read the channel axis of an input off the first convolution.

    Parameters
    ----------
    image : onnx_ir.Value
        The input.
    rank : int
        How many axes it has.

    Returns
    -------
    axis, channels : int
        None where no convolution over two axes is reached, or it reads something else as channels than one
        of the input's axes.
    """
    axes: list[int | None] = list(range(rank))
    value = image
    for _ in range(_DEPTH):
        users = users_of_pixels(value)
        conv = next((n for n in users if _convolves(n) and n.inputs[0] is value), None)
        if conv is not None:
            shape = weight_shape(conv)
            if shape is None or len(axes) != 4:
                return None
            axis = axes[3 if channels_last(conv) else 1]
            return None if axis is None else (axis, shape[1] * int(attribute(conv, "group", 1)))
        following = next((n for n in users if _comes_before(n)), None)
        if following is None or not following.outputs:
            return None
        moved = _behind(following, axes)
        if moved is None:
            return None
        axes = moved
        value = following.outputs[0]
    return None


def _convolves(node: ir.Node) -> bool:
    return operator_of(node).compute is Compute.CONVOLUTION


def _comes_before(node: ir.Node) -> bool:
    """Whether exporters put an operator between the image and its first convolution."""
    operator = operator_of(node)
    scales = operator.repeats or operator.numbers is Numbers.LINEAR
    return scales or operator.pixels in _PREPARING or operator.axes in _ONES


def _behind(node: ir.Node, axes: list[int | None]) -> list[int | None] | None:
    """Which axis of the input each axis of an operator's result is; None for added ones."""
    rule = operator_of(node).axes
    if rule is Axes.TRANSPOSED:
        perm = attribute(node, "perm", tuple(reversed(range(len(axes)))))
        return [axes[int(i)] for i in perm] if len(perm) == len(axes) else None
    if rule not in _ONES:
        return axes
    listed = attribute(node, "axes", None)
    if listed is None:
        stored = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        listed = () if stored is None else tuple(stored.ravel())
    rank = len(axes) + (len(listed) if rule is Axes.UNSQUEEZED else 0)
    chosen = {int(i) % rank for i in listed} if rank else set()
    if not chosen:
        return None
    if rule is Axes.SQUEEZED:
        return [axis for i, axis in enumerate(axes) if i not in chosen]
    rest = iter(axes)
    return [None if i in chosen else next(rest) for i in range(rank)]
