"""Preprocessing that a graph does itself, read off its first operators."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.model.graph import attribute, constant, users_of_pixels
from onnxdissect.model.layers.records import ImageInput
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Pixels
from onnxdissect.model.preprocessing.channelwise import Affine, Channels, axis_behind, rejoin

__all__ = ["pixels_inside"]

_PASSED = (Pixels.PASSED, Pixels.FRAMED, Pixels.RESIZED, Pixels.UNLISTED)
_DEPTH = 32
"""Operators looked at before giving up; exporters put a handful there."""


def pixels_inside(graph: ir.Graph, image: ImageInput) -> str | None:
    """Tell which pixels a graph takes that normalises them itself.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    image : ImageInput
        Its image input.

    Returns
    -------
    str or None
        The preset "raw" for 0..255, or "unit" for 0..1; None where the first operators do not tell.
    """
    value: ir.Value | None = next((v for v in graph.inputs if v.name == image.name), None)
    affine: Affine = (np.ones(1), np.zeros(1))
    axis: int | None = image.layout.index("C")
    touched = False
    for _ in range(_DEPTH):
        users = [] if value is None else users_of_pixels(value)
        if value is None or not users:
            break
        means = operator_of(users[0]).pixels
        apart = len(users) > 1 or (means is Pixels.SPLIT and len(users[0].outputs) > 1)
        node = None if apart or not users[0].outputs else users[0]
        if node is not None and (means in _PASSED or _takes_one_picture(node, means)):
            value, axis = node.outputs[0], axis_behind(node, axis)
            continue
        step = None if node is None else _STEPS.get(means)
        after = None if step is None or node is None else step(node, value, affine)
        if after is not None and node is not None:
            value, affine, touched = node.outputs[0], after, True
            continue
        if image.channels == 1:
            break
        factor, summand = (np.broadcast_to(numbers, image.channels) for numbers in affine)
        together = rejoin(value, Channels(factor, summand, axis))
        if together is None:
            break
        value, axis = together[0], together[1].axis
        # another order alone is no normalisation
        touched |= sorted(together[1].factor) != sorted(factor) or sorted(together[1].summand) != sorted(
            summand
        )
        affine = together[1].factor, together[1].summand
    return _preset(affine) if touched else None


def _takes_one_picture(node: ir.Node, means: Pixels) -> bool:
    """Whether a graph for one picture takes it out of its batch."""
    if means is Pixels.SLICED:
        axes = [constant(operand) for operand in node.inputs[1:4]]
        return len(axes) == 3 and all(a is not None and a.size == 1 for a in axes) and _first(axes)
    taken = means in (Pixels.TAKEN, Pixels.LISTED) or (means is Pixels.SPLIT and len(node.outputs) == 1)
    return taken and int(attribute(node, "axis", 0)) == 0


def _first(span: list[NDArray[np.generic] | None]) -> bool:
    start, stop, axis = (int(np.asarray(number).item()) for number in span)
    return (start, stop, axis) == (0, 1, 0)


def _clipped(node: ir.Node, value: ir.Value, affine: Affine) -> Affine | None:
    """Pass over bounds that hold all pixels there are."""
    bounds = [constant(operand) for operand in node.inputs[1:3]]
    if len(bounds) < 2 or any(bound is None or bound.size != 1 for bound in bounds):
        return None
    low, high = (float(np.asarray(bound).item()) for bound in bounds)
    return affine if low <= 0 and high >= 1 else None


def _convolved(node: ir.Node, value: ir.Value, affine: Affine) -> Affine | None:
    """Take a convolution of single pixels that keeps the channels apart as a factor and a summand."""
    weight = constant(node.inputs[1])
    if weight is None or weight.ndim != 4 or weight.shape[2:] != (1, 1) or weight.shape[0] != 3:
        return None
    kernel = np.asarray(weight, np.float64)[:, :, 0, 0]
    if kernel.shape[1] == 3 and np.count_nonzero(kernel - np.diag(np.diag(kernel))):
        return None
    by = np.diag(kernel) if kernel.shape[1] == 3 else kernel[:, 0]
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(3)
    if bias is None:
        return None
    return affine[0] * by, affine[1] * by + np.asarray(bias, np.float64).ravel()


def _preset(affine: Affine) -> str | None:
    """Tell the range whose pixels come out around zero."""
    factor, summand = affine
    if not np.all(factor):
        return None
    mean, spread = (float(np.mean(numbers)) for numbers in np.broadcast_arrays(-summand / factor, 1 / factor))
    if mean > 2 or spread > 2:
        return "raw"
    if 0.3 <= mean <= 0.7 and 0.15 <= spread <= 0.6:
        return "unit"
    return None


def _binary(node: ir.Node, value: ir.Value) -> tuple[NDArray[np.float64], bool] | None:
    """Give the constant operand, and whether the value comes first."""
    first = node.inputs[0] is value
    other = node.inputs[1] if first else node.inputs[0]
    numbers = constant(other)
    if numbers is None or numbers.size not in (1, 3) or numbers.dtype.kind not in "iuf":
        return None
    return numbers.astype(np.float64).ravel(), first


def _scaled(node: ir.Node, value: ir.Value, affine: Affine) -> Affine | None:
    found = _binary(node, value)
    return None if found is None else (affine[0] * found[0], affine[1] * found[0])


def _divided(node: ir.Node, value: ir.Value, affine: Affine) -> Affine | None:
    found = _binary(node, value)
    if found is None or not found[1] or not np.all(found[0]):
        return None
    # times the inverse, as a factor is taken
    by = 1 / found[0]
    return affine[0] * by, affine[1] * by


def _shifted(node: ir.Node, value: ir.Value, affine: Affine) -> Affine | None:
    found = _binary(node, value)
    return None if found is None else (affine[0], affine[1] + found[0])


def _subtracted(node: ir.Node, value: ir.Value, affine: Affine) -> Affine | None:
    found = _binary(node, value)
    return None if found is None or not found[1] else (affine[0], affine[1] - found[0])


def _normalised(node: ir.Node, value: ir.Value, affine: Affine) -> Affine | None:
    stored = [constant(operand) for operand in node.inputs[1:5]]
    if len(stored) != 4 or any(numbers is None or numbers.size not in (1, 3) for numbers in stored):
        return None
    scale, bias, mean, variance = (np.asarray(numbers, np.float64).ravel() for numbers in stored)
    by = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    return affine[0] * by, (affine[1] - mean) * by + bias


_STEPS: dict[Pixels, Callable[[ir.Node, ir.Value, Affine], Affine | None]] = {
    Pixels.CLIPPED: _clipped,
    Pixels.CONVOLVED: _convolved,
    Pixels.DIVIDED: _divided,
    Pixels.NORMALISED: _normalised,
    Pixels.SCALED: _scaled,
    Pixels.SHIFTED: _shifted,
    Pixels.SUBTRACTED: _subtracted,
}
