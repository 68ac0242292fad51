"""The trunk of a network: the way down, up to where the graph goes up again or branches into heads.

A network that gives one vector an image (a classifier, an embedding) is trunk up to its last map. Where
outputs keep a place in the image, the trunk ends at the coarsest map from which the graph goes up again, or
where it falls apart into heads. What comes back to a coarse grid later is a neck.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass

from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes, Places
from onnxdissect.model.stages.heads.predictions import last_products, predictions
from onnxdissect.model.stages.trunk.flow import Flow, Maps, is_finer
from onnxdissect.model.stages.trunk.products import (
    attended_sums,
    chooses_regions,
    has_weights,
    is_pointwise,
    weights_follow,
)
from onnxdissect.model.stages.trunk.skips import joining_skips

__all__ = ["Trunk", "find_trunk"]

_LEVELS = 3
_LEVELS_BEFORE_QUERIES = 2


@dataclass(frozen=True, slots=True)
class Trunk:
    """The way down.

    Attributes
    ----------
    chain : list of int
        Values that everything behind has to pass, from the image to the trunk's end, and those that a single
        shortcut goes round with most of the network.
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


def _made(flow: Flow, number: int) -> int:
    """Product, sum or concatenation that a value is a normalised, activated or resized form of."""
    while number and not (has_weights(flow, number) or flow.is_sum(number) or _is_joined(flow, number)):
        number = flow.dominators[number]
    return number


def _all_made(flow: Flow) -> list[int]:
    """Do as `_made` for every value."""
    made: list[int] = []
    for number, dominator in enumerate(flow.dominators):
        own = has_weights(flow, number) or flow.is_sum(number) or _is_joined(flow, number)
        made.append(number if own or not number else made[dominator])
    return made


def _is_joined(flow: Flow, number: int) -> bool:
    node = flow.nodes[number]
    joins = node is not None and operator_of(node).axes is Axes.CONCATENATED
    return joins and len(flow.before[number]) > 1


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
    whole = describes_image and not any(n is not None and chooses_regions(n) for n in flow.nodes)
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
        chain = _without_reassembly(flow, chain, maps)
    chain = _round_long_shortcuts(flow, chain, maps)
    follow, passed, made = weights_follow(flow), set(chain), _all_made(flow)
    extracts = any(made[out] in passed and follow[made[out]] for out in outputs)
    return Trunk(chain, whole, up, extracts)


def _end_of_classifier(flow: Flow, outputs: Collection[int], maps: Maps) -> int | None:
    """Last map that the outputs pass; of auxiliary outputs the deepest counts."""
    if not outputs:
        return None
    macs = _macs(flow, maps)
    costs = {out: macs[out] for out in outputs}
    deepest = max(costs, key=lambda out: (costs[out], out))
    shared = flow.meet(list(outputs))
    if 2 * macs[shared] < costs[deepest]:
        shared = deepest
    for last in (shared, deepest):
        end = next((n for n in reversed(flow.chain(last)) if n in maps.cells), None)
        if end is not None:
            return end
    # networks side by side that only their outputs join: the deeper one
    return max(maps.cells, key=lambda n: (sum(flow.is_sum(m) for m in flow.chain(n)), n))


def _macs(flow: Flow, maps: Maps) -> list[int]:
    """Multiply-accumulates up to each value, by what is known of its dominators."""
    most: list[int] = []
    for number, dominator in enumerate(flow.dominators):
        most.append(max(maps.macs.get(number, 0), most[dominator] if number else 0))
    return most


def _first_rise(flow: Flow, maps: Maps) -> int | None:
    """Coarsest map on a way down, without detours, from which the graph goes up."""
    skips = joining_skips(flow, maps)
    straight = _straight(flow, skips)
    pooled: dict[int, bool] = {}
    inside = _inside_detours(flow, skips)
    for number, rises in enumerate(flow.is_up):
        if not rises or number in inside:
            continue
        for operand in flow.before[number]:
            before = _before_pools(flow, number, operand)
            start = _before_cells(flow, number, operand) if before is None else before
            last = next((n for n in reversed(flow.chain(start)) if straight[n] and n in maps.cells), None)
            if last is not None:
                pooled[last] = pooled.get(last, False) or before is not None
    if not pooled:
        return None
    cells = {n: flow.grids[n][0] * flow.grids[n][1] for n in pooled}
    coarsest = [n for n in pooled if cells[n] == min(cells.values())]
    # what a pyramid of pools is made of ends the trunk, wherever the graph goes up behind it
    return min((n for n in coarsest if pooled[n]), default=_last_passed(flow, coarsest))


def _last_passed(flow: Flow, ends: list[int]) -> int:
    """Deepest of several ends, but none round which a way leads that another end's way down passes.

    Such an end joins the deepest map to a shallower one that was made as coarse: a gate that both make
    (Attention U-Net), or two branches from the image that weigh each other (BiSeNetV2).
    """
    downs = {end: {n for n in flow.chain(end) if flow.grids[n] == flow.grids[end]} for end in ends}
    passed = [
        end
        for end in ends
        if not any(flow.ancestors(end).intersection(down - downs[end]) for down in downs.values())
    ]
    return max(passed, default=max(ends))


def _before_pools(flow: Flow, number: int, operand: int) -> int | None:
    """Find what a value is pooled from, and looked at cell by cell, before it is resized back (PSPNet)."""
    first = operand
    while first and is_finer(flow.grids[number], flow.grids[first]):
        if has_weights(flow, first) and not is_pointwise(flow, first):
            return None
        first = flow.dominators[first]
    if not first or flow.grids[first] != flow.grids[number]:
        return None
    between = flow.ancestors(operand) - flow.ancestors(first)
    looks = any(has_weights(flow, n) and not is_pointwise(flow, n) for n in between)
    return None if looks else first


def _before_cells(flow: Flow, number: int, operand: int) -> int:
    """Find the map that sub-pixels are made of, which then become cells: they are no units of a map."""
    node = flow.nodes[number]
    if node is None:
        return operand
    operator = operator_of(node)
    if not (operator.reshapes or operator.places in (Places.DEPTH_TO_SPACE, Places.REGROUPED)):
        return operand
    made = _made(flow, operand)
    return flow.dominators[made] if has_weights(flow, made) else operand


def _inside_detours(flow: Flow, skips: Collection[int]) -> set[int]:
    """Values on detours over other grids that end in the block where they began, as windows do."""
    inside: set[int] = set()
    for number, start in enumerate(flow.dominators):
        if number and flow.rose[number] and flow.returns(number) and number not in skips:
            inside |= flow.ancestors(number) - flow.ancestors(start) - {number}
    return inside


def _straight(flow: Flow, skips: Collection[int]) -> list[bool]:
    """For each value whether its dominators only get coarser, with detours inside single blocks at most."""
    straight = [True] * len(flow.names)
    for number in range(1, len(flow.names)):
        start = flow.dominators[number]
        # a border that is put around a map makes it larger, but no finer
        fits = not is_finer(flow.grids[number], flow.grids[start])
        level = not flow.rose[number] or (flow.returns(number) and number not in skips)
        straight[number] = straight[start] and (fits or start == 0) and level
    return straight


def _end_before_heads(flow: Flow, outputs: Collection[int], maps: Maps) -> int | None:
    """Where a graph that never goes up falls apart: follow the branch that most outputs come from."""
    if not outputs:
        return None
    straight = _straight(flow, joining_skips(flow, maps))
    leads = [False] * len(flow.names)
    for number in reversed(range(len(flow.names))):
        leads[number] = any(user in maps.cells or leads[user] for user in flow.after[number])
    follow = weights_follow(flow, maps.cells)
    made = _all_made(flow)
    below = [int(n in maps.cells and not leads[n] and not follow[made[n]]) for n in range(len(flow.names))]
    children: dict[int, list[int]] = {}
    for number in reversed(range(1, len(flow.names))):
        if below[number]:
            below[flow.dominators[number]] += below[number]
            children.setdefault(flow.dominators[number], []).append(number)
    end, last = 0, None
    while True:
        if end in maps.cells and straight[end]:
            last = end
        most = max(children.get(end, []), key=lambda n: below[n], default=None)
        if most is None or 2 * below[most] <= below[end]:
            return last
        end = most


def _without_encoder(flow: Flow, chain: list[int], maps: Maps) -> list[int]:
    """Cut off tokens behind a convolutional network of several resolutions: a detector's encoder."""
    first = next((i for i, number in enumerate(chain) if number in maps.tokens), None)
    if first is None:
        return chain
    before = {flow.grids[number] for number in chain[:first] if number in maps.cells}
    behind = {flow.grids[number] for number in chain[first:] if number in maps.cells}
    # without a decoder of queries, tokens behind a short stem of convolutions are a hybrid's own trunk
    queried = len(predictions(flow, maps)) < len(last_products(flow, maps))
    enough = _LEVELS_BEFORE_QUERIES if queried else _LEVELS
    if len(before) < enough or len(behind | {flow.grids[chain[first]]}) > 1:
        return chain
    return chain[:first]


def _without_reassembly(flow: Flow, chain: list[int], maps: Maps) -> list[int]:
    """Cut off what makes maps of several resolutions, or an embedding, out of a transformer of one.

    Such a network is known by most of its compute: blocks of attention at one resolution, whose stream ends
    with the last of them, or with the block of products cell by cell behind it.
    """
    stream = [n for n in attended_sums(flow, chain) if n in maps.cells]
    grids = {flow.grids[n] for n in chain if n in stream or n in maps.tokens}
    if len(grids) != 1 or not stream:
        return chain
    last = stream[-1]
    macs = _macs(flow, maps)
    if 2 * macs[flow.dominators[stream[0]]] > macs[last]:
        return chain
    behind = chain[chain.index(last) + 1 :]
    after = next((n for n in behind if flow.is_sum(n)), None)
    if after is not None and flow.grids[after] in grids:
        products = [n for n in flow.ancestors(after) - flow.ancestors(last) if has_weights(flow, n)]
        last = after if products and all(is_pointwise(flow, n) for n in products) else last
    behind = chain[chain.index(last) + 1 :]
    makes = any(has_weights(flow, n) or flow.grids[n] not in grids for n in behind)
    return chain[: chain.index(last) + 1] if makes else chain


def _round_long_shortcuts(flow: Flow, chain: list[int], maps: Maps) -> list[int]:
    """Take in blocks of one resolution that a shortcut goes round with most of the network (EDSR)."""
    macs = _macs(flow, maps)
    whole = macs[chain[-1]]
    found = chain[:1]
    for start, number in itertools.pairwise(chain):
        inside: list[int] = []
        if flow.is_sum(number) and 2 * (maps.macs.get(number, 0) - macs[start]) > whole:
            for operand in flow.before[number]:
                way = [n for n in flow.chain(operand) if n > start]
                blocks = sum(flow.is_sum(n) for n in way)
                kept = all(flow.grids[n] == flow.grids[number] and not flow.rose[n] for n in way)
                inside = way if kept and blocks > 1 else inside
        found += [*inside, number]
    return found
