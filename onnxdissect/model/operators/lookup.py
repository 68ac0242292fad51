"""From a node to what is known of its operator."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.table import BUILT_IN, OperatorTable

__all__ = ["added_operators", "attach_operators", "is_followed", "joined_operands", "operator_of"]

_TABLE = "onnxdissect/operators"
"""Under this key a graph's notes hold the table by which it is read, where that is not the built-in one."""


def attach_operators(graph: ir.Graph, table: OperatorTable) -> None:
    """Have a graph read by a table of one's own.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph; its clones are read by the same table.
    table : OperatorTable
        The table.
    """
    graph.meta[_TABLE] = table


def added_operators(graph: ir.Graph) -> tuple[Operator, ...]:
    """List the operators of a graph whose entries are not built in.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.

    Returns
    -------
    tuple of Operator
        By domain and name.
    """
    used = {operator_of(node) for node in graph}
    table: OperatorTable = graph.meta.get(_TABLE, BUILT_IN)
    return tuple(sorted(used.intersection(table.added()), key=lambda operator: operator.label))


def operator_of(node: ir.Node) -> Operator:
    """Look up a node's operator.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.

    Returns
    -------
    Operator
        From the table of its graph; see `OperatorTable.find`.
    """
    return _table(node).find(node.op_type, node.domain)


def is_followed(node: ir.Node) -> bool:
    """Whether what is known of a node's operator counts for the axes of its results.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.

    Returns
    -------
    bool
        See `OperatorTable.follows`.
    """
    return _table(node).follows(node.op_type, node.domain)


def joined_operands(node: ir.Node) -> Sequence[ir.Value | None]:
    """Pick what a concatenation lays behind each other from among its inputs.

    Parameters
    ----------
    node : onnx_ir.Node
        The node.

    Returns
    -------
    sequence of onnx_ir.Value or None
        Without scales and zero points.
    """
    first, step = operator_of(node).operands
    return node.inputs[first::step]


def _table(node: ir.Node) -> OperatorTable:
    graph = node.graph
    # asked a hundred thousand times a network: a `get` that finds nothing takes several times as long
    if graph is None or _TABLE not in graph.meta:
        return BUILT_IN
    table: OperatorTable = graph.meta[_TABLE]
    return table
