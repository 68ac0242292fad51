"""Where heads begin: what reads the features of one resolution and makes predictions of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from onnxdissect.model.stages.trunk.flow import Flow
from onnxdissect.model.stages.trunk.products import has_weights, is_depthwise

__all__ = ["Heads", "find_heads"]


@dataclass(frozen=True, slots=True)
class Heads:
    """Where heads begin.

    Attributes
    ----------
    first : set of int
        First values of each head, which dominate the rest of it.
    read : set of int
        Values that heads read.
    """

    first: set[int]
    read: set[int]


def find_heads(flow: Flow, leaves: list[int], inside: Collection[int], activated: Collection[int]) -> Heads:
    """Find where the heads begin that end in some products.

    Parameters
    ----------
    flow : Flow
        The graph.
    leaves : list of int
        Products that no other one is computed from, and that lie outside of the trunk.
    inside : collection of int
        Values of the trunk.
    activated : collection of int
        Values that leave a nonlinearity.

    Returns
    -------
    Heads
        The predictions of a resolution may share their first layers (region proposals, decoupled heads). So a
        head begins behind the last value that predictions of other resolutions are made of too, or behind a
        product that stays linear though another one follows, as the last one of a pyramid. Heads of one
        network are built alike: where neither tells, or would make a head longer than most, it has as many
        products as most have.
    """
    below: dict[int, list[int]] = {}
    for leaf in leaves:
        for number in flow.chain(leaf):
            below.setdefault(number, []).append(leaf)
    groups: dict[int, list[int]] = {}
    for leaf in leaves:
        first = _first_of_head(flow, leaf, below, inside, activated)
        groups.setdefault(flow.dominators[first], []).append(leaf)
    groups = _joined(flow, groups, inside)
    ends = {
        start: _shared_end(flow, start, group, leaves, inside, activated) for start, group in groups.items()
    }
    lengths = Counter(
        _length(flow, start, end) for start, end in ends.items() if end is not None and end not in inside
    )
    usual = min(lengths, key=lambda length: (-lengths[length], length), default=0)
    heads = Heads(set(), set())
    for start, group in groups.items():
        read = ends[start]
        if read is None or _length(flow, start, read) > usual:
            read = _products_above(flow, start, usual, inside)
        heads.read.add(read)
        for leaf in group:
            chain = flow.chain(leaf)
            heads.first.add(chain[chain.index(read) + 1])
    return heads


def _first_of_head(
    flow: Flow, leaf: int, below: dict[int, list[int]], inside: Collection[int], activated: Collection[int]
) -> int:
    """First value that serves the prediction alone, or where nothing tells, the last behind an activation."""
    path = [leaf]
    while True:
        above = flow.dominators[path[-1]]
        if len(below[above]) > 1:
            levels = {flow.grids[other] for other in below[above]}
            if len(levels) == 1:
                return path[-1]
            # predictions of several resolutions: what brings the map to this one is no part of the head
            path = [n for n in path if flow.grids[n] == flow.grids[leaf]]
            return next((path[i - 1] for i, n in enumerate(path) if i and n in activated), leaf)
        risen = flow.rose[above] or flow.dominators[above] in inside
        if above in inside or (len(flow.before[above]) > 1 and risen):
            break
        path.append(above)
    return next((path[i - 1] for i, n in enumerate(path) if i and n in activated), path[-1])


def _upwards(flow: Flow, start: int, inside: Collection[int]) -> Iterator[int]:
    """Give a value and its dominators behind the trunk, up to where the resolution was last left."""
    number = start
    while number not in inside:
        yield number
        above = flow.dominators[number]
        if flow.rose[number] or flow.grids[above] != flow.grids[number]:
            return
        number = above


def _joined(flow: Flow, groups: dict[int, list[int]], inside: Collection[int]) -> dict[int, list[int]]:
    """Join predictions with those of the same resolution that branch off earlier."""
    joined: dict[int, list[int]] = {}
    for start in sorted(groups):
        earlier = next((n for n in _upwards(flow, start, inside) if n in joined), start)
        joined.setdefault(earlier, []).extend(groups[start])
    return joined


def _shared_end(
    flow: Flow,
    start: int,
    group: list[int],
    leaves: list[int],
    inside: Collection[int],
    activated: Collection[int],
) -> int | None:
    """Last value that is more than the head's own; None where nothing tells."""
    if start in inside:
        return start
    others = set(leaves).difference(group)
    if len(leaves) == 1:
        return None
    end, before, linear = start, start, True
    for number in _upwards(flow, start, inside):
        if not others.isdisjoint(flow.descendants(number)):
            # what joins levels of a pyramid is followed by one more of the pyramid's own products
            joins = flow.is_sum(number) or flow.is_concatenation(number)
            return before if joins and flow.rose[number] else number
        linear = linear and number not in activated
        if has_weights(flow, number):
            if linear and not is_depthwise(flow, number):
                return end
            end, before, linear = flow.dominators[number], end, True
    return end if end in inside and not others.isdisjoint(flow.descendants(end)) else None


def _length(flow: Flow, start: int, end: int) -> int:
    """Count the products with weights that lead from a dominator to a value."""
    chain = flow.chain(start)
    return sum(has_weights(flow, n) for n in chain[chain.index(end) + 1 :])


def _products_above(flow: Flow, start: int, count: int, inside: Collection[int]) -> int:
    """Find what the first of so many products reads that end in a value; itself where there are fewer."""
    found = 0
    for number in _upwards(flow, start, inside):
        if found == count:
            return number
        found += has_weights(flow, number)
        if found == count and flow.dominators[number] in inside:
            return flow.dominators[number]
    return start
