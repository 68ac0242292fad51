"""Values made outputs of a graph."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.model.graph import computed_values, name_of

__all__ = ["ExposeValues"]


class ExposeValues(passes.FunctionalPass):
    """Make values outputs of the graph, behind the outputs there are.

    Parameters
    ----------
    names : sequence of str
        Values to expose, in the order in which they become outputs.
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
        """Expose on a clone."""
        clone = model.clone()
        values = computed_values(clone.graph)
        there = {name_of(value) for value in clone.graph.outputs}
        added = [values[name] for name in dict.fromkeys(self.names) if name not in there]
        clone.graph.outputs.extend(added)
        return passes.PassResult(clone, modified=bool(added))

    def ensures(self, model: ir.Model) -> None:
        """Check that the values are outputs."""
        missing = set(self.names) - {value.name for value in model.graph.outputs}
        if missing:
            raise passes.PostconditionError(f"not exposed: {sorted(missing)}")
