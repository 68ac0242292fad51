"""Half, brain and integer arithmetic, subgraphs, every opset: what comes out is what the file means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from support.models import Builder, channels_last, images, plain, quantised, residual, run_whole, save

from onnxdissect.errors import ModelRuntimeError
from onnxdissect.model import Network, load_network, open_session

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
OWN = {"domain": "com.microsoft"}


def activations(
    network: Network, batch: NDArray[Any], selector: str = "all"
) -> dict[str, NDArray[np.float32]]:
    session = open_session(network, network.select([selector]), provider="cpu", verify=batch)
    return dict(zip([layer.name for layer in session.layers], session(batch), strict=True))


def relative(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def test_half_precision(tmp_path: Path) -> None:
    whole = load_network(save(residual(), tmp_path / "whole.onnx"))
    half = load_network(save(residual(dtype=np.float16), tmp_path / "half.onnx"))
    assert half.input.dtype == "float16" and {layer.dtype for layer in half.layers} == {"float16"}
    batch = images(whole)
    found, expected = activations(half, batch.astype(np.float16)), activations(whole, batch)
    assert found.keys() == expected.keys()
    for name, maps in found.items():
        assert maps.dtype == np.float32
        assert relative(maps, expected[name]) < 5e-3


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph in float32, with the weights that a bfloat16 one has."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(BFLOAT16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


@pytest.mark.parametrize("build", [residual, channels_last])
def test_brain_floats_are_computed_in_float32(tmp_path: Path, build: Callable[..., onnx.ModelProto]) -> None:
    brain = load_network(save(build(dtype=BFLOAT16, opset=22), tmp_path / "brain.onnx"))
    whole = load_network(save(rounded(build(opset=22)), tmp_path / "whole.onnx"))
    assert brain.input.dtype == "float32"
    assert [layer.parameters for layer in brain.layers] == [layer.parameters for layer in whole.layers]
    batch = images(whole)
    found, expected = activations(brain, batch), activations(whole, batch)
    assert found.keys() == expected.keys()
    for name, maps in found.items():
        np.testing.assert_array_equal(maps, expected[name])
    session = open_session(brain, brain.select(["last"]), provider="cpu")
    assert any("bfloat16" in warning for warning in session.warnings)


def test_brain_floats_in_casts_constants_subgraphs_and_external_data(tmp_path: Path) -> None:
    def build(dtype: Any) -> onnx.ModelProto:
        b = Builder(opset=22)
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        x = b.node("Cast", b.image, to=kind)
        b.units[x] = 3
        weights = b.rng.normal(size=(4, 3, 3, 3)).astype(BFLOAT16).astype(dtype)
        b.initializers.append(numpy_helper.from_array(weights, "weights"))
        x = b.node("Conv", x, "weights", name="conv")
        scale = numpy_helper.from_array(np.asarray(1.5, dtype), "scale")
        x = b.node("Mul", x, b.node("Constant", value=scale), name="scaled")
        branches = {
            f"{kind_of}_branch": helper.make_graph(
                [helper.make_node(op, ["scaled"], [out])],
                kind_of,
                [],
                [helper.make_tensor_value_info(out, kind, None)],
            )
            for kind_of, op, out in (("then", "Relu", "t"), ("else", "Neg", "e"))
        }
        yes = b.constant(True, np.bool_)
        x = b.node("If", yes, name="chosen", **branches)
        x = b.node("Cast", x, to=TensorProto.FLOAT)
        b.units[x] = 4
        return b.model(b.relu(b.conv(x, 4, name="after"), name="out"))

    brain = build(BFLOAT16)
    tensor = next(t for t in brain.graph.initializer if t.name == "weights")
    (tmp_path / "weights.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    network = load_network(save(brain, tmp_path / "brain.onnx"))
    whole = load_network(save(build(np.float32), tmp_path / "whole.onnx"))
    batch = images(whole)
    found, expected = activations(network, batch), activations(whole, batch)
    assert found.keys() == expected.keys() >= {"conv", "scaled", "out"}
    for name, maps in found.items():
        np.testing.assert_array_equal(maps, expected[name])


def test_double_precision_is_refused_by_name(tmp_path: Path) -> None:
    path = save(plain(dtype=np.float64), tmp_path / "model.onnx")
    with pytest.raises(ModelRuntimeError, match="'Conv' for the types used here") as caught:
        load_network(path)
    assert "float32" in str(caught.value.hint)


def integers(zero: int, dtype: Any) -> Builder:
    """Operators that hand integers to each other; their names end in _q."""
    b = Builder(("N", 3, 16, 16), opset=19)
    s, z = b.constant(0.04), b.constant(zero, dtype)
    whole = (b.constant(1 / 255), b.constant(zero, dtype))
    kernels = b.constant(b.rng.integers(-90, 90, (4, 3, 3, 3)), np.int8)
    weight = (kernels, b.constant(0.01), b.constant(0, np.int8))
    x = b.node("QuantizeLinear", b.image, *whole, name="image_q")
    x = b.node("QLinearConv", x, *whole, *weight, s, z, pads=(1,) * 4, name="conv_q")
    y = b.node("QLinearLeakyRelu", x, s, z, s, z, alpha=0.1, name="leaky_q", **OWN)
    x = b.node("QLinearAdd", x, s, z, y, s, z, b.constant(0.07), z, name="sum_q", **OWN)
    x, _ = b.nodes("MaxPool", x, names=["pool_q", "where"], kernel_shape=(2, 2), strides=(2, 2))
    x = b.node("Transpose", x, perm=(0, 2, 3, 1), name="last_q")
    x = b.node("Transpose", x, perm=(0, 3, 1, 2), name="first_q")
    t = b.constant(0.07)
    x = b.node("QLinearConcat", t, z, x, t, z, x, t, z, axis=1, name="both_q", **OWN)
    x = b.node("QLinearGlobalAveragePool", x, t, z, t, z, name="mean_q", **OWN)
    b.node("DequantizeLinear", x, t, z, name="mean")
    return b


@pytest.mark.parametrize(("zero", "dtype"), [(0, np.uint8), (117, np.uint8), (-3, np.int8)])
def test_units_of_integer_graphs_are_what_the_integers_stand_for(
    tmp_path: Path, zero: int, dtype: Any
) -> None:
    model = integers(zero, dtype).model("mean", domains=[("com.microsoft", 1)])
    path = save(model, tmp_path / "integers.onnx")
    network = load_network(path)
    scales = {"conv_q": 0.04, "leaky_q": 0.04, "sum_q": 0.07, "pool_q": 0.07, "both_q": 0.07}
    batch = images(network)
    found = activations(network, batch)
    assert list(found) == [f"{name}/dequantised" for name in scales]
    stored = run_whole(path, list(scales), batch, optimise=dtype is np.uint8)
    for (name, scale), quantised_maps in zip(scales.items(), stored, strict=True):
        expected = (quantised_maps.astype(np.float32) - zero) * np.float32(scale)
        np.testing.assert_allclose(found[f"{name}/dequantised"], expected, rtol=1e-6)
    ops = {layer.name.partition("_q")[0]: layer.op for layer in network.layers}
    assert ops == {
        "conv": "QLinearConv",
        "leaky": "QLinearLeakyRelu",
        "sum": "QLinearAdd",
        "pool": "MaxPool",
        "both": "QLinearConcat",
    }


def test_integers_can_be_asked_for_by_their_own_name(tmp_path: Path) -> None:
    model = integers(0, np.uint8).model("mean", domains=[("com.microsoft", 1)])
    network = load_network(save(model, tmp_path / "integers.onnx"))
    assert [layer.name for layer in network.select(["sum_q"])] == ["sum_q/dequantised"]
    weights = 4 * 3 * 3 * 3
    assert {layer.parameters for layer in network.layers} == {weights}


def test_a_graph_that_dequantises_itself_gets_no_twins(tmp_path: Path) -> None:
    network = load_network(save(quantised(), tmp_path / "model.onnx"))
    assert not [layer for layer in network.layers if layer.name.endswith("/dequantised")]


def test_taken_node_names_are_left_alone(tmp_path: Path) -> None:
    model = integers(0, np.uint8).model("mean", domains=[("com.microsoft", 1)])
    for node in model.graph.node:
        node.name = node.output[0]
    network = load_network(save(model, tmp_path / "integers.onnx"))
    assert len(network.select(["all"])) == 5


@pytest.mark.parametrize(
    ("zero", "dtype", "stages"),
    [(0, np.uint8, ["sum_q", "both_q"]), (-128, np.int8, ["sum_q", "both_q"]), (117, np.uint8, ["sum_q"])],
)
def test_integers_without_negatives_have_left_a_nonlinearity(
    tmp_path: Path, zero: int, dtype: Any, stages: list[str]
) -> None:
    """Quantisers drop a Relu where the smallest integer stands for zero."""
    model = integers(zero, dtype).model("mean", domains=[("com.microsoft", 1)])
    network = load_network(save(model, tmp_path / "integers.onnx"))
    assert [layer.node for layer in network.select(["stages"])] == stages
    # what stands for integers is of the part of the network that they are of
    last = [layer.node for layer in network.layers].index(stages[-1])
    assert [layer.part for layer in network.layers[: last + 1]] == ["trunk"] * (last + 1)


def test_a_nonlinearity_fused_into_a_convolution(tmp_path: Path) -> None:
    b = Builder()
    weight = b.weight((4, 3, 3, 3))
    x = b.node("FusedConv", b.image, weight, activation="Relu", name="fused", **OWN)
    b.units[x] = 4
    x = b.conv(x, 4, name="plain")
    x = b.relu(b.conv(x, 4, stride=2), name="apart")
    path = save(b.model(x, domains=[("com.microsoft", 1)]), tmp_path / "model.onnx")
    assert [layer.name for layer in load_network(path).select(["stages"])] == ["fused", "apart"]


def branching(b: Builder, x: str) -> str:
    """Either branch captures values from outside, and one has a convolution with weights of its own."""
    weight = numpy_helper.from_array(np.ones((4, 4, 1, 1), np.float32), "inner/weight")
    then = helper.make_graph(
        [helper.make_node("Conv", [x, "inner/weight"], ["inner/then"])],
        "then",
        [],
        [helper.make_tensor_value_info("inner/then", TensorProto.FLOAT, None)],
        [weight],
    )
    other = helper.make_graph(
        [helper.make_node("Add", [x, "outer"], ["inner/else"])],
        "else",
        [],
        [helper.make_tensor_value_info("inner/else", TensorProto.FLOAT, None)],
    )
    b.constant(np.full((4, 1, 1), 0.5), name="outer")
    size = b.node("Gather", b.node("Shape", b.image), b.constant(2, np.int64))
    large = b.node("Greater", size, b.constant(24, np.int64))
    return b.node("If", large, name="branched", then_branch=then, else_branch=other)


def looping(b: Builder, x: str) -> str:
    """The same convolution three times; its weights lie outside the loop."""
    weight = b.weight((4, 4, 3, 3))
    body = helper.make_graph(
        [
            helper.make_node("Conv", ["inner/in", weight], ["inner/conv"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["inner/conv"], ["inner/out"]),
            helper.make_node("Identity", ["inner/on"], ["inner/go"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("inner/number", TensorProto.INT64, []),
            helper.make_tensor_value_info("inner/on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("inner/in", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("inner/go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("inner/out", TensorProto.FLOAT, None),
        ],
    )
    return b.node("Loop", b.constant(3, np.int64), b.constant(True, np.bool_), x, name="looped", body=body)


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("inner", [branching, looping])
def test_subgraphs_pass_through_untouched(
    tmp_path: Path, inner: Callable[[Builder, str], str], batch: str | int
) -> None:
    b = Builder((batch, 3, 32, 32))
    x = b.relu(b.conv(b.image, 4, name="before"), name="captured")
    y = inner(b, x)
    b.units[y] = 4
    x = b.relu(b.conv(y, 6, stride=2, name="after"), name="out")
    path = save(b.model(b.head(x)), tmp_path / "model.onnx")
    network = load_network(path)
    names = ["before", "captured", "after", "out"]
    maps = [layer for layer in network.layers if layer.layout == "NCHW"]
    assert [layer.name for layer in maps] == names
    fields = [layer.receptive_field for layer in maps]
    # what a subgraph does to the places of cells is not followed
    assert None not in fields[:2] and fields[2:] == [None, None]
    pictures = images(network, 1)
    found = activations(network, pictures)
    for name, expected in zip(names, run_whole(path, names, pictures), strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("opset", range(7, onnx.defs.onnx_opset_version() + 1))
def test_every_opset_that_onnxruntime_takes(tmp_path: Path, opset: int) -> None:
    path = save(plain(opset=opset), tmp_path / "model.onnx")
    try:
        network = load_network(path)
    except ModelRuntimeError as error:
        # the onnx package is ahead of onnxruntime
        assert opset > 21 and f"Opset {opset} is under development" in error.message
        assert "older opset" in str(error.hint)
        return
    assert network.opset == {"ai.onnx": opset}
    assert [layer.receptive_field for layer in network.select(["stages"])] == [
        layer.receptive_field
        for layer in load_network(save(plain(), tmp_path / "usual.onnx")).select(["stages"])
    ]
    batch = images(network)
    assert len(activations(network, batch)) == len(network.layers) >= 9


def test_an_operator_of_a_newer_opset_is_named(tmp_path: Path) -> None:
    b = Builder(opset=17)
    path = save(b.model(b.node("Gelu", b.conv(b.image, 4))), tmp_path / "model.onnx")
    with pytest.raises(ModelRuntimeError, match=r"no operator 'Gelu' .* at the model's opset") as caught:
        load_network(path)
    assert "export with an opset that has it" in str(caught.value.hint)


def test_a_file_format_newer_than_onnxruntime_reads(tmp_path: Path) -> None:
    """Only its number differs; operators have versions of their own."""
    model = plain()
    model.ir_version = onnx.IR_VERSION
    network = load_network(save(model, tmp_path / "newest.onnx"))
    assert network.ir_version == onnx.IR_VERSION
    usual = load_network(save(plain(), tmp_path / "usual.onnx"))
    batch = images(network)
    found, expected = activations(network, batch), activations(usual, batch)
    for name, maps in found.items():
        np.testing.assert_array_equal(maps, expected[name])


@pytest.mark.parametrize("size", [(32, 32), (50, 37), (11, 7)])
def test_a_resize_to_stored_sizes_does_not_freeze_the_batch(tmp_path: Path, size: tuple[int, int]) -> None:
    """Exporters that trace one image write the size of all four axes."""
    b = Builder((1, 3, 32, 32))
    x = b.conv(b.image, 4, stride=2)
    sizes = b.constant((1, 4, *size), np.int64)
    x = b.node("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode="align_corners")
    b.units[x] = 4
    path = save(b.model(b.relu(b.conv(x, 4), name="out")), tmp_path / "model.onnx")
    network = load_network(path)
    batch = images(network, 3)
    session = open_session(network, network.select(["out"]), provider="cpu", verify=batch)
    assert (session.fixed_batch, session.warnings) == (None, ())
    alone = [run_whole(path, ["out"], batch[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(session(batch)[0], np.concatenate(alone), rtol=1e-4, atol=1e-5)
