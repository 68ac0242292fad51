"""Operators that look through a window: convolutions, pools, and both the other way round."""

from __future__ import annotations

from onnxdissect.model.graph import attribute
from onnxdissect.model.layout.tokens import token_taps
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.receptive_field.axis_geometry import AxisGeometry, Lengths, Position, Step, Unplaced
from onnxdissect.model.receptive_field.window_shape import begin_pads, kernel_shape

__all__ = ["along_tokens", "slide", "spread", "whole_axis"]


def slide(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a convolution or a pool.

    Parameters
    ----------
    step : Step
        The operator.
    axis : int
        0 vertical, 1 horizontal.
    at : AxisGeometry
        Its operand.
    lengths : (int, int)
        Cells before and after.

    Returns
    -------
    Position
    """
    kernel = kernel_shape(step.node)
    if kernel is None or len(kernel) != 2:
        return Unplaced.UNKNOWN
    own = step.spatial(axis)
    stride, dilation = _pair(step, "strides")[own], _pair(step, "dilations")[own]
    taps = (kernel[own] - 1) * dilation + 1
    begin = begin_pads(step.node, own, kernel[own], dilation, stride, lengths)
    return at.windowed(taps, stride, begin)


def along_tokens(step: Step, axis: int, at: AxisGeometry) -> Position:
    """Place the results of a convolution along a row of tokens, which goes on with the next row of the map.

    Parameters
    ----------
    step : Step
        The operator.
    axis : int
        0 vertical, 1 horizontal.
    at : AxisGeometry
        Its operand.

    Returns
    -------
    Position
        What a cell sees is of no known size, for it differs at the ends of rows.
    """
    taps = token_taps(step.node)
    if taps is None:
        return Unplaced.UNKNOWN
    begin, reach = taps
    if reach == 0 or axis == 0:
        return at if reach == 0 else at.unbounded
    before, after = step.beside
    return at.resampled(after - before - begin + reach / 2, 1).unbounded


def spread(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the results of a transposed convolution, or of an unpooling.

    Result ``o`` hears operand ``i`` where ``o = i * stride + tap - begin`` for one of the taps, so
    neighbouring results hear different ones: the centre is their mean, the size that of the largest.

    Parameters
    ----------
    step : Step
        The operator.
    axis : int
        0 vertical, 1 horizontal.
    at : AxisGeometry
        Its operand.
    lengths : (int, int)
        Cells before and after.

    Returns
    -------
    Position
    """
    kernel = kernel_shape(step.node)
    if kernel is None or len(kernel) != 2:
        return Unplaced.UNKNOWN
    own = step.spatial(axis)
    stride, dilation = _pair(step, "strides")[own], _pair(step, "dilations")[own]
    stated = operator_of(step.node).states_pads
    if stated is not None:
        pads = step.probe.number(step.node, stated)
        if pads is None:
            return Unplaced.UNKNOWN
        begin = int(pads[own])
    else:
        begin = begin_pads(step.node, own, kernel[own], dilation, stride, lengths)
    taps = [i * dilation for i in range(kernel[own])]
    heard: dict[int, list[int]] = {}
    for tap in taps:
        heard.setdefault(tap % stride, []).append(tap)
    widest = max((tap[-1] - tap[0]) // stride + 1 for tap in heard.values())
    return at.resampled((begin - taps[-1] / 2) / stride, 1 / stride, widest)


def whole_axis(step: Step, axis: int, at: AxisGeometry, lengths: Lengths) -> Position:
    """Place the result of a pool over everything: it has no place.

    Parameters
    ----------
    step : Step
        The operator.
    axis : int
        0 vertical, 1 horizontal.
    at : AxisGeometry
        Its operand.
    lengths : (int, int)
        Cells before and after.

    Returns
    -------
    Position
    """
    return Unplaced.UNIFORM


def _pair(step: Step, name: str) -> tuple[int, int]:
    found = attribute(step.node, name, None) or (1, 1)
    return int(found[0]), int(found[1])
