"""Where a pyramid or a decoder begins, before it goes up for the first time."""

from __future__ import annotations

from collections.abc import Mapping

from onnxdissect.model.stages.blocks import Block
from onnxdissect.model.stages.flow import Flow
from onnxdissect.model.stages.products import is_depthwise, is_pointwise

__all__ = ["first_projection", "first_skip"]


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
    if len(blocks) > 1 and blocks[-1].activated is None and is_pointwise(flow, blocks[-1].members[0]):
        wide = blocks[-2]
        # no bottleneck filters nothing between expansion and projection
        if (
            wide.activated is not None
            and is_pointwise(flow, wide.members[0])
            and wide.grid == blocks[-1].grid
        ):
            return blocks[-1].members[0]
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
    return None


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
