"""Which axes a reduction sums over."""

from __future__ import annotations

import onnx_ir as ir

from onnxdissect.model.graph import attribute
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes
from onnxdissect.model.reading.shape_probe import Probe

__all__ = ["reduced_axes"]


def reduced_axes(node: ir.Node, rank: int, probe: Probe) -> frozenset[int] | None:
    """Axes that a reduction sums over.

    Parameters
    ----------
    node : onnx_ir.Node
        A Reduce or Arg node.
    rank : int
        Rank of its input.
    probe : Probe
        Numbers of computed axes.

    Returns
    -------
    frozenset of int or None
        None where it cannot be told.
    """
    if operator_of(node).axes is Axes.REDUCED_ALONG:
        return frozenset({int(attribute(node, "axis", 0)) % rank})
    listed = attribute(node, "axes", None)
    if listed is None and len(node.inputs) > 1 and node.inputs[1] is not None:
        numbers = probe.number(node, 1)
        if numbers is None:
            return None
        listed = tuple(numbers.tolist())
    if not listed:
        return frozenset() if attribute(node, "noop_with_empty_axes", 0) else frozenset(range(rank))
    return frozenset(int(a) % rank for a in listed)
