"""One small network per layout and number format, with whole numbers for weights: arithmetic is exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from support.models import Builder

SIZE = 12
"""Height and width of the pictures of `support.small_runs.broden`."""
UNITS = 5


class WholeNumbers(Builder):
    def weight(self, shape: Sequence[int]) -> str:
        return self.constant(self.rng.integers(-1, 2, shape))


def nchw(**options: Any) -> onnx.ModelProto:
    b = WholeNumbers(("N", 3, SIZE, SIZE), **options)
    return b.model(b.head(b.relu(b.conv(b.image, UNITS, stride=2), name="layer")))


def nhwc() -> onnx.ModelProto:
    b = WholeNumbers(("N", SIZE, SIZE, 3))
    b.units[b.image] = 3
    x = b.conv(b.node("Transpose", b.image, perm=(0, 3, 1, 2)), UNITS, stride=2)
    x = b.relu(b.node("Transpose", x, perm=(0, 2, 3, 1)), name="layer")
    return b.model(b.head(b.node("Transpose", x, perm=(0, 3, 1, 2))))


def tokens() -> onnx.ModelProto:
    b = WholeNumbers(("N", 3, SIZE, SIZE))
    x = b.conv(b.image, UNITS, 4, stride=4, pads=(0, 0, 0, 0))
    x = b.node("Reshape", x, b.constant([0, 0, -1], np.int64))
    x = b.relu(b.node("Transpose", x, perm=[0, 2, 1]), name="layer")
    return b.model(b.node("ReduceMean", x, axes=(1,), keepdims=0, name="pooled"))


def vectors() -> onnx.ModelProto:
    b = WholeNumbers(("N", 3, SIZE, SIZE))
    flat = b.node("Flatten", b.image)
    return b.model(b.relu(b.node("Gemm", flat, b.weight((3 * SIZE * SIZE, UNITS))), name="layer"))


def quantised() -> onnx.ModelProto:
    """QDQ with steps of one."""
    b = WholeNumbers(("N", 3, SIZE, SIZE))

    def round_trip(x: str, name: str) -> str:
        step, zero = b.constant(1), b.constant(0, np.uint8)
        return b.node("DequantizeLinear", b.node("QuantizeLinear", x, step, zero), step, zero, name=name)

    x = round_trip(b.image, "rounded")
    b.units[x] = 3
    integers = b.constant(b.rng.integers(-2, 3, (UNITS, 3, 3, 3)), np.int8)
    weight = b.node("DequantizeLinear", integers, b.constant(1), b.constant(0, np.int8))
    x = b.node("Conv", x, weight, strides=(1, 1), pads=(1, 1, 1, 1), name="conv")
    b.units[x] = UNITS
    return b.model(b.head(round_trip(b.relu(x), "layer")))


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "NCHW": nchw,
    "NHWC": nhwc,
    "tokens": tokens,
    "NC": vectors,
    "float16": lambda: nchw(dtype=np.float16),
    "int8": quantised,
}


def maps_of_layer(path: Path, kind: str, pictures: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """Activations of the value "layer", (n, units, h, w), by onnxruntime alone; pictures are raw."""
    proto = onnx.load(path)
    proto.graph.output.append(onnx.ValueInfoProto(name="layer"))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    batch = np.stack(pictures).astype(np.float16 if kind == "float16" else np.float32)
    if kind != "NHWC":
        batch = batch.transpose(0, 3, 1, 2)
    (found,) = session.run(["layer"], {proto.graph.input[0].name: np.ascontiguousarray(batch)})
    found = np.asarray(found, np.float32)
    if kind == "NHWC":
        return found.transpose(0, 3, 1, 2)
    if kind == "tokens":
        side = SIZE // 4
        return found.transpose(0, 2, 1).reshape(len(batch), UNITS, side, side)
    return found[:, :, None, None] if kind == "NC" else found
