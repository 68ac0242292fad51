"""Networks of known cost for the benchmarks: the architectures of ResNet-18 and MobileNetV2, random weights.

What a layer costs does not depend on its weights; they are drawn so that activations neither vanish nor
explode from layer to layer, and batch normalisation is folded into them as exporters do.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 224


class Builder:
    """A graph as it grows, value by value."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def weight(self, name: str, values: NDArray[np.float32]) -> str:
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def conv(
        self, value: str, name: str, channels: tuple[int, int], side: int, stride: int = 1, group: int = 1
    ) -> str:
        fan = channels[0] // group * side * side
        shape = (channels[1], channels[0] // group, side, side)
        weights = self.random.normal(0, np.sqrt(2 / fan), shape)
        bias = self.random.normal(0, 0.1, channels[1])
        pad = side // 2
        inputs = [value, self.weight(f"{name}.w", weights), self.weight(f"{name}.b", bias)]
        options = {"strides": [stride] * 2, "pads": [pad] * 4, "kernel_shape": [side] * 2, "group": group}
        return self.add("Conv", inputs, name, **options)

    def save(self, path: Path, output: str) -> Path:
        graph = helper.make_graph(
            self.nodes,
            path.stem,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            self.weights,
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
        return path


def resnet18(folder: Path) -> Path:
    """1.8 billion multiplications an image, 64 units of 56x56 to 512 of 7x7 at the ends of its stages."""
    net = Builder(seed=18)
    value = net.add("Relu", [net.conv("image", "stem", (3, 64), 7, 2)], "stem.relu")
    value = net.add("MaxPool", [value], "stem.pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            inner = net.add(
                "Relu", [net.conv(value, f"{name}.a", (channels, width), 3, stride)], f"{name}.a.relu"
            )
            inner = net.conv(inner, f"{name}.b", (width, width), 3)
            if stride != 1:
                value = net.conv(value, f"{name}.short", (channels, width), 1, stride)
            value = net.add("Relu", [net.add("Add", [inner, value], f"{name}.sum")], f"{name}.relu")
            channels = width
    return _head(net, value, channels).save(folder / "resnet18.onnx", "logits")


def mobilenet_v2(folder: Path) -> Path:
    """0.3 billion multiplications an image, in inverted bottlenecks."""
    net = Builder(seed=2)
    value = _relu6(net, net.conv("image", "stem", (3, 32), 3, 2))
    channels, number = 32, 0
    plan = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2))
    for expand, width, blocks, stride in (*plan, (6, 320, 1, 1)):
        for block in range(blocks):
            name, inner, wide = f"block{number}", value, channels * expand
            if expand > 1:
                inner = _relu6(net, net.conv(inner, f"{name}.wide", (channels, wide), 1))
            step = stride if block == 0 else 1
            inner = _relu6(net, net.conv(inner, f"{name}.depth", (wide, wide), 3, step, wide))
            inner = net.conv(inner, f"{name}.out", (wide, width), 1)
            same = step == 1 and channels == width
            value = net.add("Add", [inner, value], f"{name}.sum") if same else inner
            channels, number = width, number + 1
    value = _relu6(net, net.conv(value, "last", (channels, 1280), 1))
    return _head(net, value, 1280).save(folder / "mobilenet_v2.onnx", "logits")


def _relu6(net: Builder, value: str) -> str:
    for name, bound in (("zero", 0.0), ("six", 6.0)):
        if all(weight.name != name for weight in net.weights):
            net.weight(name, np.array(bound))
    return net.add("Clip", [value, "zero", "six"], f"{value}.relu6")


def _head(net: Builder, value: str, channels: int) -> Builder:
    value = net.add("GlobalAveragePool", [value], "pooled")
    value = net.add("Flatten", [value], "features")
    weights = net.random.normal(0, 0.05, (channels, 1000))
    net.add("MatMul", [value, net.weight("head", weights)], "logits")
    return net
