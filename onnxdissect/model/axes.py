"""What each axis of each value means: batch, channels, height, width, followed through the graph.

An axis is written as one letter: ``N``, ``C``, ``H``, ``W``; ``c`` for a part of the channels (a group);
``?`` for anything else. A convolutional network exported from a channels-last framework is a mixture, so
the answer belongs to the value, not to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of
from onnxdissect.model.layers import ImageInput
from onnxdissect.model.operators import (
    FIRST_INPUT,
    MATRIX_PRODUCTS,
    POINTWISE,
    REDUCTIONS,
    RESHAPES,
    SPATIAL,
)
from onnxdissect.model.probe import Probe

__all__ = ["follow_axes", "reduced_axes"]


def follow_axes(graph: ir.Graph, image: ImageInput, probe: Probe) -> dict[str, str]:
    """Name the axes of every value that can be named.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    image : ImageInput
        Its image input.
    probe : Probe
        Shapes of its values.

    Returns
    -------
    dict of str to str
        One letter per axis; values missing from it come from operators that are not followed.
    """
    axes = {image.name: image.layout}
    for node in graph:
        if node.domain not in ("", "ai.onnx", "com.microsoft"):
            continue
        found = _node_axes(node, axes, probe)
        if found is None:
            continue
        for value in _tensor_outputs(node):
            name = name_of(value)
            if name in probe.shapes and len(probe.shapes[name]) == len(found):
                axes[name] = found
    return axes


def _tensor_outputs(node: ir.Node) -> Sequence[ir.Value]:
    return node.outputs if node.op_type == "Split" else node.outputs[:1]


def _node_axes(node: ir.Node, axes: dict[str, str], probe: Probe) -> str | None:
    op = node.op_type
    operands = [name_of(value) for value in node.inputs if value is not None and value.name in axes]
    if not operands:
        return None
    first = name_of(node.inputs[0]) if node.inputs[0] is not None else ""
    out = probe.shapes.get(name_of(node.outputs[0]))
    if out is None:
        return None
    if op in POINTWISE:
        return _broadcast([(axes[name], probe.shapes[name]) for name in operands], out)
    if op == "Concat":
        return _agree([axes[name] for name in operands])
    if op in MATRIX_PRODUCTS:
        return _product(node, axes, first)
    if first not in axes:
        return None
    source = axes[first]
    if op in FIRST_INPUT or op == "Split":
        return source
    handler = _HANDLERS.get(op)
    if handler is not None:
        return handler(node, source, probe)
    if op in SPATIAL:
        # on anything but (N, C, H, W) the operator mixes axes that we know with ones that we do not
        return "NCHW" if source in ("NCHW", "N?HW", "NcHW") else None
    if op in RESHAPES:
        return _regroup(source, probe.shapes[first], out)
    return None


def _transpose(node: ir.Node, source: str, probe: Probe) -> str | None:
    perm = attribute(node, "perm", tuple(reversed(range(len(source)))))
    return "".join(source[int(i)] for i in perm)


def _reduce(node: ir.Node, source: str, probe: Probe) -> str | None:
    axes = reduced_axes(node, len(source), probe)
    if axes is None:
        return None
    if attribute(node, "keepdims", 1):
        # one cell of all is still a map; one image of all, or one unit, is not
        return "".join("?" if i in axes and letter not in "HW" else letter for i, letter in enumerate(source))
    return "".join(letter for i, letter in enumerate(source) if i not in axes)


def _gather(node: ir.Node, source: str, probe: Probe) -> str | None:
    axis = int(attribute(node, "axis", 0)) % len(source)
    rank = len(probe.shapes.get(name_of(node.outputs[0]), ())) - len(source) + 1
    return source[:axis] + (source[axis] if rank == 1 else "?" * rank) + source[axis + 1 :]


_HANDLERS: dict[str, Callable[[ir.Node, str, Probe], str | None]] = {
    "Transpose": _transpose,
    "Gather": _gather,
    **dict.fromkeys(REDUCTIONS, _reduce),
}


def reduced_axes(node: ir.Node, rank: int, probe: Probe) -> frozenset[int] | None:
    """Axes that a reduction sums over.

    Parameters
    ----------
    node : onnx_ir.Node
        A Reduce or Arg node.
    rank : int
        Rank of its input.
    probe : Probe
        Numbers of computed axes.

    Returns
    -------
    frozenset of int or None
        None where it cannot be told.
    """
    if node.op_type.startswith("Arg"):
        return frozenset({int(attribute(node, "axis", 0)) % rank})
    listed = attribute(node, "axes", None)
    if listed is None and len(node.inputs) > 1 and node.inputs[1] is not None:
        numbers = probe.number(node, 1)
        if numbers is None:
            return None
        listed = tuple(numbers.tolist())
    if not listed:
        return frozenset() if attribute(node, "noop_with_empty_axes", 0) else frozenset(range(rank))
    return frozenset(int(a) % rank for a in listed)


def _broadcast(operands: list[tuple[str, tuple[int, ...]]], out: tuple[int, ...]) -> str:
    letters = []
    for i, length in enumerate(out):
        seen = []
        for names, shape in operands:
            j = i - (len(out) - len(shape))
            # an axis of one that is stretched says nothing about where things are
            if j >= 0 and (shape[j] == length):
                seen.append(names[j])
        letters.append(_agree_one(seen))
    return "".join(letters)


def _agree(named: list[str]) -> str | None:
    if len({len(names) for names in named}) != 1:
        return None
    return "".join(_agree_one(list(letters)) for letters in zip(*named, strict=True))


def _agree_one(letters: list[str]) -> str:
    known = {letter for letter in letters if letter != "?"}
    return known.pop() if len(known) == 1 else "?"


def _product(node: ir.Node, axes: dict[str, str], first: str) -> str | None:
    if first not in axes:
        return None
    source = axes[first]
    right = node.inputs[3 if node.op_type == "QLinearMatMul" else 1]
    if attribute(node, "transA", 0) or (right is not None and right.name in axes):
        return None
    return source[:-1] + ("C" if source[-1] in "Cc" else "?")


def _regroup(source: str, shape: tuple[int, ...], out: tuple[int, ...]) -> str | None:
    """Axes after a reshape: those that it leaves whole keep their meaning."""
    if prod(shape) != prod(out) or 0 in shape:
        return None
    letters: list[str] = []
    i = 0
    while len(letters) < len(out):
        j = len(letters)
        start, have, want = i, 1, out[j]
        end = j + 1
        if i < len(shape):
            have, i = shape[i], i + 1
        while have != want:
            if have < want:
                have, i = have * shape[i], i + 1
            else:
                want, end = want * out[end], end + 1
        letters.extend(_regroup_one(source[start:i], shape[start:i], out[j:end]))
    return "".join(letters)


def _regroup_one(names: str, shape: tuple[int, ...], out: tuple[int, ...]) -> list[str]:
    real = [name for name, length in zip(names, shape, strict=True) if length > 1] or list(names[:1])
    wide = [i for i, length in enumerate(out) if length > 1] or [0]
    letters = ["?"] * len(out)
    if not real:
        return letters
    if all(name in "Cc" for name in real):
        # groups of channels (a shuffle) become channels again when they are merged
        whole = len(wide) == 1 and (len(real) > 1 or real == ["C"])
        for i in wide:
            letters[i] = "C" if whole else "c"
    elif len(real) == 1 and len(wide) == 1:
        letters[wide[0]] = real[0]
    return letters
