"""The converter of Caffe networks: each layer against Caffe's own formulas in plain loops, and bad input."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from onnxdissect.model import choose_preprocessing, load_network

Array = NDArray[np.float32]

HERE = Path(__file__).parents[1]
RECIPES = HERE.parent / "models" / "export"
EXPORTS = HERE / "exports"


def recipe(name: str) -> ModuleType:
    """A module of models/export, which is a folder of scripts and no package."""
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


wire, text, graph = (recipe(name) for name in ("caffe_wire", "caffe_text", "caffe_graph"))


def run(layers: str, image: Array, blobs: dict[str, list[Array]]) -> dict[str, Array]:
    """Convert layers that follow an input `data`, through the bytes of both files, and run them."""
    dims = " ".join(f"dim: {n}" for n in image.shape)
    prototxt = f'name: "t" input: "data" input_shape {{ {dims} }}\n{layers}'
    kept = {name: ("Any", arrays) for name, arrays in (blobs or {"other": [np.ones(1, np.float32)]}).items()}
    weights = wire.read_blobs(wire.write_blobs("t", kept))
    model = graph.convert(text.parse_architecture(prototxt), weights)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"data": image}), strict=True))


def drawn(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def convolved(
    x: Array, weight: Array, bias: Array, stride: int, pad: int, dilation: int, group: int
) -> Array:
    """Caffe's convolution, one number at a time."""
    n, channels, h, w = x.shape
    units, share, kh, kw = weight.shape
    padded = np.zeros((n, channels, h + 2 * pad, w + 2 * pad))
    padded[:, :, pad : pad + h, pad : pad + w] = x
    out_h = (h + 2 * pad - (dilation * (kh - 1) + 1)) // stride + 1
    out_w = (w + 2 * pad - (dilation * (kw - 1) + 1)) // stride + 1
    result = np.zeros((n, units, out_h, out_w))
    for i, k, r, c in itertools.product(range(n), range(units), range(out_h), range(out_w)):
        first = k // (units // group) * share
        total = float(bias[k])
        for j, a, b in itertools.product(range(share), range(kh), range(kw)):
            total += (
                weight[k, j, a, b]
                * padded[i, first + j, r * stride + a * dilation, c * stride + b * dilation]
            )
        result[i, k, r, c] = total
    return result.astype(np.float32)


def pooled(x: Array, kernel: int, stride: int, pad: int, average: bool) -> Array:
    """Caffe's pooling: sizes rounded up, the mean over the window within the padding."""
    n, channels, h, w = x.shape

    def cells(size: int) -> int:
        count = math.ceil((size + 2 * pad - kernel) / stride) + 1
        if pad and (count - 1) * stride >= size + pad:
            count -= 1
        return count

    result = np.zeros((n, channels, cells(h), cells(w)), np.float32)
    for r, c in itertools.product(range(cells(h)), range(cells(w))):
        top, left = r * stride - pad, c * stride - pad
        bottom, right = min(top + kernel, h + pad), min(left + kernel, w + pad)
        area = (bottom - top) * (right - left)
        window = x[:, :, max(top, 0) : min(bottom, h), max(left, 0) : min(right, w)]
        result[:, :, r, c] = window.sum((2, 3)) / area if average else window.max((2, 3))
    return result


@given(
    st.integers(0, 999),
    st.tuples(st.integers(5, 9), st.integers(5, 9)),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 2),
    st.integers(1, 2),
    st.sampled_from([1, 2]),
)
@settings(max_examples=25, deadline=None)
def test_convolution(
    seed: int, size: tuple[int, int], kernel: int, stride: int, pad: int, dilation: int, group: int
) -> None:
    x, weight, bias = (
        drawn(seed, 2, 4, *size),
        drawn(seed + 1, 6, 4 // group, kernel, kernel),
        drawn(seed + 2, 6),
    )
    layer = (
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 6 '
        f"kernel_size: {kernel} stride: {stride} pad: {pad} dilation: {dilation} group: {group} }} }}"
    )
    found = run(layer, x, {"c": [weight, bias]})["c"]
    np.testing.assert_allclose(found, convolved(x, weight, bias, stride, pad, dilation, group), atol=2e-5)


@given(
    st.integers(0, 999),
    st.tuples(st.integers(4, 12), st.integers(4, 12)),
    st.integers(2, 4),
    st.integers(1, 3),
    st.integers(0, 2),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_pooling(seed: int, size: tuple[int, int], kernel: int, stride: int, pad: int, average: bool) -> None:
    pad = min(pad, kernel - 1)
    stride = min(stride, kernel)
    x = drawn(seed, 2, 3, *size)
    layer = (
        'layer { name: "p" type: "Pooling" bottom: "data" top: "p" '
        f"pooling_param {{ pool: {'AVE' if average else 'MAX'} "
        f"kernel_size: {kernel} stride: {stride} pad: {pad} }} }}"
    )
    np.testing.assert_allclose(run(layer, x, {})["p"], pooled(x, kernel, stride, pad, average), atol=2e-6)


def test_normalisation_over_channels() -> None:
    x = 3 * drawn(1, 1, 7, 3, 2)
    layer = (
        'layer { name: "n" type: "LRN" bottom: "data" top: "n" '
        "lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 k: 2 } }"
    )
    expected = np.empty_like(x)
    for k in range(7):
        near = x[:, max(k - 1, 0) : k + 2]
        expected[:, k] = x[:, k] / (2 + 0.5 / 3 * (near**2).sum(1)) ** 0.6
    np.testing.assert_allclose(run(layer, x, {})["n"], expected, rtol=1e-5)


def test_batch_normalisation_and_scale() -> None:
    x = drawn(2, 2, 3, 2, 2)
    mean, variance = drawn(3, 3), np.abs(drawn(4, 3)) + np.float32(0.5)
    gamma, beta = drawn(5, 3), drawn(6, 3)
    layers = """layer { name: "b" type: "BatchNorm" bottom: "data" top: "x" batch_norm_param { eps: 0.001 } }
                layer { name: "s" type: "Scale" bottom: "x" top: "x" scale_param { bias_term: true } }"""
    blobs: dict[str, list[Array]] = {
        "b": [mean * 8, variance * 8, np.array([8], np.float32)],
        "s": [gamma, beta],
    }
    wide = (slice(None), None, None)
    expected = (x - mean[wide]) / np.sqrt(variance[wide] + 0.001) * gamma[wide] + beta[wide]
    np.testing.assert_allclose(run(layers, x, blobs)["s"], expected, atol=1e-5)


def test_elementwise_prelu_concatenation_and_dense() -> None:
    x = drawn(7, 2, 3, 2, 2)
    slope, weight, bias = drawn(8, 3), drawn(9, 4, 24), drawn(10, 4)
    layers = """
      layer { name: "p" type: "PReLU" bottom: "data" top: "p" }
      layer { name: "sum" type: "Eltwise" bottom: "p" bottom: "data" top: "sum"
              eltwise_param { operation: SUM coeff: 2 coeff: -0.5 } }
      layer { name: "max" type: "Eltwise" bottom: "p" bottom: "sum" top: "max"
              eltwise_param { operation: MAX } }
      layer { name: "mul" type: "Eltwise" bottom: "p" bottom: "sum" top: "mul"
              eltwise_param { operation: 0 } }
      layer { name: "cat" type: "Concat" bottom: "max" bottom: "mul" top: "cat" }
      layer { name: "fc" type: "InnerProduct" bottom: "cat" top: "fc" inner_product_param { num_output: 4 } }
      layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" }
      layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }"""
    rectified = np.where(x > 0, x, x * slope[:, None, None])
    added = 2 * rectified - 0.5 * x
    joined = np.concatenate([np.maximum(rectified, added), rectified * added], axis=1)
    scores = joined.reshape(2, 24) @ weight.T + bias
    shares = np.exp(scores - scores.max(1, keepdims=True))
    found = run(layers, x, {"p": [slope], "fc": [weight, bias]})
    np.testing.assert_allclose(found["prob"], shares / shares.sum(1, keepdims=True), atol=1e-5)


def test_global_pooling_gates_and_transposed_convolution() -> None:
    x, weight = drawn(11, 2, 3, 4, 5), drawn(12, 3, 2, 2, 2)
    layers = """
      layer { name: "g" type: "Pooling" bottom: "data" top: "g"
              pooling_param { pool: AVE global_pooling: true } }
      layer { name: "f" type: "Flatten" bottom: "g" top: "f" }
      layer { name: "copy" type: "Split" bottom: "data" top: "data1" top: "data2" }
      layer { name: "s" type: "Scale" bottom: "data2" bottom: "f" top: "s" scale_param { axis: 0 } }
      layer { name: "d" type: "Deconvolution" bottom: "s" top: "d"
              convolution_param { num_output: 2 kernel_size: 2 stride: 2 bias_term: false } }"""
    gated = x * x.mean((2, 3), keepdims=True)
    expected = np.zeros((2, 2, 8, 10), np.float32)
    for a, b in itertools.product(range(2), range(2)):
        expected[:, :, a::2, b::2] = np.einsum("nchw,ck->nkhw", gated, weight[:, :, a, b])
    np.testing.assert_allclose(run(layers, x, {"d": [weight]})["d"], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ('type: "Sigmoid"', lambda x: 1 / (1 + np.exp(-x))),
        ('type: "TanH"', np.tanh),
        ('type: "AbsVal"', np.abs),
        ('type: "Power" power_param { power: 2 scale: 0.5 shift: 3 }', lambda x: (3 + 0.5 * x) ** 2),
        ('type: "Power" power_param { shift: -1 }', lambda x: x - 1),
        ('type: "ReLU" relu_param { negative_slope: 0.2 }', lambda x: np.where(x > 0, x, 0.2 * x)),
        ('type: "ReLU"', lambda x: np.maximum(x, 0)),
    ],
)
def test_layers_of_single_numbers(layer: str, expected: Callable[[Array], Array]) -> None:
    x = drawn(14, 2, 3, 4, 4)
    found = run(f'layer {{ name: "y" bottom: "data" top: "y" {layer} }}', x, {})["y"]
    np.testing.assert_allclose(found, expected(x), atol=1e-6)


def test_the_first_schema_and_training_layers_are_read() -> None:
    prototxt = """
      # as written in 2014
      name: 'old'; input: "data" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 3
      layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2
               convolution_param < num_output: 2, kernel_size: 1 > }
      layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
      layers { name: "loss" type: SOFTMAX_LOSS bottom: "conv" bottom: "label" include { phase: TRAIN } }"""
    weight = drawn(13, 2, 2, 1, 1)
    # V1LayerParameter in field 2: name 4, blobs 6, whose shape is four legacy numbers and unpacked floats
    legacy = b"\x08\x02\x10\x02\x18\x01\x20\x01" + b"".join(b"\x2d" + w.tobytes() for w in weight.ravel())
    bias = b"\x08\x01\x10\x01\x18\x01\x20\x02" + b"\x2a\x08" + bytes(8)
    layer = b"\x22\x04conv" + b"".join(b"\x32" + bytes([len(b)]) + b for b in (legacy, bias))
    blobs = wire.read_blobs(b"\x0a\x03old\x12" + bytes([len(layer)]) + layer)
    np.testing.assert_array_equal(blobs["conv"][0], weight)
    model = graph.convert(text.parse_architecture(prototxt), blobs)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu"]
    assert [output.name for output in model.graph.output] == ["relu"]


@pytest.mark.parametrize("cut", [3, 40, 400, 5000])
def test_a_cut_file_is_refused(cut: int) -> None:
    whole = (EXPORTS / "caffe.caffemodel").read_bytes()
    with pytest.raises(wire.CaffeError):
        wire.read_blobs(whole[:-cut] if cut < 5000 else whole[:7])


@pytest.mark.parametrize(
    ("prototxt", "said"),
    [
        ('layer { name: "x" type: "Warp" bottom: "data" top: "x" }', "'Warp', which is not converted"),
        ('layer { name: "x" type: "ReLU" bottom: "dada" top: "x" }', "'dada', which no layer"),
        ('layer { name: "x" type: "PReLU" bottom: "data" top: "x" }', "has 0 blobs, it needs 1"),
        (
            'layer { name: "x" type: "Pooling" bottom: "data" top: "x" pooling_param { pool: STOCHASTIC } }',
            "pools by 'STOCHASTIC'",
        ),
        (
            'layer { name: "x" type: "LRN" bottom: "data" top: "x" '
            "lrn_param { norm_region: WITHIN_CHANNEL } }",
            "normalises WITHIN_CHANNEL",
        ),
        ('layer { name: "x"', "cut short"),
        ("<html>", "expected the name of a field on line"),
        ("layer ( )", "is this a prototxt"),
    ],
)
def test_what_cannot_be_converted_is_said(prototxt: str, said: str) -> None:
    with pytest.raises(wire.CaffeError, match=said):
        run(prototxt, drawn(0, 1, 3, 4, 4), {})


def test_a_prototxt_for_training_has_no_input() -> None:
    with pytest.raises(wire.CaffeError, match="for deployment"):
        text.parse_architecture('layer { name: "d" type: "Data" top: "data" include { phase: TRAIN } }')


def test_weights_of_another_network_are_refused() -> None:
    layer = (
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" '
        "convolution_param { num_output: 6 kernel_size: 3 } }"
    )
    with pytest.raises(wire.CaffeError, match=r"has weights \[6, 4, 2, 2\], expected \[6, 3, 3, 3\]"):
        run(layer, drawn(0, 1, 3, 4, 4), {"c": [drawn(1, 6, 4, 2, 2), drawn(2, 6)]})


def convert(*options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RECIPES / "caffe_to_onnx.py"), *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_converts_and_stores_the_preprocessing(tmp_path: Path) -> None:
    mean = [103.939, 116.779, 123.68]
    files = EXPORTS / "caffe.prototxt", EXPORTS / "caffe.caffemodel"
    done = convert(*files, "--mean", *mean, "--out", tmp_path / "net.onnx")
    assert done.returncode == 0, done.stderr
    made, kept = onnx.load(tmp_path / "net.onnx"), onnx.load(EXPORTS / "caffe.onnx")
    assert made.graph == kept.graph
    chosen = choose_preprocessing(load_network(tmp_path / "net.onnx"))
    assert (chosen.name, chosen.source, chosen.channels) == ("caffe", "model metadata", "bgr")


def test_a_factor_after_the_mean_is_stored_as_its_inverse(tmp_path: Path) -> None:
    files = EXPORTS / "caffe.prototxt", EXPORTS / "caffe.caffemodel"
    assert convert(*files, "--mean", 1, 2, 3, "--scale", 0.5, "--out", tmp_path / "net.onnx").returncode == 0
    stored = {p.key: p.value for p in onnx.load(tmp_path / "net.onnx").metadata_props}
    preprocessing = json.loads(stored["onnxdissect.preprocessing"])
    assert preprocessing == {"mean": [1, 2, 3], "std": [2, 2, 2], "scale": 1, "channels": "bgr"}


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    done = convert(EXPORTS / "caffe.prototxt", EXPORTS / "caffe.prototxt", "--out", tmp_path / "net.onnx")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "net.onnx").exists()
