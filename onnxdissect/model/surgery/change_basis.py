"""Layers under bases, added to a graph beside the layers themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.model.graph import computed_values
from onnxdissect.model.layers.basis import BasisLayer
from onnxdissect.model.stored import store
from onnxdissect.model.surgery.to_nchw import output_name

__all__ = ["ChangeBasis"]


class ChangeBasis(passes.FunctionalPass):
    """Add layers under bases: B[n, u', y, x] = sum over u of matrix[u', u] * A[n, u, y, x], in float32.

    Several bases may belong to one layer. Nothing of the graph reads what is added.

    Parameters
    ----------
    layers : sequence of BasisLayer
        What to add. A source that is not NCHW in the file has been added by `AddNCHW`.
    """

    def __init__(self, layers: Sequence[BasisLayer]) -> None:
        super().__init__()
        self.layers = tuple(layers)

    def requires(self, model: ir.Model) -> None:
        """Check that the sources are computed, and no value has a name that is to be added."""
        there = computed_values(model.graph).keys()
        missing = {output_name(layer.source) for layer in self.layers} - there
        if missing:
            raise passes.PreconditionError(f"no node computes {sorted(missing)}")
        names = [layer.name for layer in self.layers]
        taken = (set(names) & there) | {name for name in names if names.count(name) > 1}
        if taken:
            raise passes.PreconditionError(f"there is more than one value {sorted(taken)}")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Add the values on a clone."""
        clone = model.clone()
        values = computed_values(clone.graph)
        floats: dict[str, ir.Value] = {}
        for layer in self.layers:
            name = output_name(layer.source)
            if name not in floats:
                floats[name] = self._as_float(clone.graph, values[name], layer.source.dtype)
            _add(clone.graph, floats[name], layer)
        return passes.PassResult(clone, modified=bool(self.layers))

    def ensures(self, model: ir.Model) -> None:
        """Check that the values are there."""
        missing = {layer.name for layer in self.layers} - computed_values(model.graph).keys()
        if missing:
            raise passes.PostconditionError(f"not added: {sorted(missing)}")

    @staticmethod
    def _as_float(graph: ir.Graph, value: ir.Value, dtype: str) -> ir.Value:
        if dtype == "float32":
            return value
        cast = ir.node("Cast", [value], attributes={"to": int(ir.DataType.FLOAT)})
        cast.outputs[0].name = f"onnxdissect/float/{value.name}"
        graph.append(cast)
        return cast.outputs[0]


def _add(graph: ir.Graph, value: ir.Value, layer: BasisLayer) -> None:
    matrix = layer.basis.matrix
    kernel = store(graph, f"{layer.name}/matrix", matrix[:, :, np.newaxis, np.newaxis])
    product = ir.node("Conv", [value, kernel], attributes={"kernel_shape": [1, 1]})
    product.outputs[0].name = layer.name
    graph.append(product)
