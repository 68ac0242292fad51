"""Parts of a network: trunk, neck and heads, and which layers stand for each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnxdissect.model.graph import DEQUANTISED, name_of
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Numbers
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.stages.blocks.activated import Activated
from onnxdissect.model.stages.heads.heads import find_heads
from onnxdissect.model.stages.heads.neck import ends_of_neck
from onnxdissect.model.stages.heads.predictions import ends_of_heads, last_products
from onnxdissect.model.stages.stages import Candidates, find_stages
from onnxdissect.model.stages.trunk.flow import Flow, Maps, follow_flow
from onnxdissect.model.stages.trunk.products import has_weights
from onnxdissect.model.stages.trunk.trunk import Trunk, find_trunk

__all__ = ["Parts", "find_parts"]

_MAPS = ("NCHW", "NHWC")
_TOKENS = ("NTC", "TNC")


@dataclass(frozen=True, slots=True)
class Parts:
    """What each layer belongs to.

    Attributes
    ----------
    stages : list of str
        Layers at the ends of the trunk's stages, in topological order.
    neck : list of str
        Last layer of each resolution between trunk and heads.
    heads : list of str
        What each head predicts.
    of : dict of str to str
        "trunk", "neck" or "head" for each value.
    """

    stages: list[str]
    neck: list[str]
    heads: list[str]
    of: dict[str, str]


def find_parts(
    graph: ir.Graph,
    image: str,
    probe: Probe,
    axes: Mapping[str, str],
    layers: Mapping[str, Layer],
    representative: Mapping[str, str],
    activated: Activated,
) -> Parts:
    """Tell trunk, neck and heads apart.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    image : str
        Name of its image input.
    probe : Probe
        Shapes of its values.
    axes : mapping of str to str
        What the axes of its values mean.
    layers : mapping of str to Layer
        Values that can be dissected.
    representative : mapping of str to str
        For each of them the one that is listed for it.
    activated : Activated
        Values that leave a nonlinearity.

    Returns
    -------
    Parts
        Without stages where nothing has a map.
    """
    flow = follow_flow(graph, image, lambda name: _grid(name, axes, layers, probe))
    stands = _stand_ins(flow, layers, representative)
    listed = {number: name for number, name in enumerate(stands) if name is not None}
    cells = {
        n
        for n, name in listed.items()
        if layers[name].grid != (1, 1) and layers[name].layout != "NC" and name not in activated.averaged
    }
    maps = Maps(
        cells,
        {n for n in cells if layers[listed[n]].layout in _TOKENS},
        {n: layers[name].macs for n, name in listed.items()},
    )
    outputs = [flow.numbers[name_of(v)] for v in graph.outputs if v.name in flow.numbers]
    trunk = find_trunk(flow, outputs, maps, _describe_image(flow, outputs, probe))
    if trunk is None:
        return Parts([], [], [], {})
    found = {representative.get(name, name) for name in activated.values}
    candidates = Candidates(
        listed,
        {n for n, name in listed.items() if name in found or flow.names[n] in activated.values},
        {n: layers[name].units for n, name in listed.items()},
    )
    stages = find_stages(flow, trunk, maps, candidates, _directly(flow, activated))
    # a layer may be laid out anew before it is read on
    ends = [n for n in listed if stages and listed[n] == listed[stages[-1]]]
    of, read = _mark(flow, trunk, maps, ends, candidates.activated)
    of = _with_twins(flow, of)
    between = {n for n in maps.cells if of[n] == "neck"}
    behind = {n for n in listed if of[n] == "head"}
    return Parts(
        stages=_names(listed, stages),
        neck=_names(listed, ends_of_neck(flow, between, read, candidates.activated)),
        heads=_names(listed, ends_of_heads(flow, maps, outputs, behind, trunk.whole)),
        of={flow.names[n]: part for n, part in of.items()} | {listed[n]: of[n] for n in listed},
    )


def _names(listed: Mapping[int, str], numbers: Iterable[int]) -> list[str]:
    """Layers that are listed for values, each once."""
    return list(dict.fromkeys(listed[number] for number in numbers))


def _grid(
    name: str, axes: Mapping[str, str], layers: Mapping[str, Layer], probe: Probe
) -> tuple[int, int] | None:
    if name in layers:
        return layers[name].grid
    names, shape = axes.get(name, ""), probe.shapes.get(name)
    if shape is None or "H" not in names or "W" not in names or len(shape) != len(names):
        return None
    return int(shape[names.index("H")]), int(shape[names.index("W")])


def _stand_ins(
    flow: Flow, layers: Mapping[str, Layer], representative: Mapping[str, str]
) -> list[str | None]:
    """Layer that is listed for each value; for integers the one that says what they stand for."""
    found: list[str | None] = [None] * len(flow.names)
    # users come behind, so that what stands for them is known
    for number in reversed(range(len(found))):
        found[number] = _stand_in(flow, number, layers, representative, found)
    return found


def _stand_in(
    flow: Flow,
    number: int,
    layers: Mapping[str, Layer],
    representative: Mapping[str, str],
    later: Sequence[str | None],
) -> str | None:
    name = flow.names[number]
    if name in layers:
        return representative[name]
    for user in flow.after[number]:
        node = flow.nodes[user]
        means = node is not None and operator_of(node).numbers is Numbers.DEQUANTISED
        if means and flow.names[user] in layers:
            return representative[flow.names[user]]
    node, users = flow.nodes[number], flow.after[number]
    if node is not None and len(users) == 1:
        operator = operator_of(node)
        if operator.sums_integers or operator.converts:
            # what stands between a product of integers and the numbers that they mean
            return later[users[0]]
    return None


def _describe_image(flow: Flow, outputs: list[int], probe: Probe) -> bool:
    shapes = [probe.shapes.get(flow.names[n], ()) for n in outputs]
    return bool(shapes) and all(all(length == 1 for length in shape[2:]) for shape in shapes)


def _directly(flow: Flow, activated: Activated) -> Callable[[int, int], bool]:
    def directly(number: int, root: int) -> bool:
        return activated.roots.get(flow.names[number]) == flow.names[flow.source(root)]

    return directly


def _mark(
    flow: Flow, trunk: Trunk, maps: Maps, ends: list[int], activated: Collection[int]
) -> tuple[dict[int, str], set[int]]:
    """Tell the part of every value, and what heads read."""
    inside = set(trunk.chain) if not ends else flow.ancestors(*ends)
    of = {n: "trunk" if n in inside else "head" for n in range(len(flow.names))}
    if trunk.whole:
        return of, set()
    leaves = [n for n in last_products(flow, maps) if n not in inside]
    heads = find_heads(flow, leaves, inside, activated)
    in_head = [False] * len(flow.names)
    leads = [False] * len(flow.names)
    for number in range(1, len(flow.names)):
        in_head[number] = number in heads.first or in_head[flow.dominators[number]]
    marked = set(leaves)
    for number in reversed(range(len(flow.names))):
        leads[number] = number in marked or any(leads[user] for user in flow.after[number])
        if of[number] != "trunk" and leads[number] and not in_head[number]:
            of[number] = "neck"
    for number, operands in enumerate(flow.before):
        # what a feature extractor hands out, normalised
        handed = of[number] == "head" and not leads[number] and not has_weights(flow, number)
        if handed and all(of[operand] == "trunk" for operand in operands):
            of[number] = "trunk"
    return of, heads.read


def _with_twins(flow: Flow, of: Mapping[int, str]) -> dict[int, str]:
    """Tell the parts of twins, too: the network goes on from the integers that they stand for."""
    twins = {n for n, name in enumerate(flow.names) if name.endswith(DEQUANTISED) and flow.before[n]}
    return {n: of[flow.before[n][0]] if n in twins else part for n, part in of.items()}
