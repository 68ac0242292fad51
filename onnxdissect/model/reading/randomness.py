"""Operators that draw numbers: a network that holds one gives something else each time it is run."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import onnx_ir as ir

from onnxdissect.model.graph import constant, name_of, opset_of

__all__ = ["describe_draws", "random_nodes"]

_DRAWING = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
_DROPOUTS = frozenset({"BiasDropout", "BitmaskBiasDropout", "BitmaskDropout", "Dropout"})
_TRAINING_INPUT = {"BiasDropout": 4, "BitmaskBiasDropout": 4}
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
    nodes = list(graph)
    if upstream_of is not None:
        needed = set(upstream_of)
        kept = []
        for node in reversed(nodes):
            if any(value.name in needed for value in node.outputs):
                kept.append(node)
                needed.update(name_of(value) for value in _read(node))
        nodes = kept[::-1]
    return [inner for node in nodes for inner in (node, *_within(node)) if _draws(inner)]


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
    training = [node for node in nodes if node.op_type in _DROPOUTS]
    drawing = [node for node in nodes if node.op_type not in _DROPOUTS]
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
    if node.op_type in _DRAWING:
        return node.domain in ("", "ai.onnx")
    if node.op_type not in _DROPOUTS:
        return False
    version = opset_of(node)
    if node.domain in ("", "ai.onnx") and version is not None and version < 12:
        # before there was an input for it, onnxruntime never drops
        return False
    index = _TRAINING_INPUT.get(node.op_type, 2)
    mode = node.inputs[index] if index < len(node.inputs) else None
    if mode is None or _is_zero(node.inputs[index - 1]):
        return False
    stored = constant(mode)
    return stored is None or bool(stored.any())


def _is_zero(ratio: ir.Value | None) -> bool:
    stored = constant(ratio) if ratio is not None else None
    return stored is not None and not stored.any()


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
