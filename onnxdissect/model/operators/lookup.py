"""From a node to what is known of its operator."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.table import BUILT_IN, OperatorTable

__all__ = ["attach_operators", "is_followed", "joined_operands", "operator_of"]

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
    table: OperatorTable = BUILT_IN if graph is None else graph.meta.get(_TABLE, BUILT_IN)
    return table
