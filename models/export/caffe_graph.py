"""A Caffe network as an ONNX graph, layer by layer, with Caffe's own arithmetic of sizes.

Every value carries its layer's name; a layer that changes a blob in place makes a new value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
from caffe_text import Architecture, CaffeLayer, Message
from caffe_wire import CaffeError
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["SUPPORTED", "convert"]

Array = NDArray[Any]
Shape = tuple[int, ...]
OPSET = 17


@dataclass(frozen=True, slots=True)
class _Graph:
    """A graph under construction: nodes, stored tensors, and each value's shape without the batch."""

    weights: Mapping[str, Sequence[Array]]
    shapes: dict[str, Shape] = field(default_factory=dict)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    stored: list[onnx.TensorProto] = field(default_factory=list)

    def store(self, name: str, array: Array) -> str:
        kind = np.int64 if array.dtype.kind in "iu" else np.float32
        self.stored.append(numpy_helper.from_array(np.ascontiguousarray(array, kind), name))
        return name

    def add(self, op: str, inputs: Sequence[str], output: str, shape: Shape, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=output, **attributes))
        self.shapes[output] = shape
        return output

    def blobs(self, layer: CaffeLayer, least: int) -> Sequence[Array]:
        found = self.weights.get(layer.name, ())
        if len(found) < least:
            raise CaffeError(f"layer {layer.name!r} ({layer.type}) has {len(found)} blobs, it needs {least}")
        return found


def convert(
    architecture: Architecture,
    weights: Mapping[str, Sequence[Array]],
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """Turn a Caffe network into an ONNX model with a free batch dimension.

    Parameters
    ----------
    architecture : Architecture
        From the `.prototxt`.
    weights : mapping of str to sequence of ndarray
        From the `.caffemodel`, by layer.
    metadata : mapping of str to str, optional
        Properties to store in the file.

    Returns
    -------
    onnx.ModelProto
        One output per blob that nothing reads.

    Raises
    ------
    CaffeError
        If a layer is of a type that is not converted, or its weights are missing or of another shape.
    """
    graph = _Graph(weights)
    graph.shapes.update({name: shape[1:] for name, shape in architecture.inputs.items()})
    current = {name: name for name in architecture.inputs}
    read: set[str] = set()
    for layer in architecture.layers:
        handler = _HANDLERS.get(layer.type)
        if handler is None:
            raise CaffeError(
                f"layer {layer.name!r} is of type {layer.type!r}, which is not converted; "
                f"these are: {', '.join(SUPPORTED)}"
            )
        missing = [name for name in layer.bottoms if name not in current]
        if missing:
            raise CaffeError(f"layer {layer.name!r} reads {missing[0]!r}, which no layer before it makes")
        sources = [current[name] for name in layer.bottoms]
        read.update(sources)
        current.update(dict.fromkeys(layer.tops, handler(graph, layer, sources)))
    outputs = [value for value in dict.fromkeys(current.values()) if value not in read]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            architecture.name or "caffe",
            [_info(name, shape[1:]) for name, shape in architecture.inputs.items()],
            [_info(name, graph.shapes[name]) for name in outputs],
            graph.stored,
        ),
        producer_name="caffe",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
    )
    helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model, full_check=True)
    return model


def _info(name: str, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])


def _pair(message: Message, name: str, default: int) -> tuple[int, int]:
    """(vertical, horizontal) of a size that may be one number, two, or two fields of their own."""
    short = name.removesuffix("_size")
    values = message.all(name)
    if f"{short}_h" in message.fields or f"{short}_w" in message.fields:
        return message.get(f"{short}_h", default), message.get(f"{short}_w", default)
    if not values:
        return default, default
    return values[0], values[-1]


def _convolution(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    given = layer.parameters("convolution_param")
    kernel = _pair(given, "kernel_size", 1)
    pad, stride, dilation = (
        _pair(given, name, n) for name, n in (("pad", 0), ("stride", 1), ("dilation", 1))
    )
    group, units = given.get("group", 1), given.get("num_output")
    channels, *size = graph.shapes[sources[0]]
    turned = layer.type == "Deconvolution"
    bias = given.get("bias_term", True)
    blobs = graph.blobs(layer, 2 if bias else 1)
    shape = (channels, units // group, *kernel) if turned else (units, channels // group, *kernel)
    if blobs[0].size != prod(shape):
        raise CaffeError(f"layer {layer.name!r} has weights {list(blobs[0].shape)}, expected {list(shape)}")
    inputs = [sources[0], graph.store(f"{layer.name}.weight", blobs[0].reshape(shape))]
    if bias:
        inputs.append(graph.store(f"{layer.name}.bias", blobs[1].ravel()))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if turned:
        out = [s * (n - 1) + r - 2 * p for s, n, r, p in zip(stride, size, reach, pad, strict=True)]
    else:
        out = [(n + 2 * p - r) // s + 1 for s, n, r, p in zip(stride, size, reach, pad, strict=True)]
    return graph.add(
        "ConvTranspose" if turned else "Conv",
        inputs,
        layer.name,
        (units, *out),
        kernel_shape=kernel,
        strides=stride,
        pads=[*pad, *pad],
        dilations=dilation,
        group=group,
    )


def _pooling(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    given = layer.parameters("pooling_param")
    kind = str(given.get("pool", "MAX"))
    if kind not in ("MAX", "AVE"):
        raise CaffeError(f"layer {layer.name!r} pools by {kind!r}; MAX and AVE are converted")
    channels, *size = graph.shapes[sources[0]]
    average = kind == "AVE"
    if given.get("global_pooling", False):
        op = "GlobalAveragePool" if average else "GlobalMaxPool"
        return graph.add(op, sources, layer.name, (channels, 1, 1))
    kernel, stride = _pair(given, "kernel_size", 1), _pair(given, "stride", 1)
    pad = _pair(given, "pad", 0)
    down = str(given.get("round_mode", "CEIL")) in ("FLOOR", "1")
    axes = [_pooled(*axis, any(pad), down) for axis in zip(size, kernel, stride, pad, strict=True)]
    out = (channels, *(cells for cells, _ in axes))
    over = [beyond for _, beyond in axes]
    windows: dict[str, Any] = {"kernel_shape": kernel, "strides": stride}
    if not average:
        # without padding ONNX rounds up as Caffe does
        ends = [p + o for p, o in zip(pad, over, strict=True)]
        rounding = {"pads": [*pad, *ends]} if any(pad) else {"ceil_mode": int(not down)}
        return graph.add("MaxPool", sources, layer.name, out, **windows, **rounding)
    if any(over) and any(pad):
        # the mean counts the padding, but not what a last window covers beyond it
        padded = (channels, *(n + 2 * p for n, p in zip(size, pad, strict=True)))
        pads = graph.store(f"{layer.name}.pads", np.array([0, 0, *pad, 0, 0, *pad]))
        sources, pad = [graph.add("Pad", [sources[0], pads], f"{layer.name}/padded", padded)], (0, 0)
    ends = [p + o for p, o in zip(pad, over, strict=True)]
    counted = int(not any(over))
    windows |= {"pads": [*pad, *ends], "count_include_pad": counted}
    return graph.add("AveragePool", sources, layer.name, out, **windows)


def _pooled(size: int, kernel: int, stride: int, pad: int, padded: bool, down: bool) -> tuple[int, int]:
    """Cells of a pooled axis, and cells that the last window covers beyond the padding."""
    room = size + 2 * pad - kernel
    cells = (room if down else room + stride - 1) // stride + 1
    # with padding, a window that would begin in the padding at the end is dropped
    if padded and (cells - 1) * stride >= size + pad:
        cells -= 1
    return cells, max((cells - 1) * stride - room, 0)


def _lrn(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    given = layer.parameters("lrn_param")
    region = str(given.get("norm_region", "ACROSS_CHANNELS"))
    if region not in ("ACROSS_CHANNELS", "0"):
        raise CaffeError(f"layer {layer.name!r} normalises {region}; ACROSS_CHANNELS is converted")
    numbers = {name: float(given.get(name, n)) for name, n in (("alpha", 1), ("beta", 0.75))}
    return graph.add(
        "LRN",
        sources,
        layer.name,
        graph.shapes[sources[0]],
        size=given.get("local_size", 5),
        bias=float(given.get("k", 1)),
        **numbers,
    )


def _relu(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    slope = float(layer.parameters("relu_param").get("negative_slope", 0))
    if slope:
        return graph.add("LeakyRelu", sources, layer.name, graph.shapes[sources[0]], alpha=slope)
    return graph.add("Relu", sources, layer.name, graph.shapes[sources[0]])


def _prelu(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    shape = graph.shapes[sources[0]]
    slope = graph.blobs(layer, 1)[0].reshape(-1, *([1] * (len(shape) - 1)))
    return graph.add("PRelu", [*sources, graph.store(f"{layer.name}.slope", slope)], layer.name, shape)


def _same(op: str) -> Callable[[_Graph, CaffeLayer, list[str]], str]:
    def handler(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
        return graph.add(op, sources[:1], layer.name, graph.shapes[sources[0]])

    return handler


def _batch_norm(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    mean, variance, factor = graph.blobs(layer, 3)[:3]
    # both are kept as sums, with what they are to be divided by
    share = 0.0 if factor.ravel()[0] == 0 else 1 / float(factor.ravel()[0])
    numbers = (np.ones(mean.size), np.zeros(mean.size), mean.ravel() * share, variance.ravel() * share)
    names = [
        graph.store(f"{layer.name}.{name}", array)
        for name, array in zip(("scale", "shift", "mean", "variance"), numbers, strict=True)
    ]
    epsilon = float(layer.parameters("batch_norm_param").get("eps", 1e-5))
    shape = graph.shapes[sources[0]]
    return graph.add("BatchNormalization", [*sources, *names], layer.name, shape, epsilon=epsilon)


def _scale(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    given = layer.parameters("scale_param")
    shape = graph.shapes[sources[0]]
    if len(sources) == 2:
        return _gate(graph, layer, sources)
    if given.get("axis", 1) != 1 or given.get("num_axes", 1) != 1:
        raise CaffeError(f"layer {layer.name!r} scales other axes than the channels, which is not converted")
    bias = given.get("bias_term", False)
    blobs = graph.blobs(layer, 2 if bias else 1)
    wide = (-1, *([1] * (len(shape) - 1)))
    factor = graph.store(f"{layer.name}.scale", blobs[0].reshape(wide))
    product = f"{layer.name}/scaled" if bias else layer.name
    graph.add("Mul", [sources[0], factor], product, shape)
    if not bias:
        return product
    shift = graph.store(f"{layer.name}.shift", blobs[1].reshape(wide))
    return graph.add("Add", [product, shift], layer.name, shape)


def _gate(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    """Scale a blob by another one, whose axes are the first of it."""
    shape, gate = graph.shapes[sources[0]], graph.shapes[sources[1]]
    if layer.parameters("scale_param").get("axis", 1) != 0 or layer.parameters("scale_param").get(
        "bias_term"
    ):
        raise CaffeError(f"layer {layer.name!r} scales by a blob along another axis than 0, or with a bias")
    if len(gate) < len(shape):
        lacking = graph.store(f"{layer.name}.axes", np.arange(len(gate) + 1, len(shape) + 1))
        wide = gate + (1,) * (len(shape) - len(gate))
        sources = [sources[0], graph.add("Unsqueeze", [sources[1], lacking], f"{layer.name}/gate", wide)]
    return graph.add("Mul", sources, layer.name, shape)


def _eltwise(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    given = layer.parameters("eltwise_param")
    operation = str(given.get("operation", "SUM"))
    ops = {"PROD": "Mul", "0": "Mul", "SUM": "Add", "1": "Add", "MAX": "Max", "2": "Max"}
    if operation not in ops:
        raise CaffeError(f"layer {layer.name!r} combines by {operation!r}; PROD, SUM and MAX are converted")
    shape = graph.shapes[sources[0]]
    factors = given.all("coeff") or [1] * len(sources)
    terms = []
    for i, (source, factor) in enumerate(zip(sources, factors, strict=True)):
        if factor != 1:
            number = graph.store(f"{layer.name}.factor{i}", np.array(float(factor)))
            source = graph.add("Mul", [source, number], f"{layer.name}/term{i}", shape)
        terms.append(source)
    total = terms[0]
    for i, term in enumerate(terms[1:], 1):
        name = layer.name if i == len(terms) - 1 else f"{layer.name}/sum{i}"
        total = graph.add(ops[operation], [total, term], name, shape)
    return total


def _inner_product(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    given = layer.parameters("inner_product_param")
    if given.get("axis", 1) != 1:
        raise CaffeError(f"layer {layer.name!r} multiplies along axis {given.get('axis')}; 1 is converted")
    units, inputs = given.get("num_output"), prod(graph.shapes[sources[0]])
    blobs = graph.blobs(layer, 2 if given.get("bias_term", True) else 1)
    across = bool(given.get("transpose", False))
    shape = (inputs, units) if across else (units, inputs)
    if blobs[0].size != prod(shape):
        raise CaffeError(f"layer {layer.name!r} has weights {list(blobs[0].shape)}, expected {list(shape)}")
    flat = graph.add("Flatten", sources, f"{layer.name}/flat", (inputs,), axis=1)
    operands = [flat, graph.store(f"{layer.name}.weight", blobs[0].reshape(shape))]
    if given.get("bias_term", True):
        operands.append(graph.store(f"{layer.name}.bias", blobs[1].ravel()))
    return graph.add("Gemm", operands, layer.name, (units,), transB=int(not across))


def _concat(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    given = layer.parameters("concat_param")
    axis = given.get("axis", given.get("concat_dim", 1))
    shapes = [graph.shapes[source] for source in sources]
    joined = list(shapes[0])
    joined[axis - 1] = sum(shape[axis - 1] for shape in shapes)
    return graph.add("Concat", sources, layer.name, tuple(joined), axis=axis)


def _softmax(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    axis = layer.parameters("softmax_param").get("axis", 1)
    return graph.add("Softmax", sources[:1], layer.name, graph.shapes[sources[0]], axis=axis)


def _power(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    given = layer.parameters("power_param")
    value, shape = sources[0], graph.shapes[sources[0]]
    steps = [("Mul", "scale", 1.0), ("Add", "shift", 0.0), ("Pow", "power", 1.0)]
    wanted = [
        (op, name, float(given.get(name, n))) for op, name, n in steps if float(given.get(name, n)) != n
    ]
    for i, (op, name, number) in enumerate(wanted):
        operand = graph.store(f"{layer.name}.{name}", np.array(number))
        output = layer.name if i == len(wanted) - 1 else f"{layer.name}/{name}"
        value = graph.add(op, [value, operand], output, shape)
    return value


def _flatten(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    shape = (prod(graph.shapes[sources[0]]),)
    return graph.add("Flatten", sources, layer.name, shape, axis=1)


def _nothing(graph: _Graph, layer: CaffeLayer, sources: list[str]) -> str:
    return sources[0]


_HANDLERS: dict[str, Callable[[_Graph, CaffeLayer, list[str]], str]] = {
    "AbsVal": _same("Abs"),
    "BatchNorm": _batch_norm,
    "Concat": _concat,
    "Convolution": _convolution,
    "Deconvolution": _convolution,
    "Dropout": _nothing,
    "Eltwise": _eltwise,
    "Flatten": _flatten,
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "PReLU": _prelu,
    "Pooling": _pooling,
    "Power": _power,
    "ReLU": _relu,
    "Scale": _scale,
    "Sigmoid": _same("Sigmoid"),
    "Softmax": _softmax,
    "Split": _nothing,
    "TanH": _same("Tanh"),
}

SUPPORTED = tuple(_HANDLERS)
"""Types of layer that are converted."""
