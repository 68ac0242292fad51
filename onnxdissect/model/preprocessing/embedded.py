"""Preprocessing that a graph does itself, read off its first operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.model.graph import attribute, constant, users_of_pixels
from onnxdissect.model.layers.records import ImageInput
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Pixels
from onnxdissect.model.preprocessing.channelwise import Affine, Channels, axis_behind, rejoin
from onnxdissect.model.preprocessing.presets import numbers
from onnxdissect.model.preprocessing.trained_ranges import preset_before, preset_within

__all__ = ["PreprocessingInside", "preprocessing_inside"]

Bounds = tuple[float, float]
"""The lowest and the highest value that is left."""

_PASSED = (Pixels.PASSED, Pixels.FRAMED, Pixels.RESIZED, Pixels.UNLISTED)
_DEPTH = 32
"""Operators looked at before giving up; exporters put a handful there."""


@dataclass(frozen=True, slots=True)
class PreprocessingInside:
    """What a graph does to its pixels itself.

    Attributes
    ----------
    preset : str or None
        The preset whose pixels it takes; None where its numbers fit none.
    channels : str
        Their order, "rgb" or "bgr", as far as the numbers of the channels tell; "rgb" where they do not.
    formula : str
        What it computes, such as ``x * 2 + 0.5``.
    """

    preset: str | None
    channels: str
    formula: str


def preprocessing_inside(graph: ir.Graph, image: ImageInput) -> PreprocessingInside | None:
    """Tell which pixels a graph takes that scales and shifts them itself.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    image : ImageInput
        Its image input.

    Returns
    -------
    PreprocessingInside or None
        None where the graph leaves its pixels as they are.
    """
    value: ir.Value | None = next((v for v in graph.inputs if v.name == image.name), None)
    affine: Affine = (np.ones(1), np.zeros(1))
    origin = np.arange(image.channels)
    bounds: Bounds | None = None
    axis: int | None = image.layout.index("C")
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
        if node is not None and means is Pixels.CLIPPED:
            bounds = bounds or _bounds(node, affine)
            value = node.outputs[0]
            continue
        step = None if node is None else _STEPS.get(means)
        after = None if step is None or node is None else step(node, value, affine)
        if after is not None and node is not None:
            value, affine = node.outputs[0], after
            continue
        if image.channels == 1:
            break
        factor, summand = (np.broadcast_to(numbers, image.channels) for numbers in affine)
        together = rejoin(value, Channels(factor, summand, axis, origin))
        if together is None:
            break
        value, channels = together
        axis, affine, origin = channels.axis, (channels.factor, channels.summand), channels.origin
    return _told(affine, origin, bounds, image.channels)


def _told(
    affine: Affine, origin: NDArray[np.int64], bounds: Bounds | None, channels: int
) -> PreprocessingInside | None:
    factor, summand = (np.array(numbers) for numbers in np.broadcast_arrays(*affine))
    untouched = np.allclose(factor, 1) and np.allclose(summand, 0)
    if untouched and bounds is None:
        return None
    formula = _formula(factor, summand)
    found: tuple[str, str] | None = None
    if channels == 1 or factor.size == 1:
        found = preset_before(factor, summand, channels)
    elif sorted(origin) == list(range(channels)):
        # by the image's channels, not in the order that the graph brings them into
        found = preset_before(factor[np.argsort(origin)], summand[np.argsort(origin)], channels)
    if found is None and bounds is not None:
        cut = preset_within(*bounds)
        found = None if cut is None else (cut, "rgb")
        formula = f"bounds of {bounds[0]:g} and {bounds[1]:g}" if untouched else formula
    preset, order = found or (None, "rgb")
    return PreprocessingInside(preset, order, formula)


def _formula(factor: NDArray[np.float64], summand: NDArray[np.float64]) -> str:
    by, add = (
        numbers(tuple(float(f"{n:.4g}") for n in np.atleast_1d(channel))) for channel in (factor, summand)
    )
    return f"x * {by} + {add}" if np.any(summand) else f"x * {by}"


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


def _bounds(node: ir.Node, affine: Affine) -> Bounds | None:
    """Give the bounds of a graph's own clipping, in terms of what it is given."""
    stored = [constant(operand) for operand in node.inputs[1:3]]
    low, high = attribute(node, "min", None), attribute(node, "max", None)
    if len(stored) == 2 and all(bound is not None and bound.size == 1 for bound in stored):
        low, high = (float(np.asarray(bound).item()) for bound in stored)
    factor, summand = (float(np.mean(numbers)) for numbers in affine)
    if low is None or high is None or factor <= 0:
        return None
    return (low - summand) / factor, (high - summand) / factor


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
    Pixels.CONVOLVED: _convolved,
    Pixels.DIVIDED: _divided,
    Pixels.NORMALISED: _normalised,
    Pixels.SCALED: _scaled,
    Pixels.SHIFTED: _shifted,
    Pixels.SUBTRACTED: _subtracted,
}
