"""Which values are layers, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import models
from support.models import Builder, save
from support.networks import named, stages

from onnxdissect.errors import ImageInputError, LayerLayoutError
from onnxdissect.model import load_network
from onnxdissect.model.layers.records import make_slug
from onnxdissect.model.layout.reshapes.regroup import regroup

# ---------------------------------------------------------------------------------------------- input


@pytest.mark.parametrize(
    ("shape", "layout", "channels", "batch", "size"),
    [
        (("N", 3, 32, 24), "NCHW", 3, None, (32, 24)),
        ((1, 3, 32, 32), "NCHW", 3, 1, (32, 32)),
        ((8, 3, 32, 32), "NCHW", 3, 8, (32, 32)),
        (("?", 3, "?", "?"), "NCHW", 3, None, None),
        ((-1, 3, -1, -1), "NCHW", 3, None, None),
        (("N", 1, 32, 32), "NCHW", 1, None, (32, 32)),
        (("N", 3, 16, 3), "NCHW", 3, None, (16, 3)),
    ],
)
def test_image_inputs(
    load: Any,
    shape: tuple[Any, ...],
    layout: str,
    channels: int,
    batch: int | None,
    size: tuple[int, int] | None,
) -> None:
    network = load(models.plain(shape=shape), default_size=(40, 48))
    found = network.input
    assert (found.layout, found.channels, found.batch, found.size) == (layout, channels, batch, size)
    assert found.dtype == "float32"
    fixed = [n if isinstance(n, int) and n > 0 else None for n in shape[2:]]
    assert network.size == (fixed[0] or 40, fixed[1] or 48)


def test_the_first_convolution_tells_the_layout(load: Any) -> None:
    """Neither the second nor the last dimension is written down."""
    b = Builder(("N", "h", "w", "c"))
    b.units[b.image] = 3
    x = b.node("Transpose", b.image, perm=(0, 3, 1, 2))
    x = b.node("Sub", x, b.constant(np.ones((3, 1, 1))))
    network = load(b.model(b.relu(b.conv(x, 4))))
    assert (network.input.layout, network.input.channels) == ("NHWC", 3)


def test_no_convolution_and_no_channels(load: Any) -> None:
    b = Builder(("N", "a", "b", "c"))
    with pytest.raises(ImageInputError, match="cannot be told"):
        load(b.model(b.relu(b.image)))


def test_initialised_inputs_are_weights(load: Any) -> None:
    """Files of IR version 3 list every weight as an input."""
    model = models.plain()
    for tensor in model.graph.initializer:
        model.graph.input.append(
            onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    network = load(model)
    assert network.input.name == "image"
    assert stages(network) == ["relu1b", "relu2", "relu3"]


# --------------------------------------------------------------------------------------------- layers


def test_everything_said_of_a_layer(load: Any) -> None:
    network = load(models.plain())
    layer = named(network, "relu3")
    assert layer.op == "Relu"
    assert layer.node == "relu3/node"
    assert (layer.layout, layer.dtype) == ("NCHW", "float32")
    assert (layer.shape, layer.units, layer.grid) == ((1, 8, 8, 8), 8, (8, 8))
    weights = [4 * 3 * 9, 4 * 4 * 9, 6 * 4 * 9, 8 * 6 * 9]
    assert layer.parameters == sum(weights)
    cells = [32 * 32, 32 * 32, 16 * 16, 8 * 8]
    assert layer.macs == sum(w * n for w, n in zip(weights, cells, strict=True))
    field = layer.receptive_field
    assert field is not None
    assert (field.offset, field.stride, field.size) == ((0.5, 0.5), (4.0, 4.0), (14.0, 14.0))
    assert layer.stage == 3


def test_order_and_names(load: Any) -> None:
    network = load(models.residual())
    names = [layer.name for layer in network.layers]
    assert names[:3] == ["Conv_0:0", "stem", "Conv_1:0"]
    aliases = [layer.alias for layer in network.layers]
    assert len(set(aliases)) == len(aliases)
    assert [layer.alias for layer in network.layers if layer.op == "Relu"] == [
        f"relu{i}" for i in range(1, 6)
    ]
    slugs = [layer.slug for layer in network.layers]
    assert slugs[0] == "Conv_0-0"
    assert len({slug.casefold() for slug in slugs}) == len(slugs)


def test_an_alias_never_means_two_things(load: Any) -> None:
    b = Builder()
    x = b.relu(b.conv(b.image, 4), name="relu2")
    x = b.relu(b.conv(x, 4), name="first")
    x = b.relu(b.conv(x, 4), name="second")
    network = load(b.model(x))
    assert named(network, "relu2").name == "relu2"
    assert [layer.alias for layer in network.layers if layer.op == "Relu"] == ["relu2", "relu3", "relu4"]


def test_weights_count_once(load: Any) -> None:
    b = Builder()
    shared = b.weight((3, 3, 1, 1))
    x = b.node("Conv", b.node("Conv", b.image, shared), shared, name="twice")
    layer = named(load(b.model(x)), "twice")
    assert layer.parameters == 9
    assert layer.macs == 2 * 9 * 32 * 32


def test_mixed_layouts(load: Any) -> None:
    network = load(models.channels_last())
    assert network.input.layout == "NHWC"
    assert {layer.name: layer.layout for layer in network.layers} == {
        "conv0": "NCHW",
        "bias0": "NHWC",
        "relu0": "NHWC",
        "conv1": "NCHW",
        "bias1": "NHWC",
        "relu1": "NHWC",
        "Flatten_0:0": "NC",
        "logits": "NC",
    }
    layer = named(network, "relu1")
    assert (layer.shape, layer.units, layer.grid) == ((1, 16, 16, 6), 6, (16, 16))
    copy = named(network, "first1")
    assert (copy.layout, copy.shape, copy.stage) == ("NCHW", (1, 6, 16, 16), None)
    assert stages(network) == ["relu0", "relu1"]


def test_square_maps_with_as_many_units_are_not_mistaken(load: Any) -> None:
    """Every dimension is 8, so only the graph tells them apart."""
    b = Builder(("N", 3, 8, 8))
    x = b.node("Transpose", b.conv(b.image, 8), perm=(0, 2, 3, 1), name="last")
    x = b.relu(b.node("MatMul", x, b.weight((8, 8))), name="pointwise")
    x = b.node("Transpose", x, perm=(0, 3, 2, 1), name="turned")
    network = load(b.model(x))
    assert named(network, "last").layout == "NHWC"
    assert named(network, "pointwise").layout == "NHWC"
    with pytest.raises(LayerLayoutError, match="in the order NCWH"):
        network.select(["turned"])


def test_dequantised_values_stand_for_quantised_layers(load: Any) -> None:
    network = load(models.quantised())
    assert [layer.name for layer in network.layers] == [
        "conv0",
        "relu0/rounded",
        "conv1",
        "relu1/rounded",
        "Flatten_0:0",
        "logits",
    ]
    layer = named(network, "relu1/rounded")
    assert (layer.op, layer.alias, layer.dtype) == ("Relu", "relu3", "float32")  # "relu1" is another value
    assert layer.parameters == 4 * 3 * 9 + 4 * 4 * 9
    assert stages(network) == ["relu0/rounded", "relu1/rounded"]
    assert named(network, "relu1").name == "relu1"
    with pytest.raises(LayerLayoutError, match="holds uint8"):
        network.select(["relu1/rounded/int"])


def test_half_precision(load: Any) -> None:
    network = load(models.plain(dtype=np.float16))
    assert network.input.dtype == "float16"
    assert {layer.dtype for layer in network.layers} == {"float16"}


def test_shuffled_channels_are_channels(load: Any) -> None:
    network = load(models.frozen_batch())
    assert named(network, "Reshape_1:0").units == 4
    with pytest.raises(LayerLayoutError, match="four dimensions"):
        network.select(["Reshape_0:0"])


def test_patches_are_no_layer(load: Any) -> None:
    b = Builder(("N", 3, 16, 16))
    x = b.conv(b.image, 4)
    x = b.node("Reshape", x, b.constant((0, 4, 8, 32), np.int64), name="folded")
    with pytest.raises(LayerLayoutError, match="leaves open which axes"):
        load(b.model(x)).select(["folded"])


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 13, 15, 18, 21, 23])
def test_opsets(load: Any, opset: int) -> None:
    network = load(models.plain(opset=opset))
    assert len(network.layers) == 11  # pooled units and logits among them
    assert stages(network) == ["relu1b", "relu2", "relu3"]


def test_functions_are_looked_into(load: Any) -> None:
    """Newer exporters keep modules as functions, whose values have names of their own only once inlined."""
    b = Builder()
    block = onnx.helper.make_function(
        "local",
        "Block",
        ["x", "weight"],
        ["y"],
        [
            onnx.helper.make_node("Conv", ["x", "weight"], ["inner"], pads=[1, 1, 1, 1]),
            onnx.helper.make_node("Relu", ["inner"], ["y"]),
        ],
        [onnx.helper.make_opsetid("", 17)],
    )
    x = b.node("Block", b.image, b.weight((4, 3, 3, 3)), domain="local", name="first")
    x = b.node("Block", x, b.weight((4, 4, 3, 3)), domain="local", name="second")
    model = b.model(x, domains=[("local", 1)])
    model.functions.append(block)
    network = load(model)
    assert [layer.op for layer in network.layers] == ["Conv", "Relu", "Conv", "Relu"]
    assert stages(network) == ["second"]


def test_subgraphs_and_lists_are_passed_by(load: Any) -> None:
    b = Builder()
    x = b.relu(b.conv(b.image, 4), name="seen")
    branches = {
        f"{kind}_branch": onnx.helper.make_graph(
            [onnx.helper.make_node(op, [x] * count, [kind])], kind, [], [onnx.ValueInfoProto(name=kind)]
        )
        for kind, op, count in (("then", "Add", 2), ("else", "Identity", 1))
    }
    cond = b.node("Greater", b.node("ReduceMean", x, keepdims=0), b.constant(0.0))
    x = b.node("If", cond, name="chosen", **branches)
    b.units[x] = 4
    x = b.relu(b.conv(x, 4), name="behind")
    parts = b.node("SplitToSequence", x, axis=1, keepdims=1)
    network = load(b.model(b.node("SequenceAt", parts, b.constant(0, np.int64))))
    # a convolution says what its axes are, whatever came before
    assert stages(network) == ["behind"]
    with pytest.raises(LayerLayoutError, match="operator If leaves open"):
        network.select(["chosen"])


# ------------------------------------------------------------------------------------------ small parts


@given(st.lists(st.text(max_size=200), max_size=8))
@settings(deadline=None)
def test_slugs_are_safe_and_unique(names: list[str]) -> None:
    slugs: list[str] = []
    for name in names:
        slugs.append(make_slug(name, {slug.casefold() for slug in slugs}))
    assert len({slug.casefold() for slug in slugs}) == len(names)
    for slug in slugs:
        assert 0 < len(slug) <= 80
        assert not slug.startswith(".")
        assert all(c.isascii() and (c.isalnum() or c in "._-") for c in slug)


@pytest.mark.parametrize(
    ("names", "shape", "out", "expected"),
    [
        ("NCHW", (1, 8, 4, 4), (1, 8, 16), "NCT"),
        ("NHWC", (1, 4, 6, 8), (1, 24, 8), "NTC"),
        ("NHWC", (1, 4, 6, 8), (1, 2, 2, 3, 2, 8), "NHhWwC"),
        ("NCHW", (1, 8, 4, 4), (1, 2, 4, 4, 4), "NccHW"),
        ("NccHW", (1, 4, 2, 4, 4), (1, 8, 4, 4), "NCHW"),
        ("NCHW", (1, 8, 1, 1), (1, 8), "NC"),
        ("NC", (1, 8), (1, 8, 1, 1), "NC??"),
        ("NCHW", (2, 3, 4, 5), (2, 3, 20, 1), "NCT?"),
        ("NCHW", (2, 3, 4, 5), (6, 4, 5), "?HW"),
        ("NCHW", (2, 3, 4, 5), (3, 2, 4, 5), "??HW"),
        ("NCHW", (1, 1, 4, 4), (1, 4, 4), "NHW"),
    ],
)
def test_axes_after_a_reshape(
    names: str, shape: tuple[int, ...], out: tuple[int, ...], expected: str
) -> None:
    assert regroup(names, shape, out) == expected


def test_branches_laid_along_the_batch_are_no_layers(tmp_path: Path) -> None:
    b = Builder((1, 3, 8, 8))
    x = b.conv("image", 4, name="c1")
    both = b.node("Concat", x, b.relu(x), axis=0, name="both")
    b.units[both] = 4
    first, second = b.nodes("Split", b.conv(both, 4, name="shared"), names=("first", "second"), axis=0)
    listing = load_network(
        save(b.model(b.node("Add", first, second, name="sum")), tmp_path / "m.onnx")
    ).listing
    for name in ("both", "shared"):
        assert "[2, 4, 8, 8] for a batch of 1: it holds other than one map" in listing.refusals[name]
    assert {"c1", "first", "second", "sum"} <= {layer.name for layer in listing.layers}
