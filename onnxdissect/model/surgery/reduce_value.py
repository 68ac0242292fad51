"""A value reduced over all axes but two."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.model.graph import computed_values
from onnxdissect.model.stored import store

__all__ = ["ReduceValue", "reduced_name"]

_OPERATORS = {"mean": "ReduceMean", "max": "ReduceMax"}
_AXES_ARE_READ = 18


def reduced_name(name: str, how: str) -> str:
    """Name what `ReduceValue` computes.

    Parameters
    ----------
    name : str
        The value that is reduced.
    how : str
        "mean" or "max".

    Returns
    -------
    str
    """
    return f"onnxdissect/{how}/{name}"


class ReduceValue(passes.FunctionalPass):
    """Compute a value's mean or maximum over all axes but the first and another one.

    Parameters
    ----------
    name : str
        A value that is computed, of floating-point numbers.
    how : str
        "mean" or "max".
    rank : int
        How many axes it has.
    axis : int
        The axis that is kept beside the first, from 1.
    """

    def __init__(self, name: str, how: str, rank: int, axis: int) -> None:
        super().__init__()
        self.name = name
        self.how = how
        self.axes = [other for other in range(1, rank) if other != axis]

    def requires(self, model: ir.Model) -> None:
        """Check that there is such a value."""
        if self.name not in computed_values(model.graph):
            raise passes.PreconditionError(f"no node computes {self.name!r}")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Reduce it on a clone, whose outputs stay what they are."""
        clone = model.clone()
        graph = clone.graph
        value = computed_values(graph)[self.name]
        found = reduced_name(self.name, self.how)
        inputs = [value]
        attributes: dict[str, int | list[int]] = {"keepdims": 0}
        if (graph.opset_imports.get("") or 1) >= _AXES_ARE_READ:
            inputs.append(store(graph, f"{found}/axes", np.array(self.axes, np.int64)))
        else:
            attributes["axes"] = self.axes
        node = ir.node(_OPERATORS[self.how], inputs, attributes)
        node.outputs[0].name = found
        graph.append(node)
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that it is computed."""
        if reduced_name(self.name, self.how) not in computed_values(model.graph):
            raise passes.PostconditionError(f"{self.name!r} is not reduced")
