"""Numbers that a change of a graph brings along."""

from __future__ import annotations

import onnx_ir as ir
from numpy.typing import ArrayLike

__all__ = ["store"]


def store(graph: ir.Graph, name: str, array: ArrayLike) -> ir.Value:
    """Store an array in a graph.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph, changed in place.
    name : str
        Name of the value; no other value has it.
    array : array_like
        What to store; its element type becomes the value's.

    Returns
    -------
    onnx_ir.Value
    """
    value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
    graph.register_initializer(value)
    return value
