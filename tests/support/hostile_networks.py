"""Small networks that claim, repeat or never end: what a hostile file would hold, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

__all__ = [
    "call",
    "convolution",
    "doubling",
    "endless_loop",
    "function",
    "network",
    "save",
    "weights",
]

OWN = "own"
"""Domain of the functions."""


def weights(name: str = "w", units: int = 4, channels: int = 3) -> TensorProto:
    """Those of a convolution of three by three."""
    drawn = np.random.default_rng(0).normal(size=(units, channels, 3, 3)).astype(np.float32)
    return numpy_helper.from_array(drawn, name)


def convolution(source: str = "x", to: str = "c", stored: str = "w") -> NodeProto:
    """One that keeps the size of its map."""
    return helper.make_node("Conv", [source, stored], [to], name=f"conv_{to}", pads=[1, 1, 1, 1])


def network(
    nodes: Sequence[NodeProto],
    stored: Sequence[TensorProto] | None = None,
    *,
    shape: Sequence[int] = (1, 3, 16, 16),
    outputs: Sequence[str] = ("y",),
    functions: Sequence[onnx.FunctionProto] = (),
    opset: int = 17,
) -> onnx.ModelProto:
    """A model of an image input ``x``; nothing about it is checked."""
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        list(nodes),
        "hostile",
        [helper.make_tensor_value_info("x", floats, list(shape))],
        [helper.make_tensor_value_info(name, floats, None) for name in outputs],
        [weights()] if stored is None else list(stored),
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(OWN, 1)]
    return helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=8)


def save(model: onnx.ModelProto | bytes, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


def function(name: str, nodes: Sequence[NodeProto]) -> onnx.FunctionProto:
    """From ``a`` to ``b``."""
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(OWN, 1)]
    return helper.make_function(OWN, name, ["a"], ["b"], list(nodes), imports)


def call(name: str, source: str, to: str) -> NodeProto:
    return helper.make_node(name, [source], [to], domain=OWN)


def doubling(times: int) -> onnx.ModelProto:
    """Functions that each call the one before twice."""
    functions = [function("F0", [helper.make_node("Relu", ["a"], ["b"])])]
    functions += [
        function(f"F{i}", [call(f"F{i - 1}", "a", "t"), call(f"F{i - 1}", "t", "b")])
        for i in range(1, times + 1)
    ]
    return network([convolution(), call(f"F{times}", "c", "y")], functions=functions)


def endless_loop(source: str, to: str, condition: str) -> NodeProto:
    """A loop without a count whose condition stays what it is."""
    floats, truth = TensorProto.FLOAT, TensorProto.BOOL
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still"]), helper.make_node("Relu", ["a"], ["b"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", truth, []),
            helper.make_tensor_value_info("a", floats, None),
        ],
        [
            helper.make_tensor_value_info("still", truth, []),
            helper.make_tensor_value_info("b", floats, None),
        ],
    )
    return helper.make_node("Loop", ["", condition, source], [to], body=body)
