"""One graph, written in another order of its nodes."""

from __future__ import annotations

import random

import onnx


def reordered(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """Write a model's nodes depth first from its outputs, in an order that is drawn."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    draw = random.Random(seed)
    done: dict[str, onnx.NodeProto] = {}

    def visit(node: onnx.NodeProto) -> None:
        if node.output[0] in done:
            return
        operands = [name for name in node.input if name in made_by]
        draw.shuffle(operands)
        for name in operands:
            visit(made_by[name])
        done[node.output[0]] = node

    starts = list(model.graph.node)
    draw.shuffle(starts)
    for node in starts:
        visit(node)
    turned = onnx.ModelProto()
    turned.CopyFrom(model)
    del turned.graph.node[:]
    turned.graph.node.extend(done.values())
    return turned
