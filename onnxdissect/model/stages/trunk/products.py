"""Products with weights: which values are one, and what kind of convolution."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx_ir as ir

from onnxdissect.model.graph import attribute
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Compute, Regions
from onnxdissect.model.receptive_field.window_shape import kernel_shape, weight_shape
from onnxdissect.model.stages.trunk.flow import Flow

__all__ = [
    "attended_sums",
    "chooses_regions",
    "has_weights",
    "is_depthwise",
    "is_pointwise",
    "multiplies",
    "weights_follow",
]


def chooses_regions(node: ir.Node) -> bool:
    """Whether an operator chooses regions or single places of the picture, or cuts them out."""
    return operator_of(node).regions is not Regions.NONE


def has_weights(flow: Flow, number: int) -> bool:
    """Whether a value is a product of a map with weights, not of two maps."""
    node = flow.nodes[number]
    if node is None:
        return False
    cost = operator_of(node).compute
    if cost is Compute.CONVOLUTION:
        return True
    if cost not in (Compute.PRODUCT, Compute.EINSUM):
        return False
    return any(v is not None and v.name not in flow.numbers and _is_matrix(v, node) for v in node.inputs)


def is_pointwise(flow: Flow, number: int) -> bool:
    """Whether a value is a product that looks at one cell at a time."""
    node = flow.nodes[number]
    if node is None or not has_weights(flow, number):
        return False
    return operator_of(node).compute is not Compute.CONVOLUTION or set(kernel_shape(node) or (0,)) == {1}


def is_depthwise(flow: Flow, number: int) -> bool:
    """Whether a value is a convolution of each unit by itself."""
    node = flow.nodes[number]
    if node is None or operator_of(node).compute is not Compute.CONVOLUTION:
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


def attended_sums(flow: Flow, chain: Sequence[int]) -> list[int]:
    """Find the sums of a stream to which attention adds what each cell asks all others for.

    Parameters
    ----------
    flow : Flow
        The graph.
    chain : sequence of int
        Values that everything behind has to pass, as `Flow.chain` gives them.

    Returns
    -------
    list of int
        Those that end a shortcut round a product of two maps, at the resolution where it begins.
    """
    passed = set(chain)
    starts: set[int] = set()
    for number in range(1, len(flow.names)):
        if _hears(flow, number):
            above = flow.dominators[number]
            while above not in passed:
                above = flow.dominators[above]
            starts.add(above)
    return [
        n
        for n in chain
        if flow.dominators[n] in starts and flow.is_sum(n) and flow.grids[n] == flow.grids[flow.dominators[n]]
    ]


def _hears(flow: Flow, number: int) -> bool:
    """Whether a value is a product of two maps, or attention as one operator."""
    node = flow.nodes[number]
    if node is None:
        return False
    compute = operator_of(node).compute
    both = compute in (Compute.PRODUCT, Compute.EINSUM) and len(flow.before[number]) > 1
    return compute is Compute.ATTENTION or (both and not has_weights(flow, number))


def _is_matrix(value: ir.Value, node: ir.Node) -> bool:
    """Whether an operand of a product that does not depend on the image is its weights, not a scale."""
    index = next(i for i, v in enumerate(node.inputs) if v is value)
    operator = operator_of(node)
    return operator.compute is Compute.EINSUM or index in (0, operator.weights)
