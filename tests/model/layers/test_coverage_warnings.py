"""Little understood is said; networks that are understood are silent."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.models import (
    Builder,
    channels_last,
    encoder_decoder,
    inception,
    plain,
    quantised,
    residual,
    save,
)

from onnxdissect.errors import LayerNotFoundError
from onnxdissect.model import load_network
from onnxdissect.model.layers.coverage import Coverage, measure_coverage
from onnxdissect.model.layers.coverage_warnings import coverage_warnings, listing_warnings


@pytest.mark.parametrize("make", [plain, residual, channels_last, quantised, inception, encoder_decoder])
def test_networks_that_are_understood_are_silent(tmp_path: Path, make: object) -> None:
    network = load_network(save(make(), tmp_path / "m.onnx"))  # type: ignore[operator]
    assert coverage_warnings(measure_coverage(network.listing), network.listing) == []
    assert listing_warnings(network.listing) == []


def test_exports_of_vision_transformers_are_silent() -> None:
    for name in ("pytorch_vit.onnx", "pytorch_vit_torchscript.onnx"):
        network = load_network(Path(__file__).parents[2] / "exports" / name)
        assert coverage_warnings(measure_coverage(network.listing), network.listing) == []


def lost(tmp_path: Path, *, layers: bool = True) -> Path:
    """Pixels shuffled in an order that no layout has; the second convolution behind says its axes anew."""
    b = Builder((1, 3, 8, 8))
    x = b.conv("image", 4, name="c1") if layers else "image"
    units = 4 if layers else 3
    x = b.node("Reshape", x, b.constant((1, units * 64), "i8"), name="flat")
    x = b.node("Reshape", x, b.constant((1, 8, units * 2, 4), "i8"), name="other")
    for i in range(5):
        x = b.node("Relu", x, name=f"r{i}")
    b.units[x] = 8
    for i in range(2 * layers):
        x = b.conv(x, 4, name=f"behind{i}")
    return save(b.model(x), tmp_path / "lost.onnx")


def test_the_open_values_are_counted_named_and_the_command_states_them(tmp_path: Path) -> None:
    path = lost(tmp_path)
    network = load_network(path)
    coverage = measure_coverage(network.listing)
    (warning,) = coverage_warnings(coverage, network.listing)
    assert f"the layouts of {coverage.open_values} of {coverage.values} values are open, Reshape" in warning
    stated = re.search(r"--layout (\S+)=NCHW states it", warning)
    assert stated is not None
    again = load_network(path, layouts={stated[1]: "NCHW"})
    assert coverage_warnings(measure_coverage(again.listing), again.listing) == []


def test_little_compute_is_said(tmp_path: Path) -> None:
    network = load_network(save(plain(), tmp_path / "m.onnx"))
    (warning,) = coverage_warnings(Coverage(0.3, 0, 10, "", ""), network.listing)
    assert warning == "little of the network was understood: the layers found reach 30% of its compute"


def post_processed(values: int) -> onnx.ModelProto:
    """Boxes of a detector: the predictions of two maps in one row, decoded without a weight."""
    b = Builder((1, 3, 8, 8))
    x = b.relu(b.conv(b.relu(b.conv("image", 16, name="c1")), 16, name="c2"))
    rows = []
    for name in ("a", "b"):
        y = b.node("Reshape", b.conv(x, 8, name=name), b.constant((1, 2, 4, 8, 8), "i8"))
        rows.append(
            b.node("Reshape", b.node("Transpose", y, perm=(0, 3, 4, 1, 2)), b.constant((1, -1, 4), "i8"))
        )
    boxes = b.node("Concat", *rows, axis=1)
    for _ in range(values):
        boxes = b.node("Exp", boxes)
    return b.model(boxes)


def test_decoding_boxes_is_no_loss(tmp_path: Path) -> None:
    network = load_network(save(post_processed(40), tmp_path / "boxes.onnx"))
    coverage = measure_coverage(network.listing)
    assert 2 * coverage.open_values > coverage.values
    assert coverage.severed_values == 0
    assert coverage_warnings(coverage, network.listing) == []


def test_logits_do_not_stand_for_the_maps_before_them(tmp_path: Path) -> None:
    """Dense units at the end have everything behind them, whether maps were found there or not."""
    b = Builder((1, 3, 8, 8))
    x = b.relu(b.conv("image", 4, name="c1"))
    x = b.node("Reshape", x, b.constant((1, 8, 4, 8), "i8"), name="shuffled")
    x = b.node("Reshape", x, b.constant((1, 32, 8), "i8"), name="rows")
    for width in (8, *[64] * 7):
        x = b.node("Relu", b.node("MatMul", x, b.weight((width, 64))))
    x = b.node("ReduceMean", x, axes=[1], keepdims=0)
    x = b.node("MatMul", x, b.weight((64, 5)), name="logits")
    network = load_network(save(b.model(x), tmp_path / "dense.onnx"))
    assert max(layer.share for layer in network.layers) == pytest.approx(1)
    coverage = measure_coverage(network.listing)
    assert coverage.share < 0.2
    (warning,) = coverage_warnings(coverage, network.listing)
    assert "of its compute, and the layouts of" in warning


def test_products_on_chosen_regions_are_no_compute_of_maps(tmp_path: Path) -> None:
    b = Builder((1, 3, 16, 16))
    x = b.relu(b.conv("image", 4, name="c1"))
    boxes = b.constant(np.tile(np.array([[0, 0, 8, 8]], np.float32), (50, 1)))
    crops = b.node("RoiAlign", x, boxes, b.constant(np.zeros(50), np.int64), output_height=7, output_width=7)
    flat = b.node("Reshape", crops, b.constant((50, 196), "i8"))
    x = b.node("MatMul", flat, b.weight((196, 64)), name="regions")
    network = load_network(save(b.model(x), tmp_path / "regions.onnx"))
    assert measure_coverage(network.listing).share == 1.0


def test_without_any_layer_the_error_says_who_left_the_values_open(tmp_path: Path) -> None:
    network = load_network(lost(tmp_path, layers=False))
    with pytest.raises(LayerNotFoundError, match="values are open, Reshape") as caught:
        network.select(["stages"])
    assert "--layout other=NCHW" in str(caught.value.hint)


def test_operators_of_onnxruntime_that_are_not_followed_are_named(tmp_path: Path) -> None:
    b = Builder()
    x = b.conv("image", 4, name="c1")
    x = b.node("Inverse", x, domain="com.microsoft", name="inverse")
    b.units[x] = 4
    b.relu(b.conv(x, 4, name="c2"), "behind")
    path = save(b.model("behind", domains=[("com.microsoft", 1)]), tmp_path / "m.onnx")
    network = load_network(path)
    warnings = coverage_warnings(measure_coverage(network.listing), network.listing)
    assert warnings[0] == (
        "the operator com.microsoft::Inverse is not known, and leaves open what 'inverse' of shape "
        "[1, 4, 32, 32] is; if it holds maps, --layout inverse=NCHW states it"
    )
    again = load_network(path, layouts={"inverse": "NCHW"})
    assert coverage_warnings(measure_coverage(again.listing), again.listing) == []


@pytest.mark.parametrize("way", ["Gather", "Slice", "Split"])
def test_steps_of_a_written_out_recurrent_network_are_to_be_had_by_name(tmp_path: Path, way: str) -> None:
    b = Builder((1, 3, 8, 32))
    x = b.relu(b.conv("image", 4, stride=4, name="c"), "map")
    x = b.node("Transpose", x, perm=[3, 0, 1, 2])
    x = b.node("Reshape", x, b.constant([8, 1, 8], np.int64))
    if way == "Split":
        names = [f"part{i}" for i in range(8)]
        columns = b.nodes("Split", x, b.constant([1] * 8, np.int64), names=names, axis=0)
        columns = [b.node("Squeeze", y, b.constant([0], np.int64)) for y in columns]
    elif way == "Slice":
        ends = [[b.constant([n], np.int64) for n in (i, i + 1, 0)] for i in range(8)]
        columns = [b.node("Squeeze", b.node("Slice", x, *e), b.constant([0], np.int64)) for e in ends]
    else:
        columns = [b.node("Gather", x, b.constant(i, np.int64), axis=0) for i in range(8)]
    weights, again = b.weight((8, 6)), b.weight((6, 6))
    state = b.node("Tanh", b.node("MatMul", columns[0], weights), name="state0")
    for i, column in enumerate(columns[1:], 1):
        total = b.node("Add", b.node("MatMul", column, weights), b.node("MatMul", state, again))
        state = b.node("Tanh", total, name=f"state{i}")
    b.node("Gemm", state, b.weight((6, 5)), b.weight((5,)), name="logits")
    network = load_network(save(b.model("logits"), tmp_path / "m.onnx"))
    names = [layer.name for layer in network.select(["all"])]
    assert {"map", "logits"} <= set(names)
    assert not [name for name in names if name.startswith("state")]
    (layer,) = network.select(["state5"])
    assert (layer.layout, layer.units) == ("NC", 6)


def test_class_and_distillation_tokens_are_no_steps() -> None:
    network = load_network(Path(__file__).parents[2] / "exports" / "pytorch_vit.onnx")
    assert [layer for layer in network.select(["all"]) if layer.layout == "NC"]


def test_a_classifier_that_goes_up_again_says_that_its_stages_end_early(tmp_path: Path) -> None:
    b = Builder((1, 3, 32, 32))
    x = b.relu(b.conv("image", 8, stride=4), name="coarse")
    x = b.node("Resize", x, "", b.constant((1, 1, 2, 2), np.float32), mode="nearest", name="up")
    b.units[x] = 8
    x = b.relu(b.conv(x, 16), name="fine")
    network = load_network(save(b.model(b.head(x)), tmp_path / "up.onnx"))
    assert [layer.name for layer in network.select(["stages"])] == ["coarse"]
    (warning,) = listing_warnings(network.listing)
    assert "the stages end at 'coarse' with" in warning
    assert "('up', Resize)" in warning and warning.endswith("--layer fine")
