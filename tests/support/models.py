"""Tiny ONNX networks, one per thing that real exports do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from onnxdissect.model import Network

OPSET = 17
IR_VERSION = 10


class Builder:
    """Writes a graph node by node; values are handed around by name."""

    def __init__(
        self,
        shape: Sequence[int | str] = ("N", 3, 32, 32),
        *,
        dtype: Any = np.float32,
        opset: int = OPSET,
        seed: int = 0,
        positive: bool = False,
        input_name: str = "image",
    ) -> None:
        self.nodes_written: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.units: dict[str, int] = {}
        self.dtype = np.dtype(dtype)
        self.opset = opset
        self.rng = np.random.default_rng(seed)
        self.positive = positive
        self.image = input_name
        self.input = helper.make_tensor_value_info(
            input_name, helper.np_dtype_to_tensor_dtype(self.dtype), list(shape)
        )
        self.metadata: dict[str, str] = {}
        if len(shape) == 4 and isinstance(shape[1], int):
            self.units[input_name] = shape[1]

    def constant(self, array: Any, dtype: Any = None, name: str | None = None) -> str:
        name = name or f"const_{len(self.initializers)}"
        array = np.asarray(array, self.dtype if dtype is None else dtype)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, shape: Sequence[int]) -> str:
        values = self.rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)
        return self.constant(np.abs(values) + 0.1 if self.positive else values)

    def nodes(self, op: str, *inputs: str, names: Sequence[str], **attributes: Any) -> list[str]:
        self.nodes_written.append(
            helper.make_node(op, list(inputs), list(names), name=f"{names[0]}/node", **attributes)
        )
        for out in names:
            self.units[out] = next((self.units[x] for x in inputs if x in self.units), 0)
        return list(names)

    def node(self, op: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        number = sum(n.op_type == op for n in self.nodes_written)
        return self.nodes(op, *inputs, names=[name or f"{op}_{number}:0"], **attributes)[0]

    def conv(
        self,
        x: str,
        units: int,
        kernel: int | tuple[int, int] = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        pads: Sequence[int] | None = None,
        auto_pad: str | None = None,
        group: int = 1,
        name: str | None = None,
    ) -> str:
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        weight = self.weight((units, self.units[x] // group, *size))
        attributes: dict[str, Any] = {"kernel_shape": size, "strides": (stride,) * 2}
        if auto_pad is not None:
            attributes["auto_pad"] = auto_pad
        else:
            reach = [(k - 1) * dilation // 2 for k in size]
            attributes["pads"] = list(pads) if pads is not None else [*reach, *reach]
        if dilation != 1:
            attributes["dilations"] = (dilation,) * 2
        out = self.node("Conv", x, weight, name=name, group=group, **attributes)
        self.units[out] = units
        return out

    def relu(self, x: str, name: str | None = None) -> str:
        return self.node("Relu", x, name=name)

    def head(self, x: str, classes: int = 5) -> str:
        pooled = self.node("GlobalAveragePool", x)
        flat = self.node("Flatten", pooled)
        return self.node(
            "Gemm", flat, self.weight((self.units[x], classes)), self.weight((classes,)), name="logits"
        )

    def model(self, *outputs: str, domains: Sequence[tuple[str, int]] = ()) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes_written,
            "tiny",
            [self.input],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            self.initializers,
        )
        # output types are left to the reader where they are not needed; onnxruntime infers them
        opsets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(*d) for d in domains)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="tests", producer_version="1"
        )
        helper.set_model_props(model, self.metadata)
        return model


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def plain(**options: Any) -> onnx.ModelProto:
    """Three resolutions: 32 (two convolutions), 16, 8."""
    b = Builder(**options)
    x = b.relu(b.conv(b.image, 4, name="conv1"), name="relu1")
    x = b.relu(b.conv(x, 4, name="conv1b"), name="relu1b")
    x = b.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2), name="pool1")
    x = b.relu(b.conv(x, 6, name="conv2"), name="relu2")
    x = b.relu(b.conv(x, 8, stride=2, name="conv3"), name="relu3")
    return b.model(b.head(x))


def residual(**options: Any) -> onnx.ModelProto:
    """Two residual blocks, the second with a strided shortcut."""
    b = Builder(**options)
    x = b.relu(b.conv(b.image, 4), name="stem")
    y = b.conv(b.relu(b.conv(x, 4)), 4)
    x = b.relu(b.node("Add", x, y), name="block1")
    y = b.conv(b.relu(b.conv(x, 6, stride=2)), 6)
    x = b.relu(b.node("Add", b.conv(x, 6, 1, stride=2), y), name="block2")
    return b.model(b.head(x))


def channels_last(**options: Any) -> onnx.ModelProto:
    """An NHWC input, NCHW convolutions, NHWC biases and nonlinearities."""
    b = Builder(("N", 32, 32, 3), **options)
    b.units[b.image] = 3
    x = b.node("Transpose", b.image, perm=(0, 3, 1, 2))
    for i, stride in enumerate((1, 2)):
        x = b.conv(x, 4 + 2 * i, stride=stride, name=f"conv{i}")
        x = b.node("Transpose", x, perm=(0, 2, 3, 1), name=f"last{i}")
        x = b.node("Add", x, b.constant(b.rng.normal(size=b.units[x])), name=f"bias{i}")
        x = b.relu(x, name=f"relu{i}")
        x = b.node("Transpose", x, perm=(0, 3, 1, 2), name=f"first{i}")
    return b.model(b.head(x))


def frozen_batch(batch: int = 1, *, size: int = 16, allowzero: bool = False) -> onnx.ModelProto:
    """A batch size baked into the input and into the constants of a channel shuffle."""
    b = Builder((batch, 3, size, size))
    x = b.relu(b.conv(b.image, 4, name="conv1"), name="relu1")
    zero: dict[str, Any] = {"allowzero": 1} if allowzero else {}
    grouped = b.constant((batch, 2, 2, size, size), np.int64)
    x = b.node("Reshape", x, grouped, **zero)
    x = b.node("Transpose", x, perm=(0, 2, 1, 3, 4))
    x = b.node("Reshape", x, b.constant((batch, 4, -1 if not allowzero else size, size), np.int64), **zero)
    b.units[x] = 4
    x = b.relu(b.conv(x, 6, stride=2, name="conv2"), name="relu2")
    flat = b.node("Reshape", x, b.constant((batch, -1), np.int64))
    cells = 6 * (size // 2) ** 2
    return b.model(b.node("Gemm", flat, b.weight((cells, 5)), name="logits"))


def mixes_batch() -> onnx.ModelProto:
    """Values depend on the other images of a batch, so its size cannot be freed."""
    b = Builder((1, 3, 16, 16))
    x = b.relu(b.conv(b.image, 4, name="conv1"), name="relu1")
    mean = b.node("ReduceMean", x, axes=(0,), keepdims=1)
    x = b.relu(b.node("Sub", b.conv(x, 4), mean), name="relu2")
    return b.model(b.head(x))


def quantised(**options: Any) -> onnx.ModelProto:
    """QDQ int8: weights and activations rounded."""
    b = Builder(("N", 3, 16, 16), **options)

    def round_trip(x: str, scale: float, name: str) -> str:
        s, z = b.constant(scale), b.constant(0, np.uint8)
        integers = b.node("QuantizeLinear", x, s, z, name=f"{name}/int")
        return b.node("DequantizeLinear", integers, s, z, name=name)

    x = round_trip(b.image, 1 / 255, "image/rounded")
    for i, stride in enumerate((1, 2)):
        integers = b.constant(b.rng.integers(-127, 128, (4, b.units[x], 3, 3)), np.int8)
        weight = b.node("DequantizeLinear", integers, b.constant(0.01), b.constant(0, np.int8))
        x = b.node("Conv", x, weight, strides=(stride, stride), pads=(1, 1, 1, 1), name=f"conv{i}")
        b.units[x] = 4
        x = b.relu(x, name=f"relu{i}")
        x = round_trip(x, 0.05, f"relu{i}/rounded")
    return b.model(b.head(x))


def activated(kind: str) -> onnx.ModelProto:
    """One convolution and a nonlinearity, written as exporters decompose it; its last value is "out"."""
    b = Builder(("N", 3, 16, 16), opset=20 if kind in ("gelu20",) else OPSET)
    x = b.conv(b.image, 4, name="conv")
    bend: dict[str, Callable[[], str]] = {
        "relu": lambda: b.relu(x, name="out"),
        "clip": lambda: b.node("Clip", x, b.constant(0), b.constant(6), name="out"),
        "leaky": lambda: b.node("LeakyRelu", x, alpha=0.1, name="out"),
        "prelu": lambda: b.node("PRelu", x, b.constant(np.full((4, 1, 1), 0.2)), name="out"),
        "swish": lambda: b.node("Mul", x, b.node("Sigmoid", x), name="out"),
        "hardswish": lambda: b.node(
            "Div",
            b.node(
                "Mul",
                x,
                b.node("Clip", b.node("Add", x, b.constant(3)), b.constant(0), b.constant(6)),
            ),
            b.constant(6),
            name="out",
        ),
        "mish": lambda: b.node("Mul", x, b.node("Tanh", b.node("Softplus", x)), name="out"),
        "gelu": lambda: b.node(
            "Mul",
            b.node(
                "Mul",
                x,
                b.node("Add", b.node("Erf", b.node("Div", x, b.constant(np.sqrt(2)))), b.constant(1)),
            ),
            b.constant(0.5),
            name="out",
        ),
        "gelu20": lambda: b.node("Gelu", x, name="out"),
        "maximum": lambda: b.node("Max", x, b.constant(0), name="out"),
    }
    out = bend[kind]()
    b.units[out] = 4
    return b.model(b.head(b.conv(out, 4, name="after")))


def squeeze_excite() -> onnx.ModelProto:
    """A gate of one cell per unit weighs the map behind a nonlinearity."""
    b = Builder()
    x = b.relu(b.conv(b.image, 4, stride=2), name="relu1")
    gate = b.node("GlobalAveragePool", x, name="squeezed")
    gate = b.node("Sigmoid", b.conv(gate, 4, 1), name="gate")
    x = b.node("Mul", x, gate, name="weighed")
    return b.model(b.head(b.conv(x, 6, name="conv2")))


def inception() -> onnx.ModelProto:
    """Branches that are activated first and concatenated then."""
    b = Builder()
    x = b.relu(b.conv(b.image, 4, stride=2), name="stem")
    branches = [b.relu(b.conv(x, 4, k)) for k in (1, 3, 5)]
    pooled = b.node("MaxPool", x, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    x = b.node("Concat", *branches, pooled, axis=1, name="mixed")
    b.units[x] = 16
    return b.model(b.head(b.conv(x, 4, name="after")))


def encoder_decoder() -> onnx.ModelProto:
    """Down to a bottleneck and up again, with a skip connection."""
    b = Builder()
    fine = b.relu(b.conv(b.image, 4), name="fine")
    coarse = b.relu(b.conv(fine, 6, stride=2), name="coarse")
    deep = b.relu(b.conv(coarse, 8, stride=2), name="deep")
    scales = b.constant((1, 1, 2, 2), np.float32)
    up = b.node("Resize", deep, "", scales, mode="linear", name="up")
    x = b.node("Concat", coarse, up, axis=1, name="skip")
    b.units[x] = 14
    x = b.relu(b.conv(x, 6), name="decoded")
    return b.model(b.conv(x, 3, 1, name="segments"))


def fully_connected() -> onnx.ModelProto:
    """No map of units anywhere."""
    b = Builder(("N", 3, 8, 8))
    flat = b.node("Flatten", b.image)
    return b.model(b.relu(b.node("Gemm", flat, b.weight((192, 7)), name="hidden"), name="units"))


def unknown_operator(domain: str = "acme.vision") -> onnx.ModelProto:
    b = Builder()
    x = b.relu(b.conv(b.image, 4))
    x = b.node("Twirl", x, name="twirled", **({"domain": domain} if domain else {}))
    return b.model(x, domains=[(domain, 1)] if domain else [])


def with_external_data(path: Path, location: str = "plain.data") -> Path:
    """`plain` with its weights in a file beside it."""
    model = plain()
    data = bytearray()
    for tensor in model.graph.initializer:
        raw = numpy_helper.to_array(tensor).tobytes()
        offset = len(data)
        data.extend(raw)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", len(raw))):
            tensor.external_data.add(key=key, value=str(value))
    if "/" not in location:
        (path.parent / location).write_bytes(bytes(data))
    return save(model, path)


def images(network: Network, count: int = 2, seed: int = 0) -> NDArray[Any]:
    """Noise that fits a network's input."""
    rng = np.random.default_rng(seed)
    shape = network.input.shape(count, network.size)
    dtype = np.dtype(network.input.dtype)
    values = rng.integers(0, 256, shape) if dtype.kind in "iu" else rng.uniform(0, 1, shape)
    return np.asarray(values, dtype)


def run_whole(
    path: Path, names: Sequence[str], batch: NDArray[Any], *, optimise: bool = False
) -> list[NDArray[Any]]:
    """Run the file as it is, with some inner values as further outputs, by onnx and onnxruntime alone."""
    import onnxruntime

    model = onnx.load(path)
    there = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in there)
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimise else levels.ORT_DISABLE_ALL
    options.log_severity_level = 4
    # otherwise sums of integer products overflow on processors without VNNI, as they do unoptimised
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(list(names), {model.graph.input[0].name: batch}))
