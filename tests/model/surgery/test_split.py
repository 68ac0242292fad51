"""Head and tail together are the network, and what goes around a cut is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper
from onnx_ir.passes import PreconditionError
from support import models
from support.exported import FOLDER
from support.models import Builder, images, save
from support.transformers import transformer

from onnxdissect.errors import LayerCutError, LayerNotFoundError, ModelRuntimeError, ParameterError
from onnxdissect.model import Layer, Network, load_network
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.layers.basis import basis_layers
from onnxdissect.model.runtime.difference import same_output
from onnxdissect.model.runtime.inference import OPTIMISATIONS, open_runtime
from onnxdissect.model.runtime.verification import tolerance
from onnxdissect.model.surgery.requantise import Requantise
from onnxdissect.model.surgery.split import split_network

FILES = [*sorted(FOLDER.glob("*.onnx")), *sorted((Path(__file__).parents[3] / "models").glob("*.onnx"))]

Outputs = list[NDArray[Any]]


def run(
    model: ir.Model, network: Network, feed: dict[str, Any], names: Sequence[str], optimise: str
) -> Outputs:
    return list(open_runtime(model, folder=network.path.parent, optimise=optimise)(feed, names))


def run_parts(
    network: Network, at: Sequence[Layer | str], batch: NDArray[Any], optimise: str = "none"
) -> Outputs:
    """tail(head(x))."""
    head, tail = split_network(network, at)
    names = [one if isinstance(one, str) else one.name for one in at]
    assert [value.name for value in head.graph.inputs] == [network.input.name]
    assert (
        [value.name for value in head.graph.outputs] == names == [value.name for value in tail.graph.inputs]
    )
    assert tuple(value.name for value in tail.graph.outputs) == network.outputs
    between = run(head, network, {network.input.name: batch}, names, optimise)
    return run(tail, network, dict(zip(names, between, strict=True)), network.outputs, optimise)


def completed(network: Network, layer: Layer) -> list[Layer | str]:
    """The layer, and what else it takes to cut the graph."""
    try:
        split_network(network, [layer])
    except LayerCutError as error:
        assert error.candidates
        return [layer, *error.candidates]
    return [layer]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_tail_of_head_is_the_network(path: Path) -> None:
    network = load_network(path)
    before = ir.to_proto(network.model).SerializeToString()
    batch = images(network, network.input.batch or 2)
    whole = run(network.model, network, {network.input.name: batch}, network.outputs, "none")
    stages = network.select(["stages"])
    for layer in network.layers:
        at = completed(network, layer)
        for got, expected in zip(run_parts(network, at, batch), whole, strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=layer.name)
        if layer in stages:
            for got, expected in zip(run_optimised(network, at, batch), whole, strict=True):
                assert same_output(got, expected, tolerance(network)), layer.name
    at_once = [*stages, *(name for layer in stages for name in completed(network, layer)[1:])]
    at_once = list({one if isinstance(one, str) else one.name: one for one in at_once}.values())
    for got, expected in zip(run_parts(network, at_once, batch), whole, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert ir.to_proto(network.model).SerializeToString() == before


def run_optimised(network: Network, at: Sequence[Layer | str], batch: NDArray[Any]) -> Outputs:
    """As far as onnxruntime can: it breaks some graphs of integers by its last optimisations."""
    for optimise in OPTIMISATIONS[:-1]:
        try:
            return run_parts(network, at, batch, optimise)
        except ModelRuntimeError:
            continue
    return run_parts(network, at, batch)


@pytest.mark.parametrize(
    "make",
    [
        models.channels_last,
        models.frozen_batch,
        models.encoder_decoder,
        models.squeeze_excite,
        models.quantised,
        models.fully_connected,
        transformer,
        lambda: transformer(2, 1, order="TNC", frozen=True),
    ],
)
def test_tail_of_head_for_every_way_to_write_a_network(tmp_path: Path, make: Any) -> None:
    network = load_network(save(make(), tmp_path / "model.onnx"))
    batch = images(network, network.input.batch or 3)
    whole = run(network.model, network, {network.input.name: batch}, network.outputs, "none")
    for layer in network.layers:
        for got, expected in zip(run_parts(network, completed(network, layer), batch), whole, strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=layer.name)


def test_half_precision_is_rounded_at_the_cut(tmp_path: Path) -> None:
    """onnxruntime computes float16 in float32 from operator to operator; what is handed over is float16."""
    network = load_network(save(models.plain(dtype=np.float16), tmp_path / "model.onnx"))
    batch = images(network, 2)
    (whole,) = run(network.model, network, {"image": batch}, network.outputs, "none")
    for layer in network.layers:
        (got,) = run_parts(network, [layer], batch)
        assert same_output(got, whole, tolerance(network))


def test_external_data_are_found(tmp_path: Path) -> None:
    network = load_network(models.with_external_data(tmp_path / "model.onnx", "weights.bin"))
    batch = images(network, 2)
    (whole,) = run(network.model, network, {"image": batch}, network.outputs, "none")
    np.testing.assert_array_equal(run_parts(network, ["relu2"], batch)[0], whole)


def test_weights_lie_where_they_are_needed(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    head, tail = split_network(network, ["relu2"])
    both = set(head.graph.initializers) | set(tail.graph.initializers)
    assert both == set(network.model.graph.initializers)
    assert not set(head.graph.initializers) & set(tail.graph.initializers)
    assert len(head.graph) + len(tail.graph) == len(network.model.graph)
    assert tail.graph.inputs[0].shape == ir.Shape([None, 6, 16, 16])
    assert tail.graph.inputs[0].dtype == ir.DataType.FLOAT


# ---------------------------------------------------------------------------------------------- refusals


def test_a_way_around_is_named_with_what_completes_the_cut(tmp_path: Path) -> None:
    b = Builder()
    x = b.relu(b.conv(b.image, 4, name="stem"), name="before")
    y = b.relu(b.conv(x, 4, name="inner"), name="inside")
    x = b.relu(b.node("Add", x, b.conv(y, 4), name="sum"), name="after")
    network = load_network(save(b.model(b.head(x)), tmp_path / "model.onnx"))
    with pytest.raises(LayerCutError) as caught:
        split_network(network, network.select(["inside"]))
    assert caught.value.candidates == ("before",)
    assert "the layer 'inside' does not cut model.onnx: 'image' -> 'stem' -> 'before' -> " in str(
        caught.value
    )
    assert "goes around to 'logits'" in str(caught.value)
    batch = images(network, 2)
    (whole,) = run(network.model, network, {"image": batch}, network.outputs, "none")
    np.testing.assert_array_equal(run_parts(network, ["inside", "before"], batch)[0], whole)
    # a layer in front of another one is handed over, and nothing reads it
    np.testing.assert_array_equal(run_parts(network, ["before", "after"], batch)[0], whole)


def test_an_output_beside_the_layer_is_handed_through(tmp_path: Path) -> None:
    b = Builder()
    stem = b.relu(b.conv(b.image, 4), name="stem")
    left = b.relu(b.conv(stem, 4), name="left")
    right = b.node("Sigmoid", b.conv(stem, 4), name="right")
    network = load_network(save(b.model(b.head(left), right, left), tmp_path / "model.onnx"))
    with pytest.raises(LayerCutError) as caught:
        split_network(network, ["left"])
    assert caught.value.candidates == ("right",)
    batch = images(network, 2)
    whole = run(network.model, network, {"image": batch}, network.outputs, "none")
    for at in (["left", "right"], ["stem"]):
        for got, expected in zip(run_parts(network, at, batch), whole, strict=True):
            np.testing.assert_array_equal(got, expected)


def test_shapes_and_the_image_itself_may_go_along(tmp_path: Path) -> None:
    b = Builder(("N", 3, "H", "W"))
    x = b.relu(b.conv(b.image, 3, stride=2), name="small")
    size = b.node("Shape", b.image, name="size")
    x = b.node("Resize", x, "", "", size, mode="linear", name="large")
    network = load_network(save(b.model(b.node("Mul", x, b.image, name="out")), tmp_path / "model.onnx"))
    with pytest.raises(LayerCutError) as caught:
        split_network(network, ["small"])
    # with the image at hand its size is
    assert caught.value.candidates == ("image",)
    batch = images(network, 2)
    (whole,) = run(network.model, network, {"image": batch}, network.outputs, "none")
    np.testing.assert_array_equal(run_parts(network, ["small", "size", "image"], batch)[0], whole)
    np.testing.assert_array_equal(run_parts(network, ["small", "image"], batch)[0], whole)
    # another size than the network was inspected with
    smaller = np.ascontiguousarray(batch[:1, :, :40, :56])
    (whole,) = run(network.model, network, {"image": smaller}, network.outputs, "none")
    np.testing.assert_array_equal(run_parts(network, ["small", "size", "image"], smaller)[0], whole)


def branched(path: Path) -> Network:
    """Both branches of an If read values of the graph around them."""
    b = Builder(opset=17)
    stem = b.relu(b.conv(b.image, 4), name="stem")
    top = b.relu(b.conv(stem, 4), name="top")
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node(op, [stem, top], [f"{name}_out"])],
            name,
            [],
            [onnx.ValueInfoProto(name=f"{name}_out")],
        )
        for name, op in (("then", "Add"), ("else", "Sub"))
    }
    large = b.node("Greater", b.node("ReduceMean", top, keepdims=0), b.constant(0.4), name="large")
    x = b.node("If", large, name="chosen", **branches)
    return load_network(save(b.model(b.node("Relu", x, name="out")), path))


def test_values_read_inside_a_branch_count(tmp_path: Path) -> None:
    network = branched(tmp_path / "model.onnx")
    with pytest.raises(LayerCutError) as caught:
        split_network(network, ["top"])
    assert caught.value.candidates == ("stem",)
    batch = images(network, 2)
    (whole,) = run(network.model, network, {"image": batch}, network.outputs, "none")
    for at in (["top", "stem"], ["stem"], ["stem", "top", "large"]):
        np.testing.assert_array_equal(run_parts(network, at, batch)[0], whole)


def test_integers_are_handed_over_in_floating_point(tmp_path: Path) -> None:
    b = Builder(("N", 3, 16, 16), opset=19)
    scale, zero = b.constant(0.04), b.constant(3, np.uint8)
    x = b.node("QuantizeLinear", b.image, scale, zero, name="image_q")
    for name in ("first_q", "second_q"):
        units = 3 if name == "first_q" else 4
        kernel = b.constant(b.rng.integers(-90, 90, (4, units, 3, 3)), np.int8)
        weight = (kernel, b.constant(0.01), b.constant(0, np.int8))
        x = b.node("QLinearConv", x, scale, zero, *weight, scale, zero, pads=(1,) * 4, name=name)
    b.node("DequantizeLinear", x, scale, zero, name="out")
    network = load_network(save(b.model("out", "first_q"), tmp_path / "model.onnx"))
    layer = network.select(["first_q"])[0]
    assert layer.name == "first_q/dequantised"
    batch = images(network, 2)
    whole = run(network.model, network, {"image": batch}, network.outputs, "none")
    head, tail = split_network(network, [layer])
    (maps,) = run(head, network, {"image": batch}, [layer.name], "none")
    assert maps.dtype == np.float32 and len(np.unique(maps)) > 20
    for got, expected in zip(
        run(tail, network, {layer.name: maps}, network.outputs, "none"), whole, strict=True
    ):
        np.testing.assert_array_equal(got, expected)
    changed = run(tail, network, {layer.name: maps[:, ::-1].copy()}, network.outputs, "none")
    assert not np.array_equal(changed[0], whole[0])
    with pytest.raises(PreconditionError, match="no twins of integer activations"):
        Requantise(["out"])(network.model)


def test_what_cannot_be_split_at(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    with pytest.raises(ParameterError, match="at one layer at least"):
        split_network(network, [])
    with pytest.raises(LayerNotFoundError) as caught:
        split_network(network, ["rellu2"])
    assert "relu2" in caught.value.candidates
    plain = network.select(["relu2"])[0]
    with pytest.raises(LayerNotFoundError, match="relu2/basis/identity"):
        split_network(network, basis_layers(plain, [Basis.identity(plain.units)]))


def cuts(network: Network, at: set[str]) -> bool:
    """Whether no path from the image to an output avoids the values, by walking every path."""
    readers: dict[str, list[str]] = {}
    for node in network.model.graph:
        for value in node.inputs:
            if value is not None and value.name is not None:
                readers.setdefault(value.name, []).extend(str(out.name) for out in node.outputs)
    seen, waiting = set(at), [network.input.name]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        if name in network.outputs:
            return False
        seen.add(name)
        waiting += readers.get(name, [])
    return True


@settings(max_examples=40, deadline=None)
@given(
    skips=st.lists(st.integers(0, 4), min_size=2, max_size=6),
    heads=st.integers(1, 2),
    chosen=st.sets(st.integers(0, 30), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_random_networks(
    tmp_path_factory: pytest.TempPathFactory, skips: list[int], heads: int, chosen: set[int], seed: int
) -> None:
    b = Builder(("N", 3, 8, 8), seed=seed)
    values = [b.relu(b.conv(b.image, 4))]
    for back in skips:
        y = b.relu(b.conv(values[-1], 4))
        values.append(b.node("Add", y, values[max(0, len(values) - 1 - back)]) if back else y)
    outputs = [b.node("GlobalAveragePool", value) for value in values[-heads:]]
    network = load_network(save(b.model(*outputs), tmp_path_factory.mktemp("random") / "model.onnx"))
    names = [str(value.name) for node in network.model.graph for value in node.outputs]
    at = [names[i % len(names)] for i in sorted(chosen)]
    at = list(dict.fromkeys(at))
    batch = images(network, 2, seed)
    whole = run(network.model, network, {"image": batch}, network.outputs, "none")
    try:
        split_network(network, at)
        assert cuts(network, set(at))
    except LayerCutError as error:
        assert not cuts(network, set(at))
        # all of them, and none but them
        for name in error.candidates:
            assert not cuts(network, {*at, *error.candidates} - {name})
        at += error.candidates
    for got, expected in zip(run_parts(network, at, batch), whole, strict=True):
        np.testing.assert_array_equal(got, expected)
