"""What axes mean behind reshapes that are taken back, packed weights, and pictures without a batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from support.models import Builder, images, run_whole, save
from support.small_runs import broden

from onnxdissect.cli.main import main
from onnxdissect.errors import LayerLayoutError
from onnxdissect.model import Layer, Network, ReceptiveField, load_network, open_session
from onnxdissect.model.layout.overrides.hints import fitting_layouts
from onnxdissect.model.preprocessing.choice import choose_preprocessing


def load(model: onnx.ModelProto, folder: Path, **options: Any) -> Network:
    return load_network(save(model, folder / "model.onnx"), **options)


def named(network: Network, name: str) -> Layer:
    (layer,) = network.select([name])
    return layer


def activations(network: Network, layer: Layer, batch: NDArray[Any]) -> NDArray[np.float32]:
    session = open_session(network, [layer], verify=batch)
    (maps,) = session(batch)
    return maps


# ----------------------------------------------------------------------------------- group normalisation


def sizes(b: Builder, x: str, way: str) -> str:
    if way == "stored":
        return b.constant([-1, b.units[x], 16, 16], np.int64)
    return b.node("Shape", x)


def group_norm(b: Builder, x: str, way: str) -> str:
    units, groups = b.units[x], 4
    back = sizes(b, x, way)
    if way == "keras":
        # channels first, as (N, G, C / G, H, W), with its own statistics
        r = b.node("Reshape", x, b.constant([-1, groups, units // groups, 16, 16], np.int64))
        mean = b.node("ReduceMean", r, axes=[2, 3, 4])
        centred = b.node("Sub", r, mean)
        square = b.node("ReduceMean", b.node("Mul", centred, centred), axes=[2, 3, 4])
        deviation = b.node("Sqrt", b.node("Add", square, b.constant([1e-5])))
        out = b.node("Reshape", b.node("Div", centred, deviation), back)
    elif way == "channels last":
        # TensorFlow normalises (N, H, W, G, C / G)
        last = b.node("Transpose", x, perm=[0, 2, 3, 1])
        r = b.node("Reshape", last, b.constant([-1, 16, 16, groups, units // groups], np.int64))
        centred = b.node("Sub", r, b.node("ReduceMean", r, axes=[1, 2, 4]))
        flat = b.node("Reshape", centred, b.node("Shape", last))
        out = b.node("Transpose", flat, perm=[0, 3, 1, 2])
    else:
        shape = {"flattened": [-1, groups, 0]}.get(way, [0, groups, -1])
        r = x
        if way == "flattened":
            flat = b.node("Flatten", x)
            r = b.node("Reshape", flat, b.constant([0, groups, -1], np.int64))
        elif way == "turned":
            r = b.node("Reshape", x, b.constant(shape, np.int64))
            r = b.node("Transpose", b.node("Transpose", r, perm=[1, 0, 2]), perm=[1, 0, 2])
        else:
            r = b.node("Reshape", x, b.constant(shape, np.int64))
        r = b.node("InstanceNormalization", r, b.constant(np.ones(groups)), b.constant(np.zeros(groups)))
        if way == "bent":
            r = b.node("Mul", r, b.node("Sigmoid", r))
        out = b.node("Reshape", r, back)
    scaled = b.node("Mul", out, b.weight((units, 1, 1)))
    b.units[scaled] = units
    return scaled


WAYS = ["computed", "stored", "flattened", "bent", "turned", "keras", "channels last"]


@pytest.mark.parametrize("way", WAYS)
def test_group_normalisation_keeps_axes_and_places(tmp_path: Path, way: str) -> None:
    b = Builder()
    x = b.conv("image", 8, stride=2, name="c1")
    x = b.relu(group_norm(b, x, way), "a1")
    b.units[x] = 8
    x = b.relu(b.conv(x, 16, stride=2, name="c2"), "a2")
    network = load(b.model("a2"), tmp_path)
    assert [layer.name for layer in network.select(["stages"])] == ["a1", "a2"]
    for name, like in (("a1", "c1"), ("a2", "c2")):
        layer = named(network, name)
        assert layer.layout == "NCHW"
        assert layer.receptive_field is not None
        assert layer.receptive_field == named(network, like).receptive_field
    batch = images(network, 3)
    (expected,) = run_whole(network.path, ["a1"], batch)
    np.testing.assert_allclose(activations(network, named(network, "a1"), batch), expected, atol=1e-5)


def test_group_normalised_activations_are_dissected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    b = Builder()
    x = b.relu(group_norm(b, b.conv("image", 8, stride=2), "computed"), "a1")
    save(b.model(x), tmp_path / "net.onnx")
    broden(tmp_path / "data", 3, seed=5)
    quick = ("--no-report", "--bootstrap", "0", "--null", "0", "--out", "run")
    monkeypatch.setattr("sys.argv", ["onnxdissect", "run", "net.onnx", "--data", "data", *quick])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    (layer,) = json.loads((tmp_path / "run" / "manifest.json").read_text())["layers"]
    assert (layer["name"], layer["units"]) == ("a1", 8)


def test_places_behind_sums_of_rearranged_maps_unite(tmp_path: Path) -> None:
    b = Builder()
    near, far = b.conv("image", 8, 1, name="near"), b.conv("image", 8, 5, name="far")
    shape = b.constant([0, 4, -1], np.int64)
    total = b.node("Add", b.node("Reshape", near, shape), b.node("Reshape", far, shape))
    b.node("Reshape", total, b.node("Shape", near), name="sum")
    layer = named(load(b.model("sum"), tmp_path), "sum")
    assert layer.receptive_field is not None
    assert layer.receptive_field.size == (5.0, 5.0)


@pytest.mark.parametrize("moved", ["transposed", "padded", "turned"])
def test_numbers_that_moved_are_not_taken_back(tmp_path: Path, moved: str) -> None:
    b = Builder()
    x = b.conv("image", 32, stride=1, name="c")
    r = b.node("Reshape", x, b.constant([-1, 4, 8192], np.int64))
    if moved == "transposed":
        r = b.node("Transpose", r, perm=[0, 2, 1])
    elif moved == "padded":
        r = b.node("Pad", r, b.constant([0, 0, 1, 0, 0, -1], np.int64))
    else:
        r = b.node("CumSum", r, b.constant(2, np.int64))
    b.node("Reshape", r, b.node("Shape", x), name="mixed")
    with pytest.raises(LayerLayoutError):
        load(b.model("mixed"), tmp_path).select(["mixed"])


# -------------------------------------------------------------------------------------------- tokens


def test_tokens_shifted_by_a_pad_have_no_grid(tmp_path: Path) -> None:
    b = Builder(("N", 3, 32, 32))
    x = b.node("Reshape", b.conv("image", 8, stride=4), b.constant([0, 0, -1], np.int64))
    b.node("Relu", b.node("Pad", x, b.constant([0, 0, 1, 0, 0, -1], np.int64)), name="shifted")
    b.node("Transpose", "shifted", perm=[0, 2, 1], name="tokens")
    b.node("Relu", b.node("Pad", x, b.constant([0, 0, 0, 0, 0, 0], np.int64)), name="kept")
    b.node("Transpose", "kept", perm=[0, 2, 1], name="same")
    network = load(b.model("tokens", "same"), tmp_path)
    assert named(network, "same").layout == "NTC"
    with pytest.raises(LayerLayoutError, match="Pad leaves open"):
        network.select(["tokens"])


@pytest.mark.parametrize("grid", [(8, 8), (8, 4)])
def test_tokens_are_cut_into_blocks_at_once(tmp_path: Path, grid: tuple[int, int]) -> None:
    h, w = grid
    b = Builder(("N", 3, 4 * h, 4 * w))
    x = b.conv("image", 8, 4, stride=4, pads=(0, 0, 0, 0))
    x = b.node("Transpose", b.node("Reshape", x, b.constant([0, 0, -1], np.int64)), perm=[0, 2, 1])
    x = b.relu(x, "a1")
    x = b.node("Reshape", x, b.constant([-1, h // 2, 2, w // 2, 2, 8], np.int64))
    x = b.node("Transpose", x, perm=[0, 1, 3, 4, 2, 5], name="blocks")
    row = b.node("Reshape", x, b.constant([-1, h * w // 4, 32], np.int64))
    b.relu(b.node("MatMul", row, b.weight((32, 16))), "a2")
    flat = b.node("Reshape", x, b.constant([-1, h // 2, w // 2, 32], np.int64))
    b.relu(b.node("MatMul", flat, b.weight((32, 16))), "map")
    network = load(b.model("a2", "map"), tmp_path)
    a2, laid = named(network, "a2"), named(network, "map")
    assert (a2.layout, a2.grid) == ("NTC", (h // 2, w // 2))
    assert (laid.layout, laid.grid) == ("NHWC", (h // 2, w // 2))
    assert laid.receptive_field is not None
    assert laid.receptive_field.stride == laid.receptive_field.size == (8.0, 8.0)
    assert laid.receptive_field.offset == (3.5, 3.5)
    batch = images(network, 2)
    (expected,) = run_whole(network.path, ["a2"], batch)
    maps = activations(network, a2, batch)
    np.testing.assert_allclose(
        maps, expected.transpose(0, 2, 1).reshape(2, 16, h // 2, w // 2), rtol=1e-5, atol=1e-6
    )


def test_fused_attention_keeps_tokens(tmp_path: Path) -> None:
    b = Builder(("N", 3, 32, 32))
    x = b.conv("image", 16, 8, stride=8, pads=(0, 0, 0, 0))
    x = b.node("Transpose", b.node("Reshape", x, b.constant([0, 0, -1], np.int64)), perm=[0, 2, 1])
    weights = b.weight((16, 48)), b.weight((48,))
    x = b.node("Attention", x, *weights, domain="com.microsoft", num_heads=2, name="looked")
    x = b.node("SkipLayerNormalization", x, x, b.weight((16,)), domain="com.microsoft", name="normed")
    b.node("QuickGelu", x, domain="com.microsoft", name="act")
    network = load(b.model("act", domains=[("com.microsoft", 1)]), tmp_path)
    for name in ("looked", "normed", "act"):
        layer = named(network, name)
        assert (layer.layout, layer.grid) == ("NTC", (4, 4))
        assert layer.receptive_field == ReceptiveField((3.5, 3.5), (8.0, 8.0), None)
    assert named(network, "act").macs == 16 * 3 * 64 * 16 + 16 * 16 * 48 + 2 * 16 * 16 * 16
    batch = images(network, 2)
    (expected,) = run_whole(network.path, ["act"], batch)
    maps = activations(network, named(network, "act"), batch)
    np.testing.assert_allclose(maps, expected.transpose(0, 2, 1).reshape(2, 16, 4, 4), rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------- packed weights


@pytest.mark.parametrize("zero_points", [False, True])
def test_packed_products_are_products(tmp_path: Path, zero_points: bool) -> None:
    b = Builder(("N", 3, 32, 32))
    x = b.conv("image", 32, 8, stride=8, pads=(0, 0, 0, 0))
    x = b.node("Transpose", b.node("Reshape", x, b.constant([0, 0, -1], np.int64)), perm=[0, 2, 1])
    rng = np.random.default_rng(1)
    packed = b.constant(rng.integers(0, 256, (24, 1, 16)), np.uint8)
    extra = [b.constant(rng.uniform(0.1, 0.2, 24), np.float32)]
    if zero_points:
        extra.append(b.constant(rng.integers(0, 256, 24), np.uint8))
    x = b.node(
        "MatMulNBits", x, packed, *extra, domain="com.microsoft", K=32, N=24, bits=4, block_size=32, name="mm"
    )
    b.relu(x, "act")
    network = load(b.model("act", domains=[("com.microsoft", 1)]), tmp_path)
    layer = named(network, "act")
    assert (layer.layout, layer.units, layer.grid, layer.stage) == ("NTC", 24, (4, 4), 1)
    assert layer.parameters == 3 * 64 * 32 + 32 * 24
    assert layer.macs == 16 * 3 * 64 * 32 + 16 * 32 * 24
    batch = images(network, 2)
    (expected,) = run_whole(network.path, ["act"], batch)
    maps = activations(network, layer, batch)
    np.testing.assert_allclose(maps, expected.transpose(0, 2, 1).reshape(2, 24, 4, 4), rtol=1e-4, atol=1e-4)


def test_weights_of_four_bits_are_counted_one_by_one(tmp_path: Path) -> None:
    b = Builder(("N", 3, 32, 32), opset=21)
    x = b.conv("image", 32, 8, stride=8, pads=(0, 0, 0, 0))
    x = b.node("Transpose", b.node("Reshape", x, b.constant([0, 0, -1], np.int64)), perm=[0, 2, 1])
    rng = np.random.default_rng(1)
    numbers = rng.integers(0, 256, 32 * 24 // 2).astype(np.uint8).tobytes()
    b.initializers.append(helper.make_tensor("w4", TensorProto.INT4, (32, 24), numbers, raw=True))
    scales = b.constant(rng.uniform(0.1, 0.2, (2, 24)), np.float32)
    weight = b.node("DequantizeLinear", "w4", scales, axis=0, block_size=16)
    b.relu(b.node("MatMul", x, weight), "act")
    network = load(b.model("act"), tmp_path)
    layer = named(network, "act")
    assert (layer.layout, layer.units, layer.grid) == ("NTC", 24, (4, 4))
    assert layer.parameters == 3 * 64 * 32 + 32 * 24
    assert layer.macs == 16 * 3 * 64 * 32 + 16 * 32 * 24


# ------------------------------------------------------------------------------------- single pictures


def normalised(b: Builder, x: str) -> str:
    x = b.node("Sub", x, b.constant(np.reshape([0.485, 0.456, 0.406], (3, 1, 1))))
    return b.node("Div", x, b.constant(np.reshape([0.229, 0.224, 0.225], (3, 1, 1))))


@pytest.mark.parametrize("kind", ["gathered", "split", "no batch", "no batch, channels last"])
def test_one_picture_is_followed(tmp_path: Path, kind: str) -> None:
    shape = {"gathered": (1, 3, 32, 32), "split": (1, 3, 32, 32), "no batch": (3, 32, 32)}.get(
        kind, (32, 32, 3)
    )
    b = Builder(shape)
    x = "image"
    if kind == "gathered":
        x = b.node("Gather", x, b.constant(0, np.int64), axis=0)
    elif kind == "split":
        x = b.node("Split", x, b.constant([1], np.int64), axis=0)
        x = b.node("Squeeze", x, b.constant([0], np.int64))
    elif kind != "no batch":
        x = b.node("Transpose", x, perm=[2, 0, 1])
    x = b.node("Unsqueeze", normalised(b, x), b.constant([0], np.int64))
    b.units[x] = 3
    b.relu(b.conv(x, 8, stride=4), "r1")
    network = load(b.model("r1"), tmp_path)
    layer = named(network, "r1")
    assert (layer.layout, layer.grid, layer.stage) == ("NCHW", (8, 8), 1)
    assert layer.receptive_field is not None
    chosen = choose_preprocessing(network)
    assert (chosen.name, chosen.source) == ("unit", "read off the graph")
    batch = images(network, 3)
    maps = activations(network, layer, batch)
    for image, got in zip(batch, maps, strict=True):
        (expected,) = run_whole(network.path, ["r1"], image if "batch" in kind else image[None])
        np.testing.assert_allclose(got[None], expected, rtol=1e-5, atol=1e-6)


# ----------------------------------------------------------------------------------------------- hints


@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ((1, 8, 14, 14), "NCHW"),
        ((1, 14, 14, 8), "NHWC"),
        ((1, 49, 8), "NTC"),
        ((49, 1, 8), "TNC"),
        ((1, 8), "NC"),
    ],
)
def test_the_layout_that_fits_is_offered_first(shape: tuple[int, ...], first: str) -> None:
    assert fitting_layouts(shape)[0] == first
