"""Bfloat16 graphs in float32: onnxruntime has no bfloat16 convolution, and float32 holds every bfloat16."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxdissect.model.graph import name_of

__all__ = ["WIDENED", "widen_bfloat16"]

WIDENED = "onnxdissect/widened"
"""Key in the graph's `meta`; true for a graph that computes in float32 what its file has in bfloat16."""

_FROM, _TO = ir.DataType.BFLOAT16, ir.DataType.FLOAT

# attributes that name an element type
_TYPES = ("dtype", "output_dtype", "precision", "softmax_precision", "stash_type", "to")


def widen_bfloat16(model: ir.Model) -> bool:
    """Let a graph compute in float32 what it computes in bfloat16.

    Weights inside the file are converted; those in external data are read through a Cast, so that none are
    held twice.

    Parameters
    ----------
    model : onnx_ir.Model
        The model, changed in place.

    Returns
    -------
    bool
        Whether anything was bfloat16; `WIDENED` in the graph's `meta` says the same.
    """
    found = False
    for graph in (model.graph, *model.graph.subgraphs()):
        found |= _widen_stored(graph)
        for value in [*graph.inputs, *graph.outputs]:
            found |= _widen_value(value)
        for node in graph:
            found |= _widen_node(node)
            for value in node.outputs:
                found |= _widen_value(value)
    if found:
        model.graph.meta[WIDENED] = True
    return found


def _widen_stored(graph: ir.Graph) -> bool:
    stored = [value for value in graph.initializers.values() if value.dtype == _FROM or _is_old(value)]
    for value in stored:
        tensor = value.const_value
        if isinstance(tensor, ir.ExternalTensor):
            _read_through_cast(graph, value)
        else:
            value.dtype = _TO
            value.const_value = _widened(tensor)
    return bool(stored)


def _is_old(value: ir.Value) -> bool:
    return value.const_value is not None and value.const_value.dtype == _FROM


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


def _widen_value(value: ir.Value) -> bool:
    if value.dtype != _FROM or value.is_initializer():
        return False
    value.dtype = _TO
    return True


def _widen_node(node: ir.Node) -> bool:
    found = False
    for name, attribute in list(node.attributes.items()):
        if attribute.is_ref():
            continue
        if attribute.type == ir.AttributeType.TENSOR and attribute.value.dtype == _FROM:
            node.attributes[name] = ir.AttrTensor(name, _widened(attribute.value))
            found = True
        elif name in _TYPES and attribute.type == ir.AttributeType.INT and attribute.value == int(_FROM):
            node.attributes[name] = ir.AttrInt64(name, int(_TO))
            found = True
    return found


def _widened(tensor: ir.TensorProtocol | None) -> ir.TensorProtocol:
    assert tensor is not None
    return ir.tensor(tensor.numpy().astype(np.float32), name=tensor.name)
