"""Where a pyramid or a decoder begins, before it goes up for the first time, and what it ends in."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from onnxdissect.model.stages.blocks.blocks import Block
from onnxdissect.model.stages.trunk.flow import Flow, Grid, is_finer
from onnxdissect.model.stages.trunk.products import has_weights, is_depthwise, is_pointwise

__all__ = ["ends_of_neck", "first_projection", "first_skip"]


def first_projection(
    flow: Flow, blocks: list[Block], ends: list[tuple[int, Block]], units: Mapping[int, int]
) -> int | None:
    """Find where a pyramid begins: the last block is projected, or branches, and all behind is narrower.

    A projection behind a concatenation is the end of that block instead.

    Parameters
    ----------
    flow : Flow
        The graph.
    blocks : list of Block
        Of its trunk.
    ends : list of (int, Block)
        Values that blocks hand on.
    units : mapping of int to int
        Units of the values that are layers.

    Returns
    -------
    int or None
        First value of the pyramid.
    """
    home = {number: block for block in blocks for number in block.members}
    doubled = _second_projection(flow, blocks, units)
    if doubled is not None and doubled.activated is None:
        return doubled.members[0]
    for i in range(1, len(ends)):
        first = ends[i][1].members[0]
        before = ends[i - 1][0]
        source = home.get(flow.source(flow.dominators[first]))
        if (
            (is_pointwise(flow, first) or ends[i][1].kind == "concat")
            and flow.grids[first] == flow.grids[before]
            and source is not None
            and source.kind != "concat"
            and not is_depthwise(flow, source.members[0])
            and all(units[n] < units[before] for n, _ in ends[i:])
        ):
            return first
    return None if doubled is None else doubled.members[0]


def _second_projection(flow: Flow, blocks: list[Block], units: Mapping[int, int]) -> Block | None:
    """Last block, if it is a second pointwise product in a row; where it is activated, no wider one.

    No bottleneck filters nothing between expansion and projection, and no block ends in two such products.
    """
    if len(blocks) < 2:
        return None
    before, last = blocks[-2:]
    pointwise = is_pointwise(flow, before.members[0]) and is_pointwise(flow, last.members[0])
    if not pointwise or before.activated is None or before.grid != last.grid:
        return None
    made, read = (next((units[n] for n in block.members if n in units), 0) for block in (last, before))
    return last if last.activated is None or 0 < made <= read else None


def first_skip(
    flow: Flow, blocks: list[Block], ends: list[tuple[int, Block]], units: Mapping[int, int]
) -> int | None:
    """Find what a decoder begins with that skips back at the trunk's own resolution (CRAFT).

    That is the deepest map where it is concatenated with the one before it, which is narrower, as is all that
    follows; dense blocks and pyramids of pools concatenate narrow maps to what is wider.

    Parameters
    ----------
    flow : Flow
        The graph.
    blocks : list of Block
        Of its trunk.
    ends : list of (int, Block)
        Values that blocks hand on.
    units : mapping of int to int
        Units of the values that are layers.

    Returns
    -------
    int or None
        The deepest map.
    """
    for block in blocks:
        first = block.members[0]
        skipped = {flow.source(operand): operand for operand in flow.before[first]}
        start = flow.source(flow.dominators[first])
        if block.kind != "concat" or start not in skipped or len(skipped) != 2:
            continue
        deepest = next(operand for source, operand in skipped.items() if source != start)
        widest = units.get(deepest, 0)
        behind = [units[n] for n, _ in ends if n > first]
        if behind and max(behind) < widest > units.get(start, widest):
            return deepest if flow.grids[deepest] == block.grid else None
    return None


def ends_of_neck(
    flow: Flow, layers: Collection[int], read: Collection[int], activated: Collection[int]
) -> list[int]:
    """Find what a neck hands on at each resolution.

    Parameters
    ----------
    flow : Flow
        The graph.
    layers : collection of int
        Values of the neck that are layers with a map.
    read : collection of int
        Values that heads read.
    activated : collection of int
        Values that leave a nonlinearity.

    Returns
    -------
    list of int
        In topological order, of each resolution the last value that heads read. Where they read none, the
        last value that the graph goes up from, but no resized one and no gate, or the activation before it;
        where it does not go up, the last activation, and without one the last value.
    """
    handed = {_layer_of(flow, number, layers) for number in read}
    ends: list[int] = []
    for level in _levels(flow, layers):
        found = max(level.intersection(handed), default=None)
        if found is None:
            made = [n for n in level if has_weights(flow, n) or not flow.is_up[n]]
            ups = {n: [user for user in flow.after[n] if flow.is_up[user]] for n in made}
            raised = [n for n in made if not all(_is_gate(flow, up) for up in ups[n])]
            gates = [n for n in made if ups[n]]
            if gates and not raised:
                level = level.difference(*(flow.ancestors(n) for n in gates))
            if not level:
                # what only weighs skips of the trunk
                continue
            if raised and not any(_is_new(flow, n) for n in level):
                # what was pooled from the trunk, and is only put back
                continue
            path = level.intersection(flow.chain(max(raised))) if raised else level
            found = max(path, key=lambda n: (n in activated, n))
        ends.append(found)
    return sorted(ends)


def _is_gate(flow: Flow, number: int) -> bool:
    """Whether a value only weighs what it is computed from, as a gate on a skip does (Attention U-Net)."""
    before = flow.ancestors(number)
    last = number
    while len(flow.after[last]) == 1 and len(flow.before[flow.after[last][0]]) == 1:
        last = flow.after[last][0]
        if has_weights(flow, last):
            return False
    users = flow.after[last]
    return bool(users) and all(
        flow.is_weighed(user, last) and before.intersection(flow.before[user]) - {last} for user in users
    )


def _is_new(flow: Flow, number: int) -> bool:
    """Whether a value is a product with weights, or joins others."""
    return has_weights(flow, number) or flow.is_sum(number) or flow.is_concatenation(number)


def _layer_of(flow: Flow, number: int, layers: Collection[int]) -> int | None:
    """Layer of the neck that a value repeats, or is computed from."""
    return next((n for n in reversed(flow.chain(number)) if n in layers), None)


def _levels(flow: Flow, layers: Collection[int]) -> list[set[int]]:
    """Sort layers by resolution; maps that lost their borders to convolutions without padding keep theirs."""
    levels: list[tuple[Grid, set[int]]] = []
    for number in sorted(layers, key=lambda n: (flow.grids[n][0] * flow.grids[n][1], flow.grids[n], n)):
        grid = flow.grids[number]
        alike = (level for least, level in levels if not (is_finer(grid, least) or is_finer(least, grid)))
        level = next(alike, None)
        if level is None:
            levels.append((grid, {number}))
        else:
            level.add(number)
    return [level for _, level in levels]
