"""Values whose axes are left open, and who opened them."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from onnxdissect.model.graph import name_of
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes
from onnxdissect.model.reading.shape_probe import Probe

__all__ = ["count_open", "lost_values"]

_FLOATS = ("float32", "float16", "float64")


def lost_values(graph: ir.Graph, axes: Mapping[str, str], probe: Probe) -> dict[str, str]:
    """For each value whose axes are not all known the operator that first mixed them.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    axes : mapping of str to str
        What the axes of its values mean.
    probe : Probe
        Types of its values.

    Returns
    -------
    dict of str to str
        Operator type by value name, in topological order.
    """
    lost: dict[str, str] = {}
    for node in graph:
        for value in node.outputs:
            name = name_of(value)
            # sizes that a graph computes, and weights that it hands on, are no activations to lose
            if not name or probe.dtypes.get(name) not in _FLOATS:
                continue
            if set(axes.get(name, "?")) - set("NCHWT"):
                before = (lost[name_of(v)] for v in node.inputs if v is not None and v.name in lost)
                lost[name] = next(before, node.op_type)
    return lost


def count_open(graph: ir.Graph, axes: Mapping[str, str], probe: Probe) -> tuple[int, int, str, str, int]:
    """Count the activations whose axes are left open.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    axes : mapping of str to str
        What the axes of its values mean.
    probe : Probe
        Shapes and types of its values.

    Returns
    -------
    (int, int, str, str, int)
        `open_values`, `values`, `culprit`, `first_open` and `severed_values` of
        `onnxdissect.model.layers.coverage.Coverage`.
    """
    lost = lost_values(graph, axes, probe)
    computed = {name_of(value) for node in graph for value in node.outputs}
    values = [
        name
        for name, shape in probe.shapes.items()
        if name in computed and len(shape) > 1 and probe.dtypes.get(name) in _FLOATS
    ]
    left = [name for name in lost if len(probe.shapes.get(name, ())) > 1]
    counts: dict[str, int] = {}
    for name in left:
        counts[lost[name]] = counts.get(lost[name], 0) + 1
    culprit = max(counts, key=counts.__getitem__, default="")
    first = next((name for name in left if lost[name] == culprit), "")
    severed = _severed(graph, lost)
    return len(left), len(values), culprit, first, sum(name in severed for name in left)


def _severed(graph: ir.Graph, lost: Mapping[str, str]) -> set[str]:
    """Open values that lead, through open values alone, into an operator that says its axes anew."""
    severed: set[str] = set()
    for node in reversed(graph):
        outputs = [name_of(value) for value in node.outputs]
        anew = operator_of(node).axes is Axes.SPATIAL and outputs[0] not in lost
        if anew or not severed.isdisjoint(outputs):
            operands = node.inputs[:1] if anew else node.inputs
            severed.update(name_of(value) for value in operands if value is not None and value.name in lost)
    return severed
