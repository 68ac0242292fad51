"""What each axis of each value means: batch, channels, height, width, followed through the graph.

An axis is written as one letter: ``N``, ``C``, ``H``, ``W``; ``T`` for tokens, that is the cells of a map in
a row and what is put beside them; ``c`` for a part of the channels (a group, a head). Where a map is cut into
blocks, ``h`` and ``w`` are rows and columns within each, ``t`` its cells in a row, and ``x`` cells that were
put together in another order than the picture's. ``?`` is anything else. A convolutional network exported
from a channels-last framework is a mixture, so the answer belongs to the value, not to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from onnxdissect.model.graph import attribute, name_of
from onnxdissect.model.layers.records import ImageInput
from onnxdissect.model.layout.order.digits import CellOrder, Digits
from onnxdissect.model.layout.order.token_order import TokenRows
from onnxdissect.model.layout.order.token_row import TokenRow
from onnxdissect.model.layout.products.contracted import einsum, gather_elements
from onnxdissect.model.layout.products.matrices import (
    agree,
    einsum_axes,
    product_axes,
    product_tokens,
    table_rows,
)
from onnxdissect.model.layout.reduced import reduced_axes
from onnxdissect.model.layout.reshapes.regroup import regroup
from onnxdissect.model.layout.reshapes.undone import Rearrangements
from onnxdissect.model.layout.tokens import Tokens, convolve_tokens, cut_tokens, join_tokens, token_taps
from onnxdissect.model.operators.lookup import is_followed, joined_operands, operator_of
from onnxdissect.model.operators.rules import Axes, Compute, Places
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.receptive_field.crop_pad import gathers_blocks
from onnxdissect.model.receptive_field.window_shape import channels_last, kernel_shape

__all__ = ["AxisLabels", "LayoutOverrides", "follow_axes"]

_CUTS = (Places.GATHER, Places.PAD, Places.SLICE, Places.SPLIT)


@dataclass(frozen=True, slots=True)
class LayoutOverrides:
    """A layout that a person stated.

    Attributes
    ----------
    layout : str
        One letter per axis.
    tokens : Tokens or None
        What lies along the token axis, where there is one.
    """

    layout: str
    tokens: Tokens | None


@dataclass(frozen=True, slots=True)
class AxisLabels:
    """What the axes of values mean.

    Attributes
    ----------
    axes : dict of str to str
        One letter per axis; values missing from it come from operators that are not followed.
    tokens : dict of str to Tokens
        What lies along each token axis.
    reasons : dict of str to str
        What says so, for people.
    restored : dict of str to tuple of str
        Values that take a rearrangement back, and those before it, whose cells they have again.
    orders : dict of str to CellOrder
        Those of them whose cells were put in order again digit by digit.
    rows : dict of str to TokenRow
        Values that have the cells of a row of tokens along an axis, some of them or in another order.
    """

    axes: dict[str, str]
    tokens: dict[str, Tokens]
    reasons: dict[str, str]
    restored: dict[str, tuple[str, ...]] = field(default_factory=dict)
    orders: dict[str, CellOrder] = field(default_factory=dict)
    rows: dict[str, TokenRow] = field(default_factory=dict)


def follow_axes(
    graph: ir.Graph, image: ImageInput, probe: Probe, given: Mapping[str, LayoutOverrides] | None = None
) -> AxisLabels:
    """Name the axes of every value that can be named.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    image : ImageInput
        Its image input.
    probe : Probe
        Shapes of its values.
    given : mapping of str to LayoutOverrides, optional
        Layouts of single values, which are believed, and followed on from there.

    Returns
    -------
    AxisLabels
    """
    stated = given or {}
    known = AxisLabels({image.name: image.layout}, {}, {image.name: "the image input"})
    rearranged, digits, rows = Rearrangements(), Digits(), TokenRows()
    for node in graph:
        _follow(node, known, probe, stated, rearranged)
        if is_followed(node) and node.outputs:
            _put_in_order(node, digits, known, probe, stated)
        known.rows.update(rows.name(node, known.axes, known.tokens, probe, {*stated, *known.restored}))
        for name in map(name_of, node.outputs):
            if name in known.axes:
                digits.start(name, known.axes[name], probe.shapes[name], known.tokens.get(name))
    return known


def _follow(
    node: ir.Node,
    known: AxisLabels,
    probe: Probe,
    stated: Mapping[str, LayoutOverrides],
    rearranged: Rearrangements,
) -> None:
    followable = is_followed(node)
    previous = rearranged.follow(node, probe) if followable else ()
    if previous and name_of(node.outputs[0]) not in stated and _restore(node, previous, known):
        return
    found = _node_axes(node, known, probe) if followable else None
    followed = _tensor_outputs(node)
    for index, value in enumerate(node.outputs):
        name = name_of(value)
        if name in stated:
            known.axes[name], known.reasons[name] = stated[name].layout, "as asked for"
            tokens = stated[name].tokens
            if tokens is not None:
                known.tokens[name] = tokens
        elif found is not None and value in followed and len(probe.shapes.get(name, ())) == len(found):
            _name(node, index, name, found, known, probe)


def _put_in_order(
    node: ir.Node, digits: Digits, known: AxisLabels, probe: Probe, stated: Mapping[str, LayoutOverrides]
) -> None:
    """Name the axes of a value that is open so far, where its cells are in the picture's order again."""
    out = name_of(node.outputs[0])
    order = digits.follow(node, probe)
    laid = None if order is None else order.layout()
    if order is None or laid is None or out in stated or set(known.axes.get(out, "?")) <= set("NCHWT"):
        return
    known.axes[out], tokens = laid
    known.reasons[out] = f"{node.op_type} puts the cells of {order.origins[0]!r} in order again"
    known.restored[out], known.orders[out] = order.origins, order
    known.tokens.pop(out, None)
    if tokens is not None:
        known.tokens[out] = tokens


def _restore(node: ir.Node, previous: tuple[str, ...], known: AxisLabels) -> bool:
    """Give the result of a rearrangement that is taken back the axes from before it."""
    letters = _agree([known.axes[name] for name in previous if name in known.axes])
    grids = {known.tokens.get(name) for name in previous}
    if letters is None or ("T" in letters and len(grids) != 1):
        return False
    out = name_of(node.outputs[0])
    known.axes[out], known.restored[out] = letters, tuple(name for name in previous if name in known.axes)
    known.reasons[out] = known.reasons.get(known.restored[out][0], node.op_type)
    tokens = grids.pop()
    if tokens is not None and "T" in letters:
        known.tokens[out] = tokens
    return True


def _name(node: ir.Node, index: int, name: str, letters: str, known: AxisLabels, probe: Probe) -> None:
    if "T" in letters:
        tokens = _node_tokens(node, index, letters, known, probe)
        if tokens is not None and tokens.length == probe.shapes[name][letters.index("T")]:
            known.tokens[name] = tokens
        else:
            letters = letters.replace("T", "?")
    known.reasons[name] = _reason(node, letters, known)
    known.axes[name] = letters


def _node_tokens(node: ir.Node, index: int, letters: str, known: AxisLabels, probe: Probe) -> Tokens | None:
    operator = operator_of(node)
    joins = operator.axes is Axes.CONCATENATED
    first = name_of(node.inputs[0]) if node.inputs and node.inputs[0] is not None else ""
    if joins:
        parts = joined_operands(node)
        axis = int(attribute(node, "axis", 1)) % len(letters)
        if letters[axis] == "T":
            length = probe.shapes[name_of(node.outputs[0])][axis]
            return join_tokens(parts, axis, length, known.tokens, probe)
    if operator.axes is Axes.PRODUCT:
        return product_tokens(node, letters, known.tokens)
    if operator.axes is Axes.CONTRACTED:
        found_tokens = einsum_axes(node, known.axes, known.tokens, probe)
        return None if found_tokens is None else found_tokens[1]
    if joins or operator.axes is Axes.POINTWISE:
        found = {known.tokens[name_of(v)] for v in node.inputs if v is not None and v.name in known.tokens}
        return found.pop() if len(found) == 1 else None
    if operator.reshapes and "T" not in known.axes.get(first, ""):
        names = known.axes[first]
        h, w = (probe.shapes[first][names.index(letter)] for letter in "HW")
        return Tokens(0, (h, w), 0)
    if first not in known.axes:
        return known.tokens.get(table_rows(node))
    tokens = known.tokens.get(first)
    convolution = operator.compute is Compute.CONVOLUTION
    if tokens is not None and convolution and letters == "NCT":
        return convolve_tokens(node, probe.shapes[name_of(node.outputs[0])][2], tokens)
    if tokens is None or operator.places not in _CUTS:
        return tokens
    return cut_tokens(node, index, known.axes[first].index("T"), tokens, probe)


def _reason(node: ir.Node, letters: str, known: AxisLabels) -> str:
    """Say which operator decided, in a few words."""
    op, axes = node.op_type, operator_of(node).axes
    before = next((name_of(v) for v in node.inputs if v is not None and v.name in known.axes), "")
    if axes is Axes.SPATIAL:
        return f"{op} works on {letters}"
    if axes is Axes.PRODUCT:
        return f"last axis of {op}"
    if axes is Axes.TRANSPOSED or (before and known.axes.get(before) != letters):
        return f"{op} of {known.axes[before]}"
    return known.reasons.get(before, f"{op}")


def _tensor_outputs(node: ir.Node) -> Sequence[ir.Value]:
    operator = operator_of(node)
    if operator.sum_result is not None:
        return [*node.outputs[:1], *node.outputs[operator.sum_result :][:1]]
    return node.outputs if operator.axes is Axes.SPLIT else node.outputs[:1]


def _node_axes(node: ir.Node, known: AxisLabels, probe: Probe) -> str | None:
    operator, axes = operator_of(node), known.axes
    rule = operator.axes
    operands = [name_of(value) for value in node.inputs if value is not None and value.name in axes]
    first = name_of(node.inputs[0]) if node.inputs and node.inputs[0] is not None else ""
    out = probe.shapes.get(name_of(node.outputs[0]))
    if out is None:
        return None
    if operator.compute is Compute.CONVOLUTION and first not in axes:
        # behind an If, a Loop or an operator of one's own, a convolution still says what its axes are
        whole = len(out) == 4 and out[0] == probe.batch and first in probe.shapes
        return ("NHWC" if channels_last(node) else "NCHW") if whole else None
    if not operands:
        return None
    if rule is Axes.POINTWISE:
        return _broadcast([(axes[name], probe.shapes[name]) for name in operands], out)
    if rule is Axes.CONCATENATED:
        return _agree([axes[name] for name in operands])
    if rule is Axes.PRODUCT:
        return product_axes(node, axes, known.tokens, probe)
    if rule is Axes.CONTRACTED and len(node.inputs) > 1:
        contracted = einsum_axes(node, axes, known.tokens, probe)
        return None if contracted is None else contracted[0]
    if first not in axes:
        rows = table_rows(node)
        return axes[rows] + "C" if rows in axes else None
    source = axes[first]
    if operator.keeps_axes or rule is Axes.SPLIT:
        return source
    handler = _HANDLERS.get(rule)
    if handler is not None:
        return handler(node, source, probe)
    if rule is Axes.SPATIAL:
        return _spatial(node, source, probe.shapes[first])
    if operator.reshapes:
        tokens = known.tokens.get(first)
        named = _squeeze(node, source, out, probe, tokens) if rule in _NAMING_AXES else None
        return named or regroup(source, probe.shapes[first], out, tokens)
    return None


def _spatial(node: ir.Node, source: str, shape: tuple[int, ...]) -> str | None:
    if channels_last(node):
        return source if source == "NHWC" else None
    # one picture of one channel has two axes of length one, which a reshape does not tell apart
    if source in ("NCHW", "N?HW", "NcHW") or (source in ("?NHW", "CNHW", "??HW") and shape[:2] == (1, 1)):
        return "NCHW"
    convolution = operator_of(node).compute is Compute.CONVOLUTION
    if source == "T???" and convolution:
        # each patch is a picture of its own
        return "TC??"
    if source in ("NCWH", "N?WH", "NcWH"):
        return "NCWH"
    if len(source) == 3 and convolution and token_taps(node) is not None:
        # along a row of tokens, or over tokens for units
        over = source in ("NTC", "N?C") and kernel_shape(node) == (1,)
        return source if source in ("NCT", "NC?") else "N?C" if over else None
    if len(source) != 4 or source[0] != "N" or source[1] not in "C?":
        return None
    if convolution and kernel_shape(node) == (1, 1) and not _strided(node):
        # a product over the units, whatever the other axes are: patches and the cells within each
        return "NC" + source[2:]
    return None


def _strided(node: ir.Node) -> bool:
    """Whether an operator of one cell skips or adds some."""
    return any(n != 1 for n in attribute(node, "strides", ())) or any(attribute(node, "pads", ()))


def _squeeze(
    node: ir.Node, source: str, out: tuple[int, ...], probe: Probe, tokens: Tokens | None
) -> str | None:
    """Axes of length one that the node names; a shape alone does not tell them from a batch of one."""
    rank = max(len(source), len(out))
    listed = reduced_axes(node, rank, probe)
    if listed is None or len(listed) != abs(len(source) - len(out)):
        return None
    if operator_of(node).axes is Axes.SQUEEZED:
        kept = "".join(letter for i, letter in enumerate(source) if i not in listed)
        left = set("HW") & set(kept)
        if set("NHW") <= set(source) and len(kept) == 3 and len(left) == 1:
            letter = left.pop()
            # a map of a single row or column keeps its cells
            return kept.replace(letter, "T") if out[kept.index(letter)] > 1 else kept
        return kept
    if tokens is not None and "T" in source and set("HW").isdisjoint(source):
        at = source.index("T")
        if listed in ({at}, {at + 1}) and (tokens.length, tokens.grid) == (
            tokens.cells,
            out[at : at + 2],
        ):
            return source.replace("T", "HW")
    rest = iter(source)
    # the one picture that a Gather took out gets its batch of one back
    alone = probe.batch == 1 and "N" not in source and not set("CHWT").isdisjoint(source)
    return "".join(("N" if alone and i == 0 else "?") if i in listed else next(rest) for i in range(rank))


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
    blocks = gathers_blocks(node, probe) if source[axis] in "HW" else None
    if blocks is not None:
        return source[:axis] + blocks.letters(source[axis]) + source[axis + 1 :]
    return source[:axis] + (source[axis] if rank == 1 else "?" * rank) + source[axis + 1 :]


def _select(node: ir.Node, source: str, probe: Probe) -> str | None:
    # without an axis it takes numbers out of a row of all of them
    return source if "axis" in node.attributes else None


_HANDLERS: dict[Axes, Callable[[ir.Node, str, Probe], str | None]] = {
    Axes.CONTRACTED: einsum,
    Axes.GATHERED: _gather,
    Axes.PICKED: gather_elements,
    Axes.SELECTED: _select,
    Axes.TRANSPOSED: _transpose,
    Axes.REDUCED: _reduce,
    Axes.REDUCED_ALONG: _reduce,
}
_NAMING_AXES = (Axes.SQUEEZED, Axes.UNSQUEEZED)


def _broadcast(operands: list[tuple[str, tuple[int, ...]]], out: tuple[int, ...]) -> str:
    letters = []
    for i, length in enumerate(out):
        seen = []
        for names, shape in operands:
            j = i - (len(out) - len(shape))
            # an axis of one that is stretched says nothing about where things are
            if j >= 0 and (shape[j] == length):
                seen.append(names[j])
        letters.append(agree(seen))
    return "".join(letters)


def _agree(named: list[str]) -> str | None:
    if len({len(names) for names in named}) != 1:
        return None
    return "".join(agree(list(letters)) for letters in zip(*named, strict=True))
