"""Resolutions side by side: what each ends in, where no single value passes the picture on (HRNet)."""

from __future__ import annotations

import itertools
from collections.abc import Collection

from onnxdissect.model.stages.blocks.blocks import Block
from onnxdissect.model.stages.trunk.flow import Flow, is_coarser
from onnxdissect.model.stages.trunk.trunk import Trunk

__all__ = ["parallel_ends"]


def parallel_ends(flow: Flow, trunk: Trunk, layers: Collection[int]) -> list[tuple[int, Block]]:
    """Find the ends of the branches of a trunk that keeps several resolutions at once.

    Parameters
    ----------
    flow : Flow
        The graph.
    trunk : Trunk
        Its trunk.
    layers : collection of int
        Values that may be chosen.

    Returns
    -------
    list of (int, Block)
        The last value of each resolution from which the graph goes only down, finest first; empty where the
        trunk leaves no resolution out, or branches that meet there do not part where the trunk does.
    """
    found: list[tuple[int, Block]] = []
    for before, after in itertools.pairwise(trunk.chain):
        fine, coarse = flow.grids[before], flow.grids[after]
        if not is_coarser(coarse, fine):
            continue
        inside = flow.ancestors(after) - flow.ancestors(before) - {after}
        joined = {flow.grids[n] for n in inside if flow.dominators[n] == before and _joins(flow, n)}
        if not any(is_coarser(grid, fine) and is_coarser(coarse, grid) for grid in joined):
            continue
        last = {flow.grids[n]: n for n in sorted(inside.intersection(layers)) if flow.grids[n] in joined}
        for number in sorted(last.values()):
            users = [user for user in flow.after[number] if user in inside or user == after]
            if all(is_coarser(flow.grids[user], flow.grids[number]) for user in users):
                found.append((number, Block("sum", [number], None, None, flow.grids[number])))
    return found


def _joins(flow: Flow, number: int) -> bool:
    return flow.is_concatenation(number) or flow.is_sum(number)
