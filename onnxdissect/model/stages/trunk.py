"""The trunk of a network: the way down, up to where the graph goes up again or branches into heads.

A network that gives one vector an image (a classifier, an embedding) is trunk up to its last map. Where
outputs keep a place in the image, the trunk ends at the coarsest map from which the graph goes up again, or
where it falls apart into heads. What comes back to a coarse grid later is a neck.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import onnx_ir as ir

from onnxdissect.model.graph import attribute
from onnxdissect.model.operators import CONVOLUTIONS, MATRIX_PRODUCTS, right_operand
from onnxdissect.model.receptive_field.window_shape import kernel_shape, weight_shape
from onnxdissect.model.stages.flow import Flow, is_coarser

__all__ = ["Maps", "Trunk", "find_trunk"]

_REGIONS = frozenset({"MaxRoiAlign", "MaxRoiPool", "NonMaxSuppression", "NonZero", "RoiAlign", "TopK"})
_LEVELS = 3


@dataclass(frozen=True, slots=True)
class Maps:
    """What is known of the values of a flow, by number.

    Attributes
    ----------
    cells : set of int
        Values that are maps or grids of tokens, of more than one cell.
    tokens : set of int
        Those that are tokens.
    macs : dict of int to int
        Multiply-accumulates up to each value that is a layer.
    """

    cells: set[int]
    tokens: set[int]
    macs: dict[int, int]


@dataclass(frozen=True, slots=True)
class Trunk:
    """The way down.

    Attributes
    ----------
    chain : list of int
        Values that everything behind has to pass, from the image to the trunk's end.
    whole : bool
        Whether all outputs describe the image as a whole.
    up : bool
        Whether the trunk ends because the graph goes up again.
    extracts : bool
        Whether outputs are values of the trunk from which it goes on.
    """

    chain: list[int]
    whole: bool
    up: bool
    extracts: bool


def has_weights(flow: Flow, number: int) -> bool:
    """Whether a value is a product of a map with weights, not of two maps."""
    node = flow.nodes[number]
    if node is None:
        return False
    if node.op_type in CONVOLUTIONS:
        return True
    if node.op_type not in MATRIX_PRODUCTS and node.op_type != "Einsum":
        return False
    return any(v is not None and v.name not in flow.numbers and _is_matrix(v, node) for v in node.inputs)


def is_pointwise(flow: Flow, number: int) -> bool:
    """Whether a value is a product that looks at one cell at a time."""
    node = flow.nodes[number]
    if node is None or not has_weights(flow, number):
        return False
    return node.op_type not in CONVOLUTIONS or set(kernel_shape(node) or (0,)) == {1}


def is_depthwise(flow: Flow, number: int) -> bool:
    """Whether a value is a convolution of each unit by itself."""
    node = flow.nodes[number]
    if node is None or node.op_type not in CONVOLUTIONS:
        return False
    shape = weight_shape(node)
    return shape is not None and shape[1] == 1 and shape[0] > 1 and not is_pointwise(flow, number)


def multiplies(flow: Flow, number: int) -> bool:
    """Whether a convolution in groups makes more units than it takes."""
    node = flow.nodes[number]
    shape = None if node is None else weight_shape(node)
    return node is not None and shape is not None and shape[0] > shape[1] * int(attribute(node, "group", 1))


def weights_follow(flow: Flow, among: Collection[int] | None = None) -> list[bool]:
    """For each value whether a product with weights, among some values or all, is computed from it."""
    follow = [False] * len(flow.names)
    for number in reversed(range(len(flow.names))):
        follow[number] = any(
            follow[user] or (has_weights(flow, user) and (among is None or user in among))
            for user in flow.after[number]
        )
    return follow


def _made(flow: Flow, number: int) -> int:
    """Product or sum that a value is a normalised, activated or resized form of."""
    while number and not has_weights(flow, number) and not flow.is_sum(number):
        number = flow.dominators[number]
    return number


def find_trunk(flow: Flow, outputs: Collection[int], maps: Maps, describes_image: bool) -> Trunk | None:
    """Find the way down.

    Parameters
    ----------
    flow : Flow
        The graph.
    outputs : collection of int
        Numbers of the graph's outputs that depend on the image.
    maps : Maps
        What is known of its values.
    describes_image : bool
        Whether every output is one vector an image.

    Returns
    -------
    Trunk or None
        None where nothing has a map.
    """
    if not maps.cells:
        return None
    whole = describes_image and not any(n is not None and n.op_type in _REGIONS for n in flow.nodes)
    up = False
    if whole:
        end = _end_of_classifier(flow, outputs, maps)
    else:
        end = _first_rise(flow, maps)
        up = end is not None
        if end is None:
            end = _end_before_heads(flow, outputs, maps)
    if end is None:
        return None
    chain = flow.chain(end)
    if not whole:
        chain = _without_encoder(flow, chain, maps)
    follow = weights_follow(flow)
    extracts = any(_made(flow, out) in chain and follow[_made(flow, out)] for out in outputs)
    return Trunk(chain, whole, up, extracts)


def _is_matrix(value: ir.Value, node: ir.Node) -> bool:
    """Whether an operand of a product that does not depend on the image is its weights, not a scale."""
    index = next(i for i, v in enumerate(node.inputs) if v is value)
    return node.op_type == "Einsum" or index in (0, right_operand(node.op_type))


def _end_of_classifier(flow: Flow, outputs: Collection[int], maps: Maps) -> int | None:
    """Last map that the outputs pass; of auxiliary outputs the deepest counts."""
    costs = {out: _macs(flow, out, maps) for out in outputs}
    if not costs:
        return None
    deepest = max(costs, key=lambda out: (costs[out], out))
    shared = flow.meet(list(outputs))
    if 2 * _macs(flow, shared, maps) < costs[deepest]:
        shared = deepest
    return next((n for n in reversed(flow.chain(shared)) if n in maps.cells), None) or next(
        (n for n in reversed(flow.chain(deepest)) if n in maps.cells), None
    )


def _macs(flow: Flow, number: int, maps: Maps) -> int:
    return max((maps.macs.get(n, 0) for n in flow.chain(number)), default=0)


def _first_rise(flow: Flow, maps: Maps) -> int | None:
    """Coarsest map on a way down, without detours, from which the graph goes up."""
    straight = _straight(flow)
    ends: dict[int, None] = {}
    for number, rises in enumerate(flow.is_up):
        if not rises:
            continue
        for operand in flow.before[number]:
            last = next((n for n in reversed(flow.chain(operand)) if straight[n] and n in maps.cells), None)
            if last is not None:
                ends[last] = None
    if not ends:
        return None
    coarsest = min(flow.grids[n][0] * flow.grids[n][1] for n in ends)
    return max(n for n in ends if flow.grids[n][0] * flow.grids[n][1] == coarsest)


def _straight(flow: Flow) -> list[bool]:
    """For each value whether its dominators only get coarser, with detours inside single blocks at most."""
    straight = [True] * len(flow.names)
    for number in range(1, len(flow.names)):
        start = flow.dominators[number]
        fits = flow.grids[number] == flow.grids[start] or is_coarser(flow.grids[number], flow.grids[start])
        straight[number] = (
            straight[start] and (fits or start == 0) and (not flow.rose[number] or flow.returns(number))
        )
    return straight


def _end_before_heads(flow: Flow, outputs: Collection[int], maps: Maps) -> int | None:
    """Where a graph that never goes up falls apart: follow the branch that most outputs come from."""
    if not outputs:
        return None
    straight = _straight(flow)
    leads = [False] * len(flow.names)
    for number in reversed(range(len(flow.names))):
        leads[number] = any(user in maps.cells or leads[user] for user in flow.after[number])
    follow = weights_follow(flow, maps.cells)
    leaves = [
        number for number in sorted(maps.cells) if not leads[number] and not follow[_made(flow, number)]
    ]
    below: dict[int, int] = {}
    for leaf in leaves:
        for number in flow.chain(leaf):
            below[number] = below.get(number, 0) + 1
    children: dict[int, list[int]] = {}
    for number in below:
        if number:
            children.setdefault(flow.dominators[number], []).append(number)
    end, last = 0, None
    while True:
        if end in maps.cells and straight[end]:
            last = end
        most = max(children.get(end, []), key=lambda n: below[n], default=None)
        if most is None or 2 * below[most] <= below[end]:
            return last
        end = most


def predictions(flow: Flow, maps: Maps) -> list[int]:
    """Products with weights that are maps, and that no such product is computed from.

    A convolution of a single cell, the last of a detector's extra levels, is such a product too, unless the
    cell was cut from a region that the network chose.
    """
    follow = [False] * len(flow.names)
    leads = [False] * len(flow.names)
    found: list[int] = []
    for number in reversed(range(len(flow.names))):
        for user in flow.after[number]:
            follow[number] |= follow[user] or (user in maps.cells and has_weights(flow, user))
            node = flow.nodes[user]
            if node is not None and node.op_type not in _REGIONS:
                leads[number] |= leads[user] or (flow.grids[user] == (1, 1) and node.op_type in CONVOLUTIONS)
        if not (follow[number] or leads[number]) and number in maps.cells and has_weights(flow, number):
            found.append(number)
    return found[::-1]


def _without_encoder(flow: Flow, chain: list[int], maps: Maps) -> list[int]:
    """Cut off tokens behind a convolutional network of several resolutions: a detector's encoder."""
    first = next((i for i, number in enumerate(chain) if number in maps.tokens), None)
    if first is None:
        return chain
    before = {flow.grids[number] for number in chain[:first] if number in maps.cells}
    behind = {flow.grids[number] for number in chain[first:] if number in maps.cells}
    if len(before) < _LEVELS or len(behind | {flow.grids[chain[first]]}) > 1:
        return chain
    return chain[:first]
