"""Other outputs than the file's."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.model.graph import computed_values

__all__ = ["ChooseOutputs"]


class ChooseOutputs(passes.FunctionalPass):
    """Make values the only outputs of the graph, and leave everything else in it.

    What no output needs stays to be chosen again, as twins of integer activations are.

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
        """Choose on a clone."""
        clone = model.clone()
        values = computed_values(clone.graph)
        clone.graph.outputs.clear()
        clone.graph.outputs.extend(values[name] for name in self.names)
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that they are all outputs there are."""
        if [value.name for value in model.graph.outputs] != list(self.names):
            raise passes.PostconditionError("other outputs are left")
