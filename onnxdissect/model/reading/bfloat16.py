"""Graphs of two bytes a number in float32, which holds each of them: onnxruntime has no bfloat16 convolution.

Float16 it does compute, and rounds to it between operators, which small differences do not survive.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.model.graph import name_of

__all__ = ["WIDENED", "WidenBfloat16", "WidenFloat16", "has_bfloat16", "has_float16"]

WIDENED = "onnxdissect/widened"
"""Key in the graph's `meta`; true for a graph that computes in float32 what its file has in bfloat16."""

_BFLOAT16, _FLOAT16, _TO = ir.DataType.BFLOAT16, ir.DataType.FLOAT16, ir.DataType.FLOAT

# attributes that name an element type
_TYPES = ("dtype", "output_dtype", "precision", "softmax_precision", "stash_type", "to")


class _Widen(passes.FunctionalPass):
    """Let a graph compute in float32 what it computes in a type of two bytes."""

    def __init__(self, kind: ir.DataType) -> None:
        super().__init__()
        self.kind = kind

    def requires(self, model: ir.Model) -> None:
        """Check that something is of the type."""
        if not _holds(model, self.kind):
            raise passes.PreconditionError(f"nothing is {self.kind.name.lower()}")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Widen a clone."""
        clone = model.clone()
        for graph in (clone.graph, *clone.graph.subgraphs()):
            _widen_stored(graph, self.kind)
            for value in [*graph.inputs, *graph.outputs]:
                _widen_value(value, self.kind)
            for node in graph:
                _widen_node(node, self.kind)
                for value in node.outputs:
                    _widen_value(value, self.kind)
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that nothing but weights in external data is of the type."""
        left = [
            value.name for value in _values(model) if value.dtype == self.kind and not value.is_initializer()
        ]
        if left:
            raise passes.PostconditionError(f"still {self.kind.name.lower()}: {left}")


class WidenBfloat16(_Widen):
    """Let a graph compute in float32 what it computes in bfloat16.

    Weights inside the file are converted; those in external data are read through a Cast, so that none are
    held twice. `WIDENED` in the graph's `meta` says that it was done.
    """

    def __init__(self) -> None:
        super().__init__(_BFLOAT16)

    def call(self, model: ir.Model) -> passes.PassResult:
        """Widen a clone, and note it."""
        result = super().call(model)
        result.model.graph.meta[WIDENED] = True
        return result


class WidenFloat16(_Widen):
    """Let a graph compute in float32 what it computes in float16; inputs and outputs are float32 as well."""

    def __init__(self) -> None:
        super().__init__(_FLOAT16)


def has_bfloat16(model: ir.Model) -> bool:
    """Whether a graph holds, computes or asks for bfloat16.

    Parameters
    ----------
    model : onnx_ir.Model
        The model.

    Returns
    -------
    bool
    """
    return _holds(model, _BFLOAT16)


def has_float16(model: ir.Model) -> bool:
    """Whether a graph holds, computes or asks for float16.

    Parameters
    ----------
    model : onnx_ir.Model
        The model.

    Returns
    -------
    bool
    """
    return _holds(model, _FLOAT16)


def _holds(model: ir.Model, kind: ir.DataType) -> bool:
    graphs = (model.graph, *model.graph.subgraphs())
    stored = (value for graph in graphs for value in graph.initializers.values())
    return (
        any(value.dtype == kind for value in _values(model))
        or any(value.dtype == kind or _is_old(value, kind) for value in stored)
        or any(
            _asks_for(attribute, kind)
            for graph in graphs
            for node in graph
            for attribute in node.attributes.values()
        )
    )


def _values(model: ir.Model) -> Iterator[ir.Value]:
    for graph in (model.graph, *model.graph.subgraphs()):
        yield from graph.inputs
        yield from graph.outputs
        for node in graph:
            yield from node.outputs


def _widen_stored(graph: ir.Graph, kind: ir.DataType) -> None:
    stored = [value for value in graph.initializers.values() if value.dtype == kind or _is_old(value, kind)]
    for value in stored:
        tensor = value.const_value
        if isinstance(tensor, ir.ExternalTensor):
            _read_through_cast(graph, value)
        else:
            _set_float(value)
            value.const_value = _widened(tensor)


def _is_old(value: ir.Value, kind: ir.DataType) -> bool:
    return value.const_value is not None and value.const_value.dtype == kind


def _read_through_cast(graph: ir.Graph, value: ir.Value) -> None:
    users = list(value.uses())
    cast = ir.node("Cast", [value], attributes={"to": int(_TO)})
    cast.outputs[0].name = f"onnxdissect/widened/{name_of(value)}"
    cast.outputs[0].shape = value.shape
    cast.outputs[0].dtype = _TO
    for user, index in users:
        user.replace_input_with(index, cast.outputs[0])
    first = next(iter(graph), None)
    if first is None:
        graph.append(cast)
    else:
        graph.insert_before(first, cast)


def _widen_value(value: ir.Value, kind: ir.DataType) -> None:
    if value.dtype == kind and not value.is_initializer():
        _set_float(value)


def _set_float(value: ir.Value) -> None:
    # a clone's values share their types with the model that was cloned
    value.type = copy.deepcopy(value.type)
    value.dtype = _TO


def _widen_node(node: ir.Node, kind: ir.DataType) -> None:
    for name, attribute in list(node.attributes.items()):
        if not _asks_for(attribute, kind):
            continue
        if attribute.type == ir.AttributeType.TENSOR:
            node.attributes[name] = ir.AttrTensor(name, _widened(attribute.value))
        else:
            node.attributes[name] = ir.AttrInt64(name, int(_TO))


def _asks_for(attribute: ir.Attr, kind: ir.DataType) -> bool:
    if attribute.is_ref():
        return False
    if attribute.type == ir.AttributeType.TENSOR:
        return bool(attribute.value.dtype == kind)
    return (
        attribute.name in _TYPES
        and attribute.type == ir.AttributeType.INT
        and bool(attribute.value == int(kind))
    )


def _widened(tensor: ir.TensorProtocol | None) -> ir.TensorProtocol:
    assert tensor is not None
    return ir.tensor(tensor.numpy().astype(np.float32), name=tensor.name)
