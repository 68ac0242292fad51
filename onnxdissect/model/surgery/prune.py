"""Everything removed that some values do not need."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from onnx_ir import passes
from onnx_ir.passes import common

from onnxdissect.model.graph import computed_values

__all__ = ["Prune"]


class Prune(passes.FunctionalPass):
    """Make values the only outputs of the graph, and remove all that they do not need.

    Parameters
    ----------
    names : sequence of str
        The outputs, in this order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)

    def requires(self, model: ir.Model) -> None:
        """Check that a node of the main graph computes every value."""
        missing = set(self.names) - computed_values(model.graph).keys()
        if missing:
            raise passes.PreconditionError(f"no node computes {sorted(missing)}")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Prune a clone."""
        clone = model.clone()
        graph = clone.graph
        values = computed_values(graph)
        graph.outputs.clear()
        graph.outputs.extend(values[name] for name in self.names)
        # inputs with a stored default keep onnxruntime from folding it into the kernels
        common.RemoveInitializersFromInputsPass()(clone)
        # `onnx_ir.convenience.extract` gives the stored tensors in no certain order
        common.RemoveUnusedNodesPass()(clone)
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that the values are all outputs there are."""
        if [value.name for value in model.graph.outputs] != list(self.names):
            raise passes.PostconditionError("other outputs are left")
