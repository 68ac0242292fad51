"""Everything removed that some values do not need."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir import passes
from onnx_ir.passes import common

from onnxdissect.model.surgery.choose_outputs import ChooseOutputs

__all__ = ["Prune"]


class Prune(ChooseOutputs):
    """Make values the only outputs of the graph, and remove all that they do not need.

    Parameters
    ----------
    names : sequence of str
        The outputs, in this order.
    """

    def call(self, model: ir.Model) -> passes.PassResult:
        """Prune a clone."""
        result = super().call(model)
        # inputs with a stored default keep onnxruntime from folding it into the kernels
        common.RemoveInitializersFromInputsPass()(result.model)
        # `onnx_ir.convenience.extract` gives the stored tensors in no certain order
        common.RemoveUnusedNodesPass()(result.model)
        return result
