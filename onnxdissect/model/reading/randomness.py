"""Operators by which a network disagrees with itself: that draw numbers, or normalise by the whole batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import onnx_ir as ir

from onnxdissect.model.graph import attribute, constant, name_of, opset_of
from onnxdissect.model.operators.lookup import is_followed, operator_of
from onnxdissect.model.operators.rules import Axes

__all__ = ["batch_statistics", "describe_draws", "describe_statistics", "random_nodes"]

_SHOWN = 3


def random_nodes(graph: ir.Graph, upstream_of: Collection[str] | None = None) -> list[ir.Node]:
    """Find the nodes that draw numbers, those in subgraphs included.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    upstream_of : collection of str, optional
        Values; only nodes that one of them depends on. By default all nodes of the graph.

    Returns
    -------
    list of onnx_ir.Node
        In the graph's order.
    """
    return [node for node in _nodes(graph, upstream_of) if _draws(node)]


def batch_statistics(graph: ir.Graph, upstream_of: Collection[str] | None = None) -> list[ir.Node]:
    """Find the normalisations in training mode, whose results depend on the other images of the batch.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    upstream_of : collection of str, optional
        Values; only nodes that one of them depends on. By default all nodes of the graph.

    Returns
    -------
    list of onnx_ir.Node
        In the graph's order. Without those between reshapes that lay the images among the units, which are
        exporters' spelling of a normalisation of each image by itself.
    """
    return [node for node in _nodes(graph, upstream_of) if _trains(node) and not _each_by_itself(node)]


def describe_statistics(nodes: Iterable[ir.Node]) -> tuple[str, str]:
    """Say what normalises by the batch, and what would help.

    Parameters
    ----------
    nodes : iterable of onnx_ir.Node
        As `batch_statistics` gives them, at least one.

    Returns
    -------
    said, hint : str
    """
    nodes = list(nodes)
    said = f"{_named(nodes)} {'is' if len(nodes) == 1 else 'are'} in training mode"
    return said, "export the network with model.eval()"


def describe_draws(nodes: Iterable[ir.Node]) -> tuple[str, str]:
    """Say what draws numbers, and what would help.

    Parameters
    ----------
    nodes : iterable of onnx_ir.Node
        As `random_nodes` gives them.

    Returns
    -------
    said, hint : str
        Empty, both, where there is no such node.
    """
    nodes = list(nodes)
    training = [node for node in nodes if _drops(node)]
    drawing = [node for node in nodes if not _drops(node)]
    said = []
    if training:
        said.append(f"{_named(training)} {'is' if len(training) == 1 else 'are'} in training mode")
    if drawing:
        said.append(f"{_named(drawing)} {'draws' if len(drawing) == 1 else 'draw'} numbers")
    if not said:
        return "", ""
    hint = "export the network for inference" if drawing else "export the network with model.eval()"
    return " and ".join(said), hint


def _named(nodes: list[ir.Node]) -> str:
    shown = [f"{node.op_type} ({node.name or name_of(node.outputs[0])})" for node in nodes[:_SHOWN]]
    more = [f"{len(nodes) - _SHOWN} more"] if len(nodes) > _SHOWN else []
    return ", ".join([*shown, *more])


def _draws(node: ir.Node) -> bool:
    operator = operator_of(node)
    if operator.draws:
        return is_followed(node)
    index = operator.training_input
    if index is None:
        return False
    version = opset_of(node)
    if node.domain in ("", "ai.onnx") and version is not None and version < 12:
        # before there was an input for it, onnxruntime never drops
        return False
    mode = node.inputs[index] if index < len(node.inputs) else None
    if mode is None or _is_zero(node.inputs[index - 1]):
        return False
    stored = constant(mode)
    return stored is None or bool(stored.any())


def _drops(node: ir.Node) -> bool:
    return operator_of(node).training_input is not None


def _trains(node: ir.Node) -> bool:
    if not operator_of(node).training_mode or not is_followed(node):
        return False
    version = opset_of(node)
    if version is not None and version < 14:
        # before there was an attribute for it, asking for the statistics was asking for training
        return sum(bool(value.name) for value in node.outputs) > 1
    return bool(attribute(node, "training_mode", 0))


def _each_by_itself(node: ir.Node) -> bool:
    operand = node.inputs[0]
    producer = None if operand is None else operand.producer()
    users = [user for user, _ in node.outputs[0].uses()]
    if producer is None or not _reshapes(producer) or not users:
        return False
    target = constant(producer.inputs[1])
    return target is not None and int(target.flat[0]) == 1 and all(map(_reshapes, users))


def _reshapes(node: ir.Node) -> bool:
    return operator_of(node).axes is Axes.RESHAPED


def _is_zero(ratio: ir.Value | None) -> bool:
    stored = constant(ratio) if ratio is not None else None
    return stored is not None and not stored.any()


def _nodes(graph: ir.Graph, upstream_of: Collection[str] | None) -> list[ir.Node]:
    nodes = list(graph)
    if upstream_of is not None:
        needed = set(upstream_of)
        kept = []
        for node in reversed(nodes):
            if any(value.name in needed for value in node.outputs):
                kept.append(node)
                needed.update(name_of(value) for value in _read(node))
        nodes = kept[::-1]
    return [inner for node in nodes for inner in (node, *_within(node))]


def _within(node: ir.Node) -> list[ir.Node]:
    graphs = [
        graph
        for found in node.attributes.values()
        for graph in (
            [found.value]
            if found.type == ir.AttributeType.GRAPH
            else found.value
            if found.type == ir.AttributeType.GRAPHS
            else []
        )
    ]
    return [inner for graph in graphs for inner in graph.all_nodes()]


def _read(node: ir.Node) -> list[ir.Value]:
    return [value for one in (node, *_within(node)) for value in one.inputs if value is not None]
