"""Decide which values of a network are layers, and describe them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from onnxdissect.model.graph import live_values, name_of
from onnxdissect.model.layers.cost import Cost, follow_costs
from onnxdissect.model.layers.open_values import count_open, lost_values
from onnxdissect.model.layers.records import LAYOUTS, ImageInput, Layer, make_alias, make_slug
from onnxdissect.model.layers.unknown_operators import unknown_operators
from onnxdissect.model.layers.unrolled import unrolled_steps
from onnxdissect.model.layout.axes import AxisLabels, LayoutOverrides, follow_axes
from onnxdissect.model.layout.order.disturbed import Disturbance, LeftOut, count_left_out, follow_order
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Numbers, Order
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.receptive_field.geometry import Pair, Unplaced, follow_positions, receptive_field
from onnxdissect.model.stages.blocks.activated import activated_values
from onnxdissect.model.stages.parts import Parts, find_parts
from onnxdissect.model.stages.stages import choose_stages

__all__ = ["Listing", "list_layers"]

_FLOATS = ("float32", "float16", "float64")
_WORDS = {"N": "image", "C": "unit", "H": "height", "W": "width", "T": "token", "c": "part of the units"}

_CUT = (
    "its cells are not in the order of the picture: those of blocks that were cut out of a map, or put "
    "together in another order"
)
_UNPLACED: Pair = (Unplaced.UNKNOWN, Unplaced.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Listing:
    """The layers of a network, and why other values are none.

    Attributes
    ----------
    layers : tuple of Layer
        In topological order, each activation once.
    copies : tuple of Layer
        Values that repeat a layer in another order, type or frame, maps of a single cell, and single steps
        of a recurrent network that was written out: to be had by exact name only.
    refusals : dict of str to str
        Why every other value cannot be dissected.
    order : dict of str to int
        Place of layers and copies in topological order.
    axes : dict of str to str
        What the axes of each value mean.
    shapes : dict of str to tuple of int
        Shape of each value in the probe run.
    dtypes : dict of str to str
        Element type of each value.
    disturbed : dict of str to Disturbance
        Values whose cells are not known to lie in the order of the picture, and who disturbed it.
    left_out : tuple of LeftOut
        How many maps are no layers because of it, by operator.
    parts : Parts
        Which layers end the stages of the trunk, the neck and the heads.
    open_axes : (int, int, str, str, int)
        Values left open, all values, the operator most of them are due to, the first of its, and how many
        cut layers off; see `onnxdissect.model.layers.coverage.Coverage`.
    unknown : tuple of (str, str)
        Operators from outside ONNX that are not followed, each with the first value that it leaves open.
    """

    layers: tuple[Layer, ...]
    copies: tuple[Layer, ...]
    refusals: dict[str, str]
    order: dict[str, int]
    axes: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    parts: Parts
    disturbed: dict[str, Disturbance] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    open_axes: tuple[int, int, str, str, int] = (0, 0, "", "", 0)
    unknown: tuple[tuple[str, str], ...] = ()


def list_layers(
    graph: ir.Graph, image: ImageInput, probe: Probe, given: Mapping[str, LayoutOverrides] | None = None
) -> Listing:
    """Describe every value that can be dissected.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    image : ImageInput
        Its image input.
    probe : Probe
        Shapes and types of its values.
    given : mapping of str to LayoutOverrides, optional
        Layouts of values that a person stated.

    Returns
    -------
    Listing
    """
    known = follow_axes(graph, image, probe, given)
    axes = known.axes
    positions = follow_positions(
        graph, image, probe, axes, known.restored, known.tokens, known.orders, known.rows
    )
    costs = follow_costs(graph, probe)
    disturbed = follow_order(graph, probe, known, positions, given or ())
    refusals = _stored_values(graph)
    lost = lost_values(graph, axes, probe)
    described: dict[str, Layer] = {}
    taken = {name for name, _ in _names(graph)}
    slugs: set[str] = set()
    for value, node in _computed(graph):
        name = name_of(value)
        reason = _refuse(name, lost.get(name, node.op_type), probe, axes, costs, disturbed.get(name))
        if reason is None and name in disturbed and set("HWT") & set(axes[name]):
            reason = disturbed[name].reason()
        if reason is not None:
            refusals[name] = reason
            continue
        layer = _describe(value, node, probe, known, positions, costs, make_slug(name, slugs))
        slugs.add(layer.slug.casefold())
        described[name] = layer
    representative = _representatives(graph, described)
    aliased = _with_aliases(described, representative, taken)
    steps = unrolled_steps(graph, axes, described)
    listed = [
        name
        for name in described
        if representative[name] == name and not _is_cell(described[name]) and name not in steps
    ]
    order = {name: i for i, name in enumerate(listed)}
    # a part of the network that runs on columns and rows is as deep as any
    straight = {name: _straight(letters) for name, letters in axes.items()}
    activated = activated_values(graph, straight)
    parts = find_parts(
        graph,
        image.name,
        probe,
        straight,
        {name: layer for name, layer in described.items() if representative[name] in order},
        representative | _turned(disturbed, described, representative),
        activated,
    )
    if not parts.stages:
        # units without a map are no stage, unless there is nothing else
        path = [name for name in listed if name in {representative.get(n) for n in activated.values}]
        parts = replace(parts, stages=choose_stages((n, described[n].grid) for n in path or listed))
    numbers = {name: i for i, name in enumerate(parts.stages, 1)}
    live = live_values(graph)
    staged = {
        name: replace(layer, stage=numbers.get(name), part=_part(name, parts, live))
        for name, layer in aliased.items()
    }
    return Listing(
        layers=tuple(staged[name] for name in listed),
        copies=tuple(layer for name, layer in staged.items() if name not in order),
        refusals=refusals,
        order={name: i for i, name in enumerate(described)},
        axes=axes,
        shapes=probe.shapes,
        dtypes=probe.dtypes,
        parts=parts,
        disturbed=disturbed,
        left_out=count_left_out(graph, disturbed, axes, probe, costs),
        open_axes=count_open(graph, axes, probe),
        unknown=unknown_operators(graph, axes, probe),
    )


def _turned(
    disturbed: Mapping[str, Disturbance], described: Mapping[str, Layer], representative: Mapping[str, str]
) -> dict[str, str]:
    """Values with columns for rows, which are no layers, and the layers that they repeat."""
    return {
        each.value: representative[each.before]
        for each in disturbed.values()
        if each.operator.order is Order.TURNED and each.before in described
    }


def _part(name: str, parts: Parts, live: Collection[str]) -> str:
    return parts.of.get(name, "head") if name in live else "unused"


def _straight(letters: str) -> str:
    return "NCHW" if letters == "NCWH" else letters


def _computed(graph: ir.Graph) -> Iterator[tuple[ir.Value, ir.Node]]:
    for node in graph:
        for value in node.outputs:
            if value.name:
                yield value, node


def _names(graph: ir.Graph) -> Iterator[tuple[str, ir.Node]]:
    for value, node in _computed(graph):
        yield name_of(value), node
        if node.name:
            yield node.name, node


def _stored_values(graph: ir.Graph) -> dict[str, str]:
    reasons = dict.fromkeys(graph.initializers, "it is stored in the file, not computed from the image")
    for value in graph.inputs:
        reasons.setdefault(name_of(value), "it is an input of the network, not a layer")
    return reasons


def _refuse(
    name: str,
    culprit: str,
    probe: Probe,
    axes: dict[str, str],
    costs: Cost,
    disturbance: Disturbance | None,
) -> str | None:
    """Why a value has no units to dissect; None where it has."""
    if name not in probe.shapes:
        return "it does not depend on the image"
    shape, dtype = probe.shapes[name], probe.dtypes[name]
    said = f"its shape is {list(shape)}"
    if dtype not in _FLOATS:
        return f"it holds {dtype}, and activations are floating-point numbers"
    if len(shape) not in (2, 3, 4):
        return f"{said}: a layer has four dimensions (a map), three (tokens) or two (units)"
    names = axes.get(name)
    if names == "NCT" or (len(shape) == 3 and names in ("NC?", "NCH", "NCW", "NHC", "NWC")):
        return f"{said}, {_spell(names)}: cells along a line have no place in an image" + (
            "; the value before they were laid in a row has" if names == "NCT" else ""
        )
    if names is not None and ("x" in names or ("C" in names and set(names) & set("hwt"))):
        since = "" if disturbance is None else f"; {disturbance.reason()}"
        return f"{said}; {_CUT}{since}"
    if disturbance is not None and not disturbance.statable and _open_cells(names):
        return f"{said}{_in_order(names)}; {disturbance.reason()}"
    if names is None or set(names) & set("?chwtx"):
        return f"{said}, but operator {culprit} leaves open {_OPEN[len(shape)]}"
    if names not in LAYOUTS:
        return f"{said} in the order {names}, which is none of {', '.join(LAYOUTS)}"
    if 0 in shape:
        return f"{said}: it is empty"
    if shape[names.index("N")] != probe.batch:
        return f"{said} for a batch of {probe.batch}: it holds other than one map for each image"
    if costs.macs(name) == 0:
        return "no weight comes before it: it is the image itself"
    return None


def _open_cells(names: str | None) -> bool:
    """Whether axes hold cells, or may, in an order that no layout has."""
    return names is None or bool(set(names) & set("?hwtx")) or set(names) == set("NCHW")


def _in_order(names: str | None) -> str:
    return f" in the order {names}" if names is not None and set(names) == set("NCHW") else ""


_OPEN = {
    2: "whether its second axis is units alone",
    3: "which axes are tokens on a grid and units",
    4: "which axes are units, height and width",
}


def _spell(names: str) -> str:
    words = [_WORDS.get(letter, "a sequence") for letter in names]
    return "that is " + ", ".join(words)


def _is_cell(layer: Layer) -> bool:
    """Whether a map has a single cell: a gate or a pooled value, to be had by name only."""
    return layer.layout in ("NCHW", "NHWC") and layer.grid == (1, 1)


def _describe(
    value: ir.Value,
    node: ir.Node,
    probe: Probe,
    known: AxisLabels,
    positions: dict[str, Pair],
    costs: Cost,
    slug: str,
) -> Layer:
    name = name_of(value)
    layout = known.axes[name]
    tokens = known.tokens.get(name)
    grid = tuple(probe.shapes[name][layout.index(letter)] for letter in "HW" if letter in layout)
    reason = known.reasons[name]
    file_shape = probe.shapes[name]
    shape = tuple(1 if letter == "N" else n for letter, n in zip(layout, file_shape, strict=True))
    return Layer(
        name=name,
        alias="",
        slug=slug,
        op=_origin(node).op_type,
        node=node.name or "",
        layout=layout,
        dtype=probe.dtypes[name],
        shape=shape,
        units=shape[layout.index("C")],
        grid=tokens.grid if tokens is not None else (grid[0], grid[1]) if grid else (1, 1),
        receptive_field=receptive_field(positions.get(name, _UNPLACED)),
        parameters=costs.parameters(name),
        macs=costs.macs(name),
        stage=None,
        skipped=(0, 0) if tokens is None else (tokens.before, tokens.after),
        reason=reason if tokens is None else f"{tokens.describe()}; {reason}",
        share=min(costs.macs(name) / max(costs.all_macs, 1), 1.0),
    )


def _origin(node: ir.Node) -> ir.Node:
    """Node whose result a dequantised value stands for."""
    if not _dequantises(node):
        return node
    while operator_of(node).repeats:
        source = node.inputs[0]
        producer = source.producer() if source is not None else None
        if producer is None:
            break
        node = producer
    return node


def _dequantises(node: ir.Node) -> bool:
    return operator_of(node).numbers is Numbers.DEQUANTISED


def _representatives(graph: ir.Graph, described: dict[str, Layer]) -> dict[str, str]:
    """For each dissectable value the one that is listed for it."""
    chosen: dict[str, str] = {}
    dequantised: dict[str, str] = {}
    for node in graph:
        name = name_of(node.outputs[0]) if node.outputs else ""
        source = node.inputs[0] if node.inputs else None
        if name not in described or source is None:
            continue
        if _dequantises(node):
            # exporters write one for each user of the same integers
            chosen[name] = dequantised.setdefault(name_of(source), name)
        elif operator_of(node).numbers is Numbers.COPIED and name_of(source) in chosen:
            chosen[name] = chosen[name_of(source)]
        else:
            chosen[name] = name
    for name in described:
        chosen.setdefault(name, name)
    for value, _ in _computed(graph):
        # what the next layer reads is the value after rounding to integers and back
        rounded = _rounded(value, dequantised)
        if rounded is not None and name_of(value) in chosen:
            chosen[name_of(value)] = rounded
    return {name: _last(name, chosen) for name in chosen}


def _last(name: str, chosen: dict[str, str]) -> str:
    seen = {name}
    while chosen[name] not in seen:
        name = chosen[name]
        seen.add(name)
    return name


def _rounded(value: ir.Value, dequantised: dict[str, str]) -> str | None:
    users = [node for node, _ in value.uses()]
    rounds = all(operator_of(node).numbers is Numbers.QUANTISED for node in users)
    if value.is_graph_output() or not users or not rounds:
        return None
    return next(
        (dequantised[name_of(n.outputs[0])] for n in users if name_of(n.outputs[0]) in dequantised), None
    )


def _with_aliases(
    described: dict[str, Layer], representative: dict[str, str], taken: set[str]
) -> dict[str, Layer]:
    aliased = dict(described)
    counts: dict[str, int] = {}
    # layers first, so that their numbers run without gaps
    for name in sorted(described, key=lambda n: representative[n] != n):
        op = described[name].op
        alias, number = make_alias(op, name, taken, counts.get(op.lower(), 0) + 1)
        counts[op.lower()] = number
        taken.add(alias)
        aliased[name] = replace(described[name], alias=alias)
    return aliased
