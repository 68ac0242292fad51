"""Normalisations that a graph does channel by channel: taken apart, each scaled and shifted, put together.

Split, Gather and Slice along the channels take them apart, Concat puts them together, perhaps in another
order. In between each channel is scaled and shifted by numbers that the file stores.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.model.graph import attribute, constant, users_of_pixels
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes, Pixels

__all__ = ["Affine", "Channels", "axis_behind", "rejoin"]

Affine = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Factor and summand per channel, or one for all."""

_CHANNELS = 3
_WIDEST = 64
"""Operators between taking channels apart and having them together again."""


@dataclass(frozen=True, slots=True)
class Channels:
    """Some channels of the image, each scaled and shifted.

    Attributes
    ----------
    factor, summand : ndarray of float64
        One per channel.
    axis : int or None
        Along which they lie; None for one channel whose axis was taken away.
    origin : ndarray of int64
        Which channel of the image each one is.
    """

    factor: NDArray[np.float64]
    summand: NDArray[np.float64]
    axis: int | None
    origin: NDArray[np.int64]

    def picked(self, which: NDArray[np.integer] | list[int]) -> Channels:
        """Take some of the channels, in the order given."""
        factor, summand, origin = self.factor[which], self.summand[which], self.origin[which]
        return Channels(factor, summand, self.axis, origin)


def axis_behind(node: ir.Node, axis: int | None) -> int | None:
    """Follow the channel axis through an operator that leaves pixels as they are.

    Parameters
    ----------
    node : onnx_ir.Node
        The operator.
    axis : int or None
        The axis in its operand.

    Returns
    -------
    int or None
        The axis in its result; None where there is none any more, or it cannot be told.
    """
    if axis is None:
        return None
    operator = operator_of(node)
    if operator.axes is Axes.TRANSPOSED:
        perm = attribute(node, "perm", None)
        return None if perm is None else [int(p) for p in perm].index(axis)
    if operator.axes in (Axes.SQUEEZED, Axes.UNSQUEEZED):
        listed = _axes(node)
        if listed is None or any(one < 0 for one in listed):
            return None
        if operator.axes is Axes.SQUEEZED:
            return None if axis in listed else axis - sum(one < axis for one in listed)
        for one in sorted(listed):
            axis += one <= axis
        return axis
    if operator.axes is Axes.GATHERED:
        indices = constant(node.inputs[1])
        return None if indices is None else axis - 1 + indices.ndim
    listed_one_by_one = not attribute(node, "keepdims", 1) and len(node.inputs) < 2
    if operator.pixels is Pixels.LISTED and listed_one_by_one:
        return axis - 1
    return axis


def rejoin(value: ir.Value, before: Channels) -> tuple[ir.Value, Channels] | None:
    """Follow channels that are taken apart to where they are together again.

    Parameters
    ----------
    value : onnx_ir.Value
        All channels.
    before : Channels
        What was done to them so far.

    Returns
    -------
    (onnx_ir.Value, Channels) or None
        The value through which all that is computed from `value` goes, and what was done until there; None
        where there is none, or something else than scaling, shifting and reordering happens on the way.
    """
    graph = value.graph
    if graph is None or before.axis is None or len(before.factor) != _CHANNELS:
        return None
    known = {value: before}
    waiting = set(users_of_pixels(value))
    for _ in range(_WIDEST):
        ready = [node for node in waiting if _complete(node, known)]
        if not ready:
            return None
        node = ready[0]
        waiting.discard(node)
        rule = _RULES.get(operator_of(node).pixels)
        found = None if rule is None else rule(node, known)
        if found is None:
            return None
        for out, channels in zip(node.outputs, found, strict=True):
            users = set(users_of_pixels(out))
            if not waiting and len(node.outputs) == 1 and _joins_all(channels):
                return out, channels
            known[out] = channels
            waiting |= users
    return None


def _joins_all(channels: Channels) -> bool:
    return channels.axis is not None and len(channels.factor) == _CHANNELS


def _complete(node: ir.Node, known: Collection[ir.Value]) -> bool:
    """Whether all operands that a node computes from are known or stored."""
    return all(v is None or v in known or constant(v) is not None for v in node.inputs)


_Rule = Callable[[ir.Node, dict[ir.Value, Channels]], list[Channels] | None]


def _first(node: ir.Node, known: dict[ir.Value, Channels]) -> Channels | None:
    operand = node.inputs[0]
    return None if operand is None else known.get(operand)


def _axes(node: ir.Node) -> list[int] | None:
    listed = attribute(node, "axes", None)
    if listed is None and len(node.inputs) > 1:
        stored = constant(node.inputs[1])
        listed = None if stored is None else stored.ravel()
    return None if listed is None else [int(one) for one in listed]


def _kept(node: ir.Node, known: dict[ir.Value, Channels]) -> list[Channels] | None:
    source, axes = _first(node, known), operator_of(node).axes
    if source is None:
        return None
    if source.axis is not None:
        moved = axis_behind(node, source.axis)
        gone = axes is Axes.SQUEEZED and source.axis in (_axes(node) or ())
        return (
            [replace(source, axis=moved)] if moved is not None or (gone and len(source.factor) == 1) else None
        )
    listed = _axes(node) if axes is Axes.UNSQUEEZED else None
    if listed is not None:
        # the one channel gets an axis again
        return [replace(source, axis=listed[0])] if len(listed) == 1 and listed[0] >= 0 else None
    return [source] if axes not in (Axes.SQUEEZED, Axes.TRANSPOSED) else None


def _split(node: ir.Node, known: dict[ir.Value, Channels]) -> list[Channels] | None:
    source = _first(node, known)
    if source is None or source.axis is None or int(attribute(node, "axis", 0)) != source.axis:
        return None
    count, parts = len(source.factor), len(node.outputs)
    lengths = attribute(node, "split", None)
    if lengths is None and len(node.inputs) > 1:
        stored = constant(node.inputs[1])
        lengths = None if stored is None else stored.ravel()
    lengths = [count // parts] * parts if lengths is None else [int(n) for n in lengths]
    if sum(lengths) != count:
        return None
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return [source.picked(list(range(a, b))) for a, b in pairwise(starts)]


def _gather(node: ir.Node, known: dict[ir.Value, Channels]) -> list[Channels] | None:
    source, indices = _first(node, known), constant(node.inputs[1])
    if source is None or indices is None or indices.ndim > 1 or source.axis is None:
        return None
    if int(attribute(node, "axis", 0)) != source.axis:
        return None
    picked = source.picked(indices.ravel().astype(np.int64))
    return [replace(picked, axis=None) if indices.ndim == 0 else picked]


def _slice(node: ir.Node, known: dict[ir.Value, Channels]) -> list[Channels] | None:
    source = _first(node, known)
    if source is None or source.axis is None:
        return None
    if "starts" in node.attributes:
        starts, ends, axes = (attribute(node, name, None) for name in ("starts", "ends", "axes"))
        steps = None
    else:
        starts, ends, axes, steps = (
            constant(node.inputs[i]) if i < len(node.inputs) else None for i in (1, 2, 3, 4)
        )
    if starts is None or ends is None or axes is None or [int(a) for a in axes] != [source.axis]:
        return None
    step = 1 if steps is None else int(steps[0])
    # going backwards, an end before the first cell is written as a large negative number
    end: int | None = int(ends[0])
    if step < 0 and int(ends[0]) < -len(source.factor):
        end = None
    return [source.picked(np.arange(len(source.factor))[int(starts[0]) : end : step])]


def _joined(node: ir.Node, known: dict[ir.Value, Channels]) -> list[Channels] | None:
    parts = [known.get(operand) for operand in node.inputs if operand is not None]
    axis = int(attribute(node, "axis", 0))
    if any(part is None or part.axis != axis for part in parts):
        return None
    whole = [part for part in parts if part is not None]
    factor, summand, origin = (
        np.concatenate([getattr(part, name) for part in whole]) for name in ("factor", "summand", "origin")
    )
    return [Channels(factor, summand, axis, origin)]


def _arithmetic(node: ir.Node, known: dict[ir.Value, Channels]) -> list[Channels] | None:
    first, second = node.inputs
    left, right = (None if operand is None else known.get(operand) for operand in (first, second))
    source, numbers = (left, constant(second)) if left is not None else (right, constant(first))
    if source is None or numbers is None or numbers.dtype.kind not in "iuf":
        return None
    if numbers.size not in (1, len(source.factor)):
        return None
    by = numbers.astype(np.float64).ravel()
    means, backwards = operator_of(node).pixels, left is None
    divides, subtracts = means is Pixels.DIVIDED, means is Pixels.SUBTRACTED
    if divides and (backwards or not np.all(by)):
        return None
    if divides or means is Pixels.SCALED:
        by = 1 / by if divides else by
        return [replace(source, factor=source.factor * by, summand=source.summand * by)]
    sign = -1.0 if subtracts and backwards else 1.0
    shift = -by if subtracts and not backwards else by
    return [replace(source, factor=sign * source.factor, summand=sign * source.summand + shift)]


_RULES: dict[Pixels, _Rule] = {
    Pixels.DIVIDED: _arithmetic,
    Pixels.JOINED: _joined,
    Pixels.PASSED: _kept,
    Pixels.SCALED: _arithmetic,
    Pixels.SHIFTED: _arithmetic,
    Pixels.SLICED: _slice,
    Pixels.SPLIT: _split,
    Pixels.SUBTRACTED: _arithmetic,
    Pixels.TAKEN: _gather,
}
