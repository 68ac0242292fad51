"""Small questions asked of an onnx-ir graph all over the package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.errors import ModelFormatError
from onnxdissect.model.operators.lookup import operator_of

__all__ = [
    "DEQUANTISED",
    "attribute",
    "computed_values",
    "constant",
    "downstream",
    "is_stored",
    "live_values",
    "name_of",
    "opset_of",
    "stored_shape",
    "stored_size",
    "stored_tensor",
    "users_of_pixels",
    "values_read",
]

DEQUANTISED = "/dequantised"
"""Ending of the name of a twin in floating point, see `onnxdissect.model.layout.quantised`."""


def name_of(value: ir.Value) -> str:
    """Name of a value.

    Parameters
    ----------
    value : onnx_ir.Value
        A value of a graph read from a file, where every value in use has a name.

    Returns
    -------
    str
        "" for an output that the file leaves out.
    """
    return value.name or ""


def computed_values(graph: ir.Graph) -> dict[str, ir.Value]:
    """Values that the nodes of a graph compute, by name.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph; those inside its nodes are not looked at.

    Returns
    -------
    dict of str to onnx_ir.Value
        In the graph's order.
    """
    return {name_of(value): value for node in graph for value in node.outputs}


def values_read(node: ir.Node) -> list[ir.Value]:
    """Values that a node reads, itself or in the graphs inside it.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.

    Returns
    -------
    list of onnx_ir.Value
        Those of its own graph and of graphs around that, and those that graphs inside it compute.
    """
    read = [value for value in node.inputs if value is not None]
    for found in node.attributes.values():
        graphs: Sequence[ir.Graph] = ()
        if found.type == ir.AttributeType.GRAPH:
            graphs = (found.as_graph(),)
        elif found.type == ir.AttributeType.GRAPHS:
            graphs = found.as_graphs()
        for graph in graphs:
            read.extend(graph.outputs)
            for inner in graph:
                read.extend(values_read(inner))
    return read


def live_values(graph: ir.Graph) -> set[str]:
    """Values that an output of the graph is computed from.

    Parameters
    ----------
    graph : onnx_ir.Graph
        In topological order.

    Returns
    -------
    set of str
        Names, those of the outputs included, and those of twins that stand for such values.
    """
    live = {name_of(value) for value in graph.outputs}
    for node in reversed(graph):
        if any(value.name in live for value in node.outputs):
            live.update(name_of(value) for value in values_read(node))
    # nothing reads the twins of integers: they are what is dissected in their place
    twins = {name + DEQUANTISED for name in live}
    live.update(twins.intersection(computed_values(graph)))
    return live


def attribute(node: ir.Node, name: str, default: Any) -> Any:
    """Value of a node's attribute.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.
    name : str
        Name of the attribute.
    default : object
        What ONNX says it is when left out.

    Returns
    -------
    object
        Sequences as tuples.

    Raises
    ------
    ModelFormatError
        If it is no integer where ONNX has one, which operators from outside ONNX are not refused for before.
    """
    found = node.attributes.get(name)
    if found is None or found.value is None:
        return default
    if isinstance(default, int) and not isinstance(found.value, int):
        raise ModelFormatError(
            f"the attribute {name!r} of the node {(node.name or '')[:100]!r} ({node.op_type}) is no integer",
            hint="export the model again",
        )
    return tuple(found.value) if isinstance(found.value, (list, tuple)) else found.value


def opset_of(node: ir.Node) -> int | None:
    """Opset version that defines a node.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.

    Returns
    -------
    int or None
        None for a node outside a graph, or of a domain that the graph does not import.
    """
    if node.version is not None:
        return node.version
    return None if node.graph is None else node.graph.opset_imports.get(node.domain)


def stored_tensor(value: ir.Value | None) -> ir.TensorProtocol | None:
    """Tensor that the file stores for a value, as an initialiser or in a Constant node.

    `onnx_ir.convenience.get_const_tensor` raises on a Constant node with another number of attributes than
    one, and gives texts as well.

    Parameters
    ----------
    value : onnx_ir.Value or None
        The value.

    Returns
    -------
    tensor or None
        None where the value is computed, or stored in one of Constant's scalar attributes.
    """
    if value is None:
        return None
    if value.is_initializer():
        return value.const_value
    node = value.producer()
    if node is not None and node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
        tensor: ir.TensorProtocol | None = attribute(node, "value", None)
        return tensor
    return None


def is_stored(value: ir.Value | None) -> bool:
    """Whether the file stores the value itself.

    Parameters
    ----------
    value : onnx_ir.Value or None
        The value.

    Returns
    -------
    bool
    """
    if value is None:
        return False
    node = value.producer()
    return value.is_initializer() or (node is not None and node.op_type == "Constant")


def stored_size(value: ir.Value | None) -> int | None:
    """Elements of a stored value.

    Parameters
    ----------
    value : onnx_ir.Value or None
        The value.

    Returns
    -------
    int or None
        None where the value is computed.
    """
    tensor = stored_tensor(value)
    if tensor is not None:
        return int(tensor.size)
    values = constant(value) if is_stored(value) else None
    return None if values is None else int(values.size)


def stored_shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """Shape that the file states for a value.

    Parameters
    ----------
    value : onnx_ir.Value or None
        The value.

    Returns
    -------
    tuple of int or None
        Of the tensor it stores, or of its type; None where neither tells.
    """
    tensor = stored_tensor(value)
    if tensor is not None:
        return tuple(int(n) for n in tensor.shape.numpy())
    if value is None or value.shape is None:
        return None
    dims = [dim for dim in value.shape if isinstance(dim, int)]
    return tuple(dims) if len(dims) == len(value.shape) else None


def constant(value: ir.Value | None) -> NDArray[Any] | None:
    """Read a stored value.

    Parameters
    ----------
    value : onnx_ir.Value or None
        The value.

    Returns
    -------
    ndarray or None
        None where the value is computed or left out.
    """
    tensor = stored_tensor(value)
    if tensor is not None:
        return np.asarray(tensor.numpy())
    if value is None or not is_stored(value):
        return None
    node = value.producer()
    if node is None:
        return None
    for name, dtype in (
        ("value_float", "f4"),
        ("value_floats", "f4"),
        ("value_int", "i8"),
        ("value_ints", "i8"),
    ):
        found = attribute(node, name, None)
        if found is not None:
            return np.asarray(found, dtype)
    return None


def users_of_pixels(value: ir.Value) -> list[ir.Node]:
    """Nodes that read a value, not merely its shape.

    Parameters
    ----------
    value : onnx_ir.Value
        The value.

    Returns
    -------
    list of onnx_ir.Node
    """
    return [node for node, _ in value.uses() if not operator_of(node).sizes_only]


def downstream(graph: ir.Graph, source: ir.Value) -> set[ir.Value]:
    """Values computed from one of the graph's inputs.

    Parameters
    ----------
    graph : onnx_ir.Graph
        In topological order, as ONNX demands.
    source : onnx_ir.Value
        The input.

    Returns
    -------
    set of onnx_ir.Value
        With the input itself. What a subgraph captures is not looked at; its node always counts.
    """
    reached = {source}
    for node in graph:
        if operator_of(node).subgraphs or any(value in reached for value in node.inputs if value):
            reached.update(node.outputs)
    return reached
