"""Joining skips: sums (LinkNet, NAFNet) and gates (Attention U-Net) that join a decoder to an encoder.

They look like the ends of residual blocks and of blocks of attention: something goes down, comes up again,
and is added to what it started from, or weighs it. A block is one of many, behind which others do the same or
the network goes on down. Behind the joins of an encoder and a decoder nothing goes down any more, and they
lie inside one another, or make up most of the network so far.
"""

from __future__ import annotations

from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes, Places
from onnxdissect.model.stages.trunk.flow import Flow, Maps, is_coarser
from onnxdissect.model.stages.trunk.products import has_weights, is_pointwise

__all__ = ["joining_skips"]


def joining_skips(flow: Flow, maps: Maps) -> set[int]:
    """Find the sums and gates that join a decoder to an encoder of the same network.

    Parameters
    ----------
    flow : Flow
        The graph.
    maps : Maps
        What is known of its values.

    Returns
    -------
    set of int
        Sums and products that `Flow.returns` takes for the ends of blocks.
    """
    looks = {n for n in range(1, len(flow.names)) if has_weights(flow, n) and not is_pointwise(flow, n)}
    insides: dict[int, set[int]] = {}
    for number in range(1, len(flow.names)):
        if not (flow.rose[number] and flow.returns(number) and _joins_its_start(flow, number)):
            continue
        inside = flow.ancestors(number) - flow.ancestors(flow.dominators[number]) - {number}
        again = _goes_down(flow, flow.descendants(number), number, looks)
        if not again and _goes_down(flow, inside, number, looks):
            insides[number] = inside
    found: set[int] = set()
    for number, inside in insides.items():
        joins = {n for n in inside.intersection(insides) if is_coarser(flow.grids[n], flow.grids[number])}
        if joins or _holds_most(flow, maps, flow.dominators[number], inside):
            # whatever else comes back up inside is a join at a coarser grid
            found |= {number, *joins}
    return found


def _joins_its_start(flow: Flow, number: int) -> bool:
    """Whether a value adds something to its dominator, which may be that itself weighed, or weighs it."""
    start = flow.source(flow.dominators[number])
    return start in [flow.source(operand) for operand in flow.before[number]]


def _goes_down(flow: Flow, values: set[int], number: int, looks: set[int]) -> bool:
    """Whether maps coarser than a value are made among some by strides, and looked at around each cell."""
    coarse = [n for n in values if is_coarser(flow.grids[n], flow.grids[number])]
    return any(n in looks for n in coarse) and any(_is_strided(flow, n) for n in coarse)


def _is_strided(flow: Flow, number: int) -> bool:
    """Whether a value is made coarser than its operand, not cut into windows by a reshape."""
    node = flow.nodes[number]
    if node is None or not is_coarser(flow.grids[number], flow.grids[flow.before[number][0]]):
        return False
    operator = operator_of(node)
    return operator.axes is Axes.SPATIAL or operator.places in (Places.RESIZE, Places.SPACE_TO_DEPTH)


def _holds_most(flow: Flow, maps: Maps, start: int, inside: set[int]) -> bool:
    """Whether a detour has more of the compute than everything up to its start."""
    before = max((maps.macs.get(n, 0) for n in flow.chain(start)), default=0)
    return max((maps.macs.get(n, 0) for n in inside), default=0) > 2 * before
