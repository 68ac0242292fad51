"""Operators that stand for several at once: attention, rotations, skips, einsum, packed tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from numpy.typing import NDArray
from onnx import helper
from support.models import Builder, images, run_whole
from support.token_networks import (
    EMBEDDING,
    LENGTH,
    LOOKING,
    PLACED,
    PROJECTIONS,
    WIDTH,
    check_tokens,
    load,
    named,
    tokens,
)

from onnxdissect.model import ReceptiveField, open_session
from onnxdissect.model.layers.macs import multiply_accumulates
from onnxdissect.model.layers.records import ImageInput
from onnxdissect.model.layout.axes import follow_axes
from onnxdissect.model.reading.shape_probe import Probe


def projected(b: Builder, x: str, units: int, width: int = WIDTH) -> str:
    return b.node("MatMul", x, b.weight((width, units)))


def heads(b: Builder, x: str, count: int) -> str:
    return b.node(
        "Transpose", b.node("Reshape", x, b.constant([0, 0, count, -1], np.int64)), perm=[0, 2, 1, 3]
    )


# ------------------------------------------------------------------------------------------ attention


@pytest.mark.parametrize("kind", ["onnx, in a row", "onnx, heads", "multi-head", "multi-head, keys turned"])
def test_attention_as_one_operator_costs_what_it_costs_spelled_out(tmp_path: Path, kind: str) -> None:
    b, x = tokens(opset=23 if kind.startswith("onnx") else 17)
    q, k, v = (projected(b, x, WIDTH) for _ in range(3))
    if kind == "onnx, in a row":
        out = b.node("Attention", q, k, v, q_num_heads=2, kv_num_heads=2)
    elif kind == "onnx, heads":
        out = b.node("Attention", *(heads(b, y, 2) for y in (q, k, v)))
        out = b.node("Transpose", out, perm=[0, 2, 1, 3])
        out = b.node("Reshape", out, b.constant([0, 0, -1], np.int64))
    else:
        k, v = (heads(b, y, 2) if kind.endswith("turned") else y for y in (k, v))
        out = b.node("MultiHeadAttention", q, k, v, domain="com.microsoft", num_heads=2)
    b.node("Relu", out, name="act")
    check_tokens(load(b, "act", folder=tmp_path), "act", WIDTH, PROJECTIONS + LOOKING)


def test_fewer_keys_than_queries_cost_less(tmp_path: Path) -> None:
    b, x = tokens(opset=23)
    q = projected(b, x, WIDTH)
    short = b.node("Slice", x, *(b.constant([n], np.int64) for n in (0, 4, 1)))
    k, v = projected(b, short, 8), projected(b, short, 12)
    out = b.node("Attention", q, k, v, q_num_heads=4, kv_num_heads=2)
    b.node("Relu", out, name="act")
    macs = LENGTH * WIDTH * WIDTH + 4 * WIDTH * (8 + 12) + LENGTH * 4 * (WIDTH + 24)
    check_tokens(load(b, "act", folder=tmp_path), "act", 24, macs)


@pytest.mark.parametrize("packed", [False, True])
def test_heads_that_share_keys(tmp_path: Path, packed: bool) -> None:
    b, x = tokens(units=WIDTH)
    last, total = b.constant([LENGTH - 1], np.int32), b.constant(LENGTH, np.int32)
    if packed:
        parts = [projected(b, x, 32 + 2 * 16), "", ""]
    else:
        parts = [projected(b, x, 32), projected(b, x, 16), projected(b, x, 16)]
    # one sequence at a time: the lengths are stored for a batch of one
    out = b.node(
        "GroupQueryAttention",
        *parts,
        "",
        "",
        last,
        total,
        domain="com.microsoft",
        num_heads=2,
        kv_num_heads=1,
    )
    b.node("Relu", out, name="act")
    network = load(b, "act", folder=tmp_path)
    layer = named(network, "act")
    assert (layer.layout, layer.units, layer.grid) == ("NTC", 32, (4, 4))
    assert layer.receptive_field == PLACED
    assert layer.macs == EMBEDDING + LENGTH * WIDTH * 64 + 2 * LENGTH * LENGTH * 32
    assert layer.parameters == 3 * 64 * WIDTH + WIDTH * 64


def test_attention_over_integers(tmp_path: Path) -> None:
    b, x = tokens()
    rng = np.random.default_rng(3)
    ints = b.node("QuantizeLinear", x, b.constant(0.02), b.constant(128, np.uint8))
    out = b.node(
        "QAttention",
        ints,
        b.constant(rng.integers(0, 256, (WIDTH, 3 * WIDTH)), np.uint8),
        b.weight((3 * WIDTH,)),
        b.constant(0.02),
        b.constant(0.003),
        "",
        b.constant(128, np.uint8),
        b.constant(128, np.uint8),
        domain="com.microsoft",
        num_heads=2,
    )
    b.node("Relu", out, name="act")
    network = load(b, "act", folder=tmp_path)
    layer = named(network, "act")
    assert (layer.layout, layer.grid, layer.receptive_field) == ("NTC", (4, 4), PLACED)
    assert layer.macs == EMBEDDING + PROJECTIONS + LOOKING
    assert layer.parameters == 3 * 64 * WIDTH + 3 * WIDTH * WIDTH + 3 * WIDTH


@pytest.mark.parametrize("domain", ["", "com.microsoft"])
def test_rotations_leave_every_token_in_its_place(tmp_path: Path, domain: str) -> None:
    b, x = tokens(opset=17 if domain else 23)
    q = projected(b, x, WIDTH)
    caches = [b.constant(f(np.outer(np.arange(LENGTH), [1.0, 0.1, 0.01, 0.001]))) for f in (np.cos, np.sin)]
    places = b.constant(np.arange(LENGTH)[None], np.int64)
    if domain:
        out = b.node("RotaryEmbedding", q, places, *caches, domain=domain, num_heads=2)
    else:
        out = b.node(
            "RotaryEmbedding", q, *(b.node("Unsqueeze", c, b.constant([0], np.int64)) for c in caches)
        )
    b.node("Relu", out, name="act")
    if not domain:
        b.nodes_written[-2].attribute.append(helper.make_attribute("num_heads", 2))
    network = load(b, "act", folder=tmp_path)
    layer = named(network, "act")
    assert (layer.layout, layer.grid) == ("NTC", (4, 4))
    # each token is turned by itself
    assert layer.receptive_field == ReceptiveField((3.5, 3.5), (8.0, 8.0), (8.0, 8.0))
    assert layer.macs == EMBEDDING + LENGTH * WIDTH * WIDTH


# ------------------------------------------------------------------------------------------ skips


def skipping(fused: bool, blocks: int = 4) -> Builder:
    """A transformer whose sums and normalisations are one operator each, as onnxruntime makes it, or two."""
    b, x = tokens()
    norm = (b.constant(np.ones(WIDTH)), b.constant(np.zeros(WIDTH)))

    def add(x: str, y: str, number: int) -> tuple[str, str]:
        if not fused:
            total = b.node("Add", x, y, name=f"sum{number}")
            return total, b.node("LayerNormalization", total, *norm, axis=-1)
        normed, total = f"normed{number}", f"sum{number}"
        b.nodes("SkipLayerNormalization", x, y, *norm, names=[normed, "", "", total], domain="com.microsoft")
        return total, normed

    x, y = add(x, projected(b, b.node("LayerNormalization", x, *norm, axis=-1), WIDTH), 0)
    for number in range(1, 2 * blocks, 2):
        q, k, v = (projected(b, y, WIDTH) for _ in range(3))
        looked = b.node("MultiHeadAttention", q, k, v, domain="com.microsoft", num_heads=2)
        x, y = add(x, projected(b, looked, WIDTH), number)
        act = b.node("QuickGelu", projected(b, y, 32), domain="com.microsoft", name=f"act{number}")
        x, y = add(x, projected(b, act, WIDTH, 32), number + 1)
    b.node("ReduceMean", y, axes=[1], keepdims=0, name="out")
    return b


def test_sums_inside_a_normalisation_are_the_residual_stream(tmp_path: Path) -> None:
    fused = load(skipping(True), "out", folder=tmp_path)
    spelled = load(skipping(False), "out", folder=tmp_path)
    chosen = [layer.name for layer in spelled.select(["stages"])]
    assert [layer.name for layer in fused.select(["stages"])] == chosen
    assert sum(name.startswith("sum") for name in chosen) == 4
    assert "sum8" in chosen
    batch = images(fused, 2)
    layer = named(fused, "sum4")
    assert (layer.layout, layer.grid, layer.receptive_field) == ("NTC", (4, 4), PLACED)
    (expected,) = run_whole(fused.path, ["sum4"], batch)
    (maps,) = open_session(fused, [layer], verify=batch)(batch)
    np.testing.assert_allclose(maps, expected.transpose(0, 2, 1).reshape(2, WIDTH, 4, 4), atol=1e-4)


# ------------------------------------------------------------------------------------------ packed tables


def test_products_with_weights_of_two_in_a_byte(tmp_path: Path) -> None:
    b, x = tokens(units=32)
    rng = np.random.default_rng(1)
    packed = b.constant(rng.integers(0, 256, 32 * 24 // 2), np.uint8)
    scales = b.constant(rng.uniform(0.1, 0.2, 32 * 24 // 64))
    out = b.node(
        "MatMulBnb4", x, packed, scales, domain="com.microsoft", K=32, N=24, block_size=64, quant_type=1
    )
    b.node("Relu", out, name="act")
    network = load(b, "act", folder=tmp_path)
    layer = named(network, "act")
    assert (layer.layout, layer.units, layer.grid, layer.stage) == ("NTC", 24, (4, 4), 1)
    assert layer.parameters == 3 * 64 * 32 + 32 * 24
    assert layer.macs == LENGTH * 3 * 64 * 32 + LENGTH * 32 * 24
    batch = images(network, 2)
    (expected,) = run_whole(network.path, ["act"], batch)
    (maps,) = open_session(network, [layer], verify=batch)(batch)
    np.testing.assert_allclose(maps, expected.transpose(0, 2, 1).reshape(2, 24, 4, 4), atol=1e-4)


@pytest.mark.parametrize("kind", ["float", "bytes", "two in a byte"])
def test_rows_of_a_table_are_units_of_the_cell_that_chose_them(tmp_path: Path, kind: str) -> None:
    b = Builder()
    chosen = b.node("ArgMax", b.conv("image", 8, stride=4), axis=1, keepdims=0)
    rng = np.random.default_rng(2)
    if kind == "float":
        out = b.node("Gather", b.weight((8, 32)), chosen)
    else:
        bits = 8 if kind == "bytes" else 4
        out = b.node(
            "GatherBlockQuantized",
            b.constant(rng.integers(0, 256, (8, 32 * bits // 8)), np.uint8),
            chosen,
            b.constant(rng.uniform(0.1, 0.2, (8, 2))),
            domain="com.microsoft",
            bits=bits,
            block_size=16,
            quantize_axis=1,
            gather_axis=0,
        )
    b.node("Relu", out, name="act")
    network = load(b, "act", folder=tmp_path)
    layer = named(network, "act")
    assert (layer.layout, layer.units, layer.grid) == ("NHWC", 32, (8, 8))
    assert layer.parameters == 8 * 27 + 8 * 32
    assert layer.receptive_field == ReceptiveField((0.0, 0.0), (4.0, 4.0), (3.0, 3.0))
    batch = images(network, 2)
    (expected,) = run_whole(network.path, ["act"], batch)
    (maps,) = open_session(network, [layer], verify=batch)(batch)
    np.testing.assert_allclose(maps, expected.transpose(0, 3, 1, 2), atol=1e-5)


# ------------------------------------------------------------------------------------------ integers


def quantised(b: Builder, x: str) -> list[str]:
    scale, zero = b.constant(0.05), b.constant(128, np.uint8)
    return [b.node("QuantizeLinear", x, scale, zero), scale, zero]


@pytest.mark.parametrize("kind", ["QLinearMatMul", "MatMulInteger", "DynamicQuantizeMatMul"])
def test_keys_coarser_than_queries_in_integers(tmp_path: Path, kind: str) -> None:
    """The second operand of a product of integers is not always its second input."""
    b, x = tokens()
    coarse = b.node("MaxPool", b.nodes_written[0].output[0], kernel_shape=[2, 2], strides=[2, 2])
    y = b.node("Reshape", coarse, b.constant([0, 0, -1], np.int64))
    if kind == "QLinearMatMul":
        scores = b.node(kind, *quantised(b, x), *quantised(b, y), b.constant(0.1), b.constant(128, np.uint8))
        scores = b.node("DequantizeLinear", scores, b.constant(0.1), b.constant(128, np.uint8))
    elif kind == "MatMulInteger":
        left, right = quantised(b, x), quantised(b, y)
        scores = b.node(kind, left[0], right[0], left[2], right[2])
        scores = b.node("Mul", b.node("Cast", scores, to=1), b.constant(0.0025))
    else:
        right = quantised(b, y)
        scores = b.node(kind, x, right[0], right[1], right[2], domain="com.microsoft")
    b.node("Transpose", scores, perm=[0, 2, 1], name="turned")
    b.node("MatMul", scores, b.node("Transpose", y, perm=[0, 2, 1]), name="looked")
    network = load(b, "turned", "looked", folder=tmp_path)
    assert network.listing.axes[scores] == "NT?"
    looked = named(network, "looked")
    assert (looked.layout, looked.grid, looked.receptive_field) == ("NTC", (4, 4), PLACED)


def test_a_product_turned_round_by_an_attribute(tmp_path: Path) -> None:
    b, x = tokens()
    scores = b.node("FusedMatMul", x, x, domain="com.microsoft", transB=1)
    b.node("MatMul", scores, x, name="looked")
    check_tokens(load(b, "looked", folder=tmp_path), "looked", WIDTH, 2 * LENGTH * LENGTH * WIDTH)


# ------------------------------------------------------------------------------------------ GPUs alone


def follow(op: str, shapes: dict[str, tuple[int, ...]], weights: dict[str, NDArray[Any]], layout: str) -> Any:
    """Follow an operator that onnxruntime has for GPUs alone, so that its shapes are given, not probed."""
    values = {name: ir.Value(name=name) for name in shapes if name != "y"}
    stored = {n: ir.Value(name=n, const_value=ir.tensor(a, name=n)) for n, a in weights.items()}
    node = ir.node(op, [*values.values(), *stored.values()], domain="com.microsoft")
    node.outputs[0].name = "y"
    graph = ir.Graph([*values.values()], node.outputs, nodes=[node], initializers=[*stored.values()])
    image = ImageInput("x", layout, "float32", 1, 3, (8, 8))
    probe = Probe(1, shapes, dict.fromkeys(shapes, "float32"), {})
    return follow_axes(graph, image, probe).axes.get("y"), multiply_accumulates(node, probe)


def test_operators_for_gpus() -> None:
    kernel = np.zeros((5, 3, 2, 3), np.float32)  # (out, kernel height, kernel width, in)
    found = follow("NhwcConv", {"x": (1, 8, 8, 3), "y": (1, 6, 7, 5)}, {"w": kernel}, "NHWC")
    assert found == ("NHWC", 6 * 7 * 5 * 3 * 2 * 3)
    bias = {"b": np.zeros(3, np.float32)}
    assert follow("BiasAdd", {"x": (1, 8, 8, 3), "y": (1, 8, 8, 3)}, bias, "NHWC") == ("NHWC", 0)
    wide = {"b": np.zeros(6, np.float32)}
    assert follow("BiasSplitGelu", {"x": (1, 8, 8, 6), "y": (1, 8, 8, 3)}, wide, "NHWC") == ("NHWC", 0)
