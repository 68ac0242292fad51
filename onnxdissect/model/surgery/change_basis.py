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

_TOPK_TAKES_K_AS_INPUT = 10
_RESHAPE_TAKES_SHAPE_AS_INPUT = 5
# The opsets from which on they do.


class ChangeBasis(passes.FunctionalPass):
    """Add layers under bases, in float32.

    B[n, u', y, x] = f(sum over u of matrix[u', u] * A[n, u, y, x] + bias[u']), see
    `onnxdissect.model.bases.basis.Basis`. Several bases may belong to one layer. Nothing of the graph reads
    what is added.

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
    basis = layer.basis
    # As the first factor of a product, onnxruntime reads the matrix where it lies. For a convolution, or as
    # the second factor, it arranges it anew, and holds up to three copies of it.
    matrix = store(graph, f"{layer.name}/matrix", basis.matrix)
    rows, units = basis.matrix.shape
    places = _reshape(graph, layer, "places", value, [0, units, -1])
    found = _append(graph, layer, "product", ir.node("MatMul", [matrix, places]))
    if basis.bias is not None:
        bias = store(graph, f"{layer.name}/bias", basis.bias[:, np.newaxis])
        found = _append(graph, layer, "sum", ir.node("Add", [found, bias]))
    found = _reshape(graph, layer, "maps", found, [0, rows, *layer.grid])
    if basis.activation:
        found = _append(graph, layer, "positive", ir.node("Relu", [found]))
    if basis.activation.startswith("topk:"):
        found = _keep_largest(graph, layer, found, int(basis.activation.removeprefix("topk:")))
    found.name = layer.name


def _reshape(graph: ir.Graph, layer: BasisLayer, step: str, value: ir.Value, shape: list[int]) -> ir.Value:
    if (graph.opset_imports.get("") or 0) < _RESHAPE_TAKES_SHAPE_AS_INPUT:
        return _append(graph, layer, step, ir.node("Reshape", [value], attributes={"shape": shape}))
    wanted = store(graph, f"{layer.name}/{step}/shape", np.array(shape, np.int64))
    return _append(graph, layer, step, ir.node("Reshape", [value, wanted]))


def _keep_largest(graph: ir.Graph, layer: BasisLayer, value: ir.Value, k: int) -> ir.Value:
    """Set to 0 what lies below the k-th largest unit of its place.

    Comparing with the k-th value keeps units that equal it together, whatever order rows have. Which of equal
    ones TopK itself names first is left to who implements it.
    """
    if (graph.opset_imports.get("") or 0) >= _TOPK_TAKES_K_AS_INPUT:
        counted, attributes = [store(graph, f"{layer.name}/k", np.array([k], np.int64))], {"axis": 1}
    else:
        counted, attributes = [], {"axis": 1, "k": k}
    largest = ir.node("TopK", [value, *counted], attributes=attributes, num_outputs=2)
    for output, step in zip(largest.outputs, ("largest", "largest-at"), strict=True):
        output.name = f"{layer.name}/{step}"
    graph.append(largest)
    at = store(graph, f"{layer.name}/last", np.array([k - 1], np.int64))
    kth = _append(graph, layer, "kth", ir.node("Gather", [largest.outputs[0], at], attributes={"axis": 1}))
    below = _append(graph, layer, "below", ir.node("Less", [value, kth]))
    kept = _append(graph, layer, "kept", ir.node("Not", [below]))
    factor = _append(
        graph, layer, "factor", ir.node("Cast", [kept], attributes={"to": int(ir.DataType.FLOAT)})
    )
    return _append(graph, layer, "largest-only", ir.node("Mul", [value, factor]))


def _append(graph: ir.Graph, layer: BasisLayer, step: str, node: ir.Node) -> ir.Value:
    node.outputs[0].name = f"{layer.name}/{step}"
    graph.append(node)
    return node.outputs[0]
