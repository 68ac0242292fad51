"""Tokens: the cells of a map in a row, with further tokens before and behind them.

A vision transformer cuts an image into patches, lays the grid of patches out as one axis, row by row, and
puts tokens of its own beside them: a class token, one for distillation, registers. Only the grid has places
in the image, so what is beside it is counted here and left out of the activations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of, stored_shape
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Places
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.receptive_field.window_shape import kernel_shape

__all__ = [
    "Tokens",
    "convolve_tokens",
    "cut_tokens",
    "join_tokens",
    "pad_numbers",
    "slice_numbers",
    "token_taps",
]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What lies along a token axis.

    Attributes
    ----------
    before : int
        Tokens before the grid: class, distillation and register tokens.
    grid : (int, int)
        (h, w) of the patches, row by row.
    after : int
        Tokens behind the grid: prompts, or queries of a detector.
    """

    before: int
    grid: tuple[int, int]
    after: int

    @property
    def cells(self) -> int:
        """Tokens of the grid."""
        return self.grid[0] * self.grid[1]

    @property
    def length(self) -> int:
        """All tokens."""
        return self.before + self.cells + self.after

    def within(self, first: int, last: int) -> Tokens | None:
        """Cut out the tokens from `first` up to `last`; None where that cuts into the grid."""
        if first > self.before or last < self.before + self.cells:
            return None
        return Tokens(self.before - first, self.grid, last - self.before - self.cells)

    def describe(self) -> str:
        """Say it in a few words.

        Returns
        -------
        str
            Such as ``14x14 patches behind 1 token``.
        """
        text = f"{self.grid[0]}x{self.grid[1]} patches"
        beside = [(self.before, "behind"), (self.after, "before")]
        said = [f"{where} {count} token{'s' * (count > 1)}" for count, where in beside if count]
        return f"{text} {' and '.join(said)}" if said else text


def join_tokens(
    parts: Sequence[ir.Value | None], axis: int, length: int, known: dict[str, Tokens], probe: Probe
) -> Tokens | None:
    """Follow a concatenation along the token axis.

    Parameters
    ----------
    parts : sequence of onnx_ir.Value
        The operands.
    axis : int
        Which axis of them holds tokens.
    length : int
        Tokens of the result.
    known : dict of str to Tokens
        What lies along it in those that hold a grid.
    probe : Probe
        Shapes.

    Returns
    -------
    Tokens or None
        None where not exactly one operand holds a grid, or several lengths are not known.
    """
    grids = [name_of(value) for value in parts if value is not None and value.name in known]
    if len(grids) != 1:
        return None
    lengths = []
    for value in parts:
        shape = probe.shapes.get(name_of(value)) if value is not None else None
        shape = shape or stored_shape(_origin(value))
        lengths.append(shape[axis] if shape is not None and axis < len(shape) else 0)
    if lengths.count(0) > 1:
        return None
    # the one that the graph computes from what it stores has the rest
    lengths = [part or length - sum(lengths) for part in lengths]
    place = [value.name if value is not None else None for value in parts].index(grids[0])
    own = known[grids[0]]
    return Tokens(own.before + sum(lengths[:place]), own.grid, own.after + sum(lengths[place + 1 :]))


def _origin(value: ir.Value | None) -> ir.Value | None:
    """Value behind Identity nodes: exporters store equal weights once, and name them again so."""
    while value is not None and (node := value.producer()) is not None and node.op_type == "Identity":
        value = node.inputs[0]
    return value


def cut_tokens(node: ir.Node, index: int, axis: int, tokens: Tokens, probe: Probe) -> Tokens | None:
    """Follow an operator that may take a part of the tokens.

    Parameters
    ----------
    node : onnx_ir.Node
        A Slice, a Split, a Gather or a Pad.
    index : int
        Which of its results.
    axis : int
        Which axis of its operand holds the tokens.
    tokens : Tokens
        What lies along it.
    probe : Probe
        Numbers that say which part.

    Returns
    -------
    Tokens or None
        None where the grid is not whole, or not in its order.
    """
    rank = len(probe.shapes[name_of(node.inputs[0])]) if node.inputs[0] is not None else 0
    places = operator_of(node).places
    if places is Places.SLICE:
        return _slice(node, rank, axis, tokens, probe)
    if places is Places.SPLIT:
        if int(attribute(node, "axis", 0)) % rank != axis:
            return tokens
        lengths = [probe.shapes[name_of(value)][axis] for value in node.outputs if value.name in probe.shapes]
        if len(lengths) != len(node.outputs):
            return None
        first = sum(lengths[:index])
        return tokens.within(first, first + lengths[index])
    if places is Places.GATHER:
        if int(attribute(node, "axis", 0)) % rank != axis:
            return tokens
        listed = probe.number(node, 1)
        if listed is None or listed.ndim != 1 or not listed.size or np.any(np.diff(listed) != 1):
            return None
        first = int(listed[0])
        first += tokens.length if first < 0 else 0
        return tokens.within(first, first + len(listed))
    return _pad(node, axis, tokens, probe)


def slice_numbers(node: ir.Node, rank: int, probe: Probe) -> dict[int, tuple[int, int, int]] | None:
    """Read off which part of which axes a Slice takes.

    Parameters
    ----------
    node : onnx_ir.Node
        A Slice.
    rank : int
        Axes of its operand.
    probe : Probe
        Numbers of computed inputs.

    Returns
    -------
    dict of int to (int, int, int) or None
        By axis: start, end and step, as the node has them. None where they are not known.
    """
    if "starts" in node.attributes:
        starts, ends = attribute(node, "starts", ()), attribute(node, "ends", ())
        listed, steps = attribute(node, "axes", None), (1,) * len(starts)
    else:
        numbers = [probe.number(node, i) for i in (1, 2, 3, 4)]
        if numbers[0] is None or numbers[1] is None:
            return None
        starts, ends = numbers[0].tolist(), numbers[1].tolist()
        listed = None if numbers[2] is None else numbers[2].tolist()
        steps = (1,) * len(starts) if numbers[3] is None else numbers[3].tolist()
    order = list(range(len(starts))) if listed is None else [int(a) % rank for a in listed]
    return {
        axis: (int(start), int(end), int(step))
        for axis, start, end, step in zip(order, starts, ends, steps, strict=True)
    }


def _slice(node: ir.Node, rank: int, axis: int, tokens: Tokens, probe: Probe) -> Tokens | None:
    spans = slice_numbers(node, rank, probe)
    if spans is None:
        return None
    if axis not in spans:
        return tokens
    start, end, step = spans[axis]
    if step != 1:
        return None
    return tokens.within(_bounded(start, tokens.length), _bounded(end, tokens.length))


def _bounded(index: int, length: int) -> int:
    return min(max(index + length if index < 0 else index, 0), length)


def pad_numbers(node: ir.Node, rank: int, probe: Probe) -> dict[int, tuple[int, int]] | None:
    """Read off how many cells a Pad puts before and behind along which axes.

    Parameters
    ----------
    node : onnx_ir.Node
        A Pad.
    rank : int
        Axes of its operand.
    probe : Probe
        Numbers of computed inputs.

    Returns
    -------
    dict of int to (int, int) or None
        By axis; negative where it cuts off. None where they are not known.
    """
    pads = attribute(node, "pads", None)
    if pads is None:
        numbers = probe.number(node, 1)
        pads = None if numbers is None else numbers.ravel().tolist()
    listed = probe.number(node, 3)
    order = list(range(rank)) if listed is None else [int(a) % rank for a in listed.tolist()]
    if pads is None or len(pads) != 2 * len(order):
        return None
    return {axis: (int(pads[i]), int(pads[i + len(order)])) for i, axis in enumerate(order)}


def _pad(node: ir.Node, axis: int, tokens: Tokens, probe: Probe) -> Tokens | None:
    """Count the tokens that a Pad puts before and behind, or cuts off where its numbers are negative."""
    shape = probe.shapes.get(name_of(node.outputs[0]))
    if shape is None or axis >= len(shape):
        return None
    frame = pad_numbers(node, len(shape), probe)
    if frame is None:
        return tokens if shape[axis] == tokens.length else None
    before, after = frame.get(axis, (0, 0))
    # one more before and one less behind keep the length, and shift what lies there
    kept = tokens.within(max(-before, 0), tokens.length - max(-after, 0))
    if kept is None:
        return None
    return Tokens(kept.before + max(before, 0), kept.grid, kept.after + max(after, 0))


def convolve_tokens(node: ir.Node, length: int, tokens: Tokens) -> Tokens | None:
    """Follow a convolution along a row of tokens, one step at a time.

    Parameters
    ----------
    node : onnx_ir.Node
        A convolution of (N, C, T).
    length : int
        Tokens of the result.
    tokens : Tokens
        What lies along its operand.

    Returns
    -------
    Tokens or None
        None where fewer are left than the grid has.
    """
    taps = token_taps(node)
    spare = length - tokens.cells
    if taps is None or spare < 0:
        return None
    begin, reach = taps
    # padded by all that a window lacks, results are those that end at a token, as in `conv(x)[..., :length]`
    first = tokens.before if begin == reach > 0 else tokens.before + begin - reach // 2
    first = min(max(first, 0), spare)
    return Tokens(first, tokens.grid, spare - first)


def token_taps(node: ir.Node) -> tuple[int, int] | None:
    """Tell how a convolution walks along a row of tokens.

    Parameters
    ----------
    node : onnx_ir.Node
        A convolution.

    Returns
    -------
    begin, reach : int
        Tokens that its first window begins before the first token, and the distance of its outer taps. None
        where it has other than one spatial axis, skips tokens, or is transposed.
    """
    kernel = kernel_shape(node)
    if kernel is None or len(kernel) != 1 or operator_of(node).places is Places.SPREAD:
        return None
    if any(int(n) != 1 for n in attribute(node, "strides", ())):
        return None
    dilation = int((attribute(node, "dilations", None) or (1,))[0])
    reach = (kernel[0] - 1) * dilation
    auto = attribute(node, "auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        return (reach // 2 if auto == "SAME_UPPER" else reach - reach // 2), reach
    pads = attribute(node, "pads", None) or (0, 0)
    return (0 if auto == "VALID" else int(pads[0])), reach
