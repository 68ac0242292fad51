"""A layer turned by a rotation and back again: all that comes behind it stays what it was, up to rounding."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir import passes

from onnxdissect.errors import LayerNotFoundError, ParameterError
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.graph import computed_values
from onnxdissect.model.layers.basis import BasisLayer, check_fit
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.stored import store
from onnxdissect.model.surgery.requantise import Requantise, is_twin

__all__ = ["RoundTrip", "round_trip"]

_ORTHOGONAL = 1e-5
"""Largest entry of Q Q^T - 1 that rounding to float32 explains, with room to spare."""


def round_trip(model: ir.Model, layer: Layer, basis: Basis) -> ir.Model:
    """Let everything that reads a layer read Q^T Q of it.

    Parameters
    ----------
    model : onnx_ir.Model
        A network; it is not changed.
    layer : Layer
        One of its layers, in any layout. Of tokens all are turned, class and register tokens as well; a layer
        of integers is turned in floating point and quantised again.
    basis : Basis
        Q: a rotation, a permutation or any other orthogonal matrix.

    Returns
    -------
    onnx_ir.Model
        A clone.

    Raises
    ------
    ParameterError
        If the basis cannot be undone by its transpose, is of another number of units, or the layer is under a
        basis itself.
    LayerNotFoundError
        If the graph does not compute the layer.
    """
    if isinstance(layer, BasisLayer):
        raise ParameterError(
            f"{layer.name!r} is beside the network, which does not read it",
            hint=f"turn {layer.source.name!r}",
        )
    check_fit(layer, basis)
    _check_orthogonal(basis)
    values = computed_values(model.graph)
    if layer.name not in values:
        raise LayerNotFoundError(f"the graph has no value {layer.name!r} to turn")
    if is_twin(values[layer.name]):
        model = Requantise([layer.name])(model).model
    return RoundTrip(layer, basis.matrix, basis.matrix.T)(model).model


class RoundTrip(passes.FunctionalPass):
    """Put two matrices, one behind the other, between a layer and everything that reads it.

    Parameters
    ----------
    layer : Layer
        A layer that a node computes. The result has its name.
    there, back : ndarray of float32, shape (units', units) and (units, units')
        What is applied to the channels first, and then.
    """

    def __init__(self, layer: Layer, there: NDArray[np.float32], back: NDArray[np.float32]) -> None:
        super().__init__()
        self.layer = layer
        self.matrices = {"there": there, "back": back}

    def requires(self, model: ir.Model) -> None:
        """Check that the layer is computed."""
        if self.layer.name not in computed_values(model.graph):
            raise passes.PreconditionError(f"no node computes {self.layer.name!r}")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Put the products in between, on a clone."""
        clone = model.clone()
        graph, name = clone.graph, self.layer.name
        value = computed_values(graph)[name]
        readers = list(value.uses())
        nodes: list[ir.Node] = []
        made = self._products(graph, value, nodes)
        made.type, made.shape = value.type, value.shape
        for reader, index in readers:
            reader.replace_input_with(index, made)
        graph.outputs[:] = [made if output is value else output for output in graph.outputs]
        value.name, made.name = f"onnxdissect/before-turning/{name}", name
        producer = value.producer()
        assert producer is not None
        graph.insert_after(producer, nodes)
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that both matrices are read."""
        for step in self.matrices:
            stored = model.graph.initializers.get(self._matrix_name(step))
            if stored is None or not stored.uses():
                raise passes.PostconditionError(f"{self.layer.name!r} is not turned {step}")

    def _products(self, graph: ir.Graph, value: ir.Value, nodes: list[ir.Node]) -> ir.Value:
        dtype = self.layer.dtype
        if dtype != "float32":
            value = self._append(
                nodes, "float", ir.node("Cast", [value], attributes={"to": int(ir.DataType.FLOAT)})
            )
        for step, matrix in self.matrices.items():
            if self.layer.layout == "NCHW":
                kernel = store(graph, self._matrix_name(step), matrix[:, :, np.newaxis, np.newaxis].copy())
                value = self._append(
                    nodes, step, ir.node("Conv", [value, kernel], attributes={"kernel_shape": [1, 1]})
                )
            else:
                # in every other layout the channels are the last axis
                factor = store(graph, self._matrix_name(step), matrix.T.copy())
                value = self._append(nodes, step, ir.node("MatMul", [value, factor]))
        if dtype != "float32":
            to = int(ir.DataType.from_numpy(np.dtype(dtype)))
            value = self._append(nodes, "as-before", ir.node("Cast", [value], attributes={"to": to}))
        return value

    def _append(self, nodes: list[ir.Node], step: str, node: ir.Node) -> ir.Value:
        node.outputs[0].name = f"onnxdissect/turned/{self.layer.name}/{step}"
        nodes.append(node)
        return node.outputs[0]

    def _matrix_name(self, step: str) -> str:
        return f"onnxdissect/turning/{self.layer.name}/{step}"


def _check_orthogonal(basis: Basis) -> None:
    rows, units = basis.matrix.shape
    if basis.bias is not None or basis.activation:
        found = "has a bias" if basis.bias is not None else f"has the activation {basis.activation}"
    elif rows != units:
        found = f"has the shape [{rows}, {units}]"
    else:
        matrix = basis.matrix.astype(np.float64)
        off = float(np.abs(matrix @ matrix.T - np.eye(units)).max())
        if off <= _ORTHOGONAL:
            return
        found = f"differs by {off:.3g} from an orthogonal matrix"
    raise ParameterError(
        f"the basis {basis.name!r} cannot be undone by its transpose: it {found}",
        candidates=("rotation", "permutation", "identity"),
    )
