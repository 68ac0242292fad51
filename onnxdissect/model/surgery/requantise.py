"""Integer activations read through their floating-point twins, so that a graph can be cut at a twin."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.model.graph import computed_values, name_of
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Numbers

__all__ = ["Requantise", "is_twin"]


def is_twin(value: ir.Value) -> bool:
    """Whether a value is a dequantised activation that nothing reads.

    Parameters
    ----------
    value : onnx_ir.Value
        A value of a graph.

    Returns
    -------
    bool
        True for those that `onnxdissect.model.layout.quantised.AddDequantised` added.
    """
    node = value.producer()
    if node is None or operator_of(node).numbers is not Numbers.DEQUANTISED:
        return False
    return not value.uses() and not value.is_graph_output()


class Requantise(passes.FunctionalPass):
    """Let everything that reads an integer activation read its twin instead, quantised again.

    Dividing by the scale that was just multiplied with is off by much less than half a step: the integers are
    the same ones.

    Parameters
    ----------
    names : sequence of str
        Twins, as `is_twin` tells them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(dict.fromkeys(names))

    def requires(self, model: ir.Model) -> None:
        """Check that every value is a twin."""
        values = computed_values(model.graph)
        other = [name for name in self.names if name not in values or not is_twin(values[name])]
        if other:
            raise passes.PreconditionError(f"no twins of integer activations: {other}")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Put the twins in between, on a clone."""
        clone = model.clone()
        values = computed_values(clone.graph)
        for name in self.names:
            _put_between(clone.graph, values[name])
        return passes.PassResult(clone, modified=bool(self.names))

    def ensures(self, model: ir.Model) -> None:
        """Check that the twins are read."""
        values = computed_values(model.graph)
        unread = [name for name in self.names if is_twin(values[name])]
        if unread:
            raise passes.PostconditionError(f"nothing reads {unread}")


def _put_between(graph: ir.Graph, twin: ir.Value) -> None:
    dequantise = twin.producer()
    assert dequantise is not None
    integers, scale, *zero = dequantise.inputs
    assert integers is not None
    again = ir.node("QuantizeLinear", [twin, scale, *zero])
    made = again.outputs[0]
    made.type = integers.type
    for user, index in list(integers.uses()):
        if user is not dequantise:
            user.replace_input_with(index, made)
    name = name_of(integers)
    made.name = f"onnxdissect/requantised/{name}"
    if integers.is_graph_output():
        integers.name, made.name = f"onnxdissect/integers/{name}", name
        graph.outputs[:] = [made if value is integers else value for value in graph.outputs]
    graph.insert_after(dequantise, again)
