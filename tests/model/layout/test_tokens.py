"""Tokens on a grid, and units without a map."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from naive import method as naive
from support import models
from support.commands import run_command
from support.models import Builder, images, run_whole, save
from support.networks import load, named
from support.small_runs import broden
from support.transformers import GRID, SIZE, UNITS, as_map, patches, transformer, with_tokens

import onnxdissect
from onnxdissect.errors import LayerLayoutError
from onnxdissect.model import ReceptiveField, load_network, open_session
from onnxdissect.model.runtime.inference import open_runtime
from onnxdissect.model.surgery.layer_outputs import expose_layers

# --------------------------------------------------------------------------------------------- tokens


@pytest.mark.parametrize("way", ["conv", "channels last", "reshape"])
@pytest.mark.parametrize(
    ("before", "after", "order"),
    [(0, 0, "NTC"), (1, 0, "NTC"), (2, 0, "NTC"), (5, 0, "NTC"), (0, 4, "NTC"), (1, 3, "NTC"), (1, 0, "TNC")],
)
def test_tokens_become_maps(tmp_path: Path, before: int, after: int, order: str, way: str) -> None:
    """A class token, one for distillation, registers, prompts: all are left out, whatever the order."""
    path = save(transformer(before, after, order=order, way=way), tmp_path / "model.onnx")
    network = load_network(path)
    layers = network.select(["block", "hidden", "attended", "summary", "logits"])
    for layer in layers:
        if layer.layout == "NC":
            assert (layer.grid, layer.skipped) == ((1, 1), (0, 0))
        else:
            assert (layer.layout, layer.grid, layer.skipped) == (order, GRID, (before, after)), layer.name
            assert "3x3 patches" in layer.reason
            # a cell of its own place, which has heard all others
            assert layer.receptive_field == ReceptiveField((1.5, 1.5), (4.0, 4.0), None)
    assert named(network, "logits").receptive_field is None
    assert {layer.layout for layer in layers} == {order, "NC"}
    assert [layer.name for layer in network.select(["stages"])] == ["hidden", "final"]
    batch = images(network, 5)
    session = open_session(network, layers, verify=batch[:2])
    assert (session.fixed_batch, session.warnings) == (None, ())
    whole = run_whole(path, [layer.name for layer in layers], batch)
    for layer, maps, array in zip(layers, session(batch), whole, strict=True):
        expected = as_map(array, layer.layout, before, GRID)
        assert maps.dtype == np.float32 and maps.shape == (5, layer.units, *layer.grid)
        np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("order", ["NTC", "TNC"])
def test_logits_are_the_same_after_surgery(tmp_path: Path, order: str) -> None:
    path = save(transformer(2, 1, order=order), tmp_path / "model.onnx")
    network = load_network(path)
    exposed = expose_layers(network.model, network.select(["all"]), prune=False)
    batch = images(network, 3)
    (after,) = open_runtime(exposed, optimise="none")({"image": batch}, ["logits"])
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(after, session.run(["logits"], {"image": batch})[0])


def test_a_normalisation_that_is_spelled_out_is_no_stage(tmp_path: Path) -> None:
    """Squares under a mean are statistics, and come after the last nonlinearity."""
    network = load(transformer(spelled=True), tmp_path)
    assert named(network, "square_of_final").layout == "NTC"
    assert [layer.name for layer in network.select(["stages"])] == ["hidden", "final"]


def test_a_part_of_the_tokens(tmp_path: Path) -> None:
    """The grid behind a cut is known as long as it is whole."""
    b = Builder(("N", 3, SIZE, SIZE))
    x = with_tokens(b, patches(b, "conv"), 2, 0)

    def cut(start: int, end: int, name: str) -> str:
        bounds = [b.constant((i,), np.int64) for i in (start, end, 1)]
        return b.node("Slice", x, *bounds, name=name)

    names = [cut(1, 99, "later"), cut(2, 99, "grid"), cut(2, 10, "hurt"), cut(0, 2, "own")]
    names += b.nodes("Split", x, b.constant((2, 9), np.int64), names=["left", "right"], axis=1)
    chosen = b.constant(np.arange(2, 11), np.int64)
    names.append(b.node("Gather", x, chosen, axis=1, name="picked"))
    shuffled = b.constant((2, 4, 3, 5, 6, 7, 8, 9, 10), np.int64)
    names.append(b.node("Gather", x, shuffled, axis=1, name="shuffled"))
    back = b.node("Reshape", names[1], b.constant((0, 3, 3, UNITS), np.int64), name="map")
    network = load(b.model(*names, back), tmp_path)
    assert named(network, "later").skipped == (1, 0)
    assert [named(network, name).skipped for name in ("grid", "right", "picked")] == [(0, 0)] * 3
    assert (named(network, "map").layout, named(network, "map").grid) == ("NHWC", GRID)
    field = named(network, "map").receptive_field
    assert field is not None and (field.offset, field.stride) == ((1.5, 1.5), (4.0, 4.0))
    assert named(network, "later").receptive_field == field
    with pytest.raises(LayerLayoutError, match=r"order of the picture since operator Gather \('shuffled'\)"):
        network.select(["shuffled"])
    for name in ("hurt", "own", "left"):
        with pytest.raises(LayerLayoutError, match="leaves open which axes are tokens on a grid"):
            network.select([name])


def test_grids_of_several_maps_behind_each_other(tmp_path: Path) -> None:
    b = Builder(("N", 3, SIZE, SIZE))
    fine = patches(b, "conv")
    x = b.node("Concat", fine, b.relu(fine), axis=1, name="both")
    with pytest.raises(LayerLayoutError, match="both"):
        load(b.model(x), tmp_path).select(["both"])


def test_tokens_of_a_frozen_batch(tmp_path: Path) -> None:
    """A class token that is stored for one image is repeated for the others."""
    path = save(transformer(1, 2, frozen=True), tmp_path / "model.onnx")
    network = load_network(path)
    batch = images(network, 3)
    session = open_session(network, network.select(["hidden"]), verify=batch[:2])
    assert (session.fixed_batch, session.warnings) == (None, ())
    whole = np.concatenate([run_whole(path, ["hidden"], batch[i : i + 1])[0] for i in range(3)])
    np.testing.assert_allclose(session(batch)[0], as_map(whole, "NTC", 1, GRID), atol=1e-5)


# ------------------------------------------------------------------------------------ units without a map


def test_cells_in_a_row_have_no_place(tmp_path: Path) -> None:
    b = Builder(("N", 3, SIZE, SIZE))
    x = b.relu(b.conv(b.image, 4))
    row = b.node("Reshape", x, b.constant((0, 4, -1), np.int64), name="row")
    line = b.node("ReduceMean", x, axes=(2,), keepdims=0, name="line")
    network = load(b.model(row, line), tmp_path)
    with pytest.raises(LayerLayoutError, match="image, unit, token: cells along a line have no place"):
        network.select(["row"])
    with pytest.raises(LayerLayoutError, match="image, unit, width: cells along a line have no place"):
        network.select(["line"])


def test_units_behind_flattened_maps(tmp_path: Path) -> None:
    """Cells and units in one axis are no units; what a product makes of them is."""
    b = Builder(("N", 3, 8, 8))
    x = b.relu(b.conv(b.image, 4, stride=2))
    flat = b.node("Flatten", x, name="flat")
    hidden = b.relu(b.node("Gemm", flat, b.weight((64, 6))), name="fc6")
    network = load(b.model(hidden), tmp_path)
    assert (named(network, "fc6").layout, named(network, "fc6").units) == ("NC", 6)
    with pytest.raises(LayerLayoutError, match="whether its second axis is units alone") as caught:
        network.select(["flat"])
    assert caught.value.candidates == ("NC",)
    assert str(caught.value.hint).endswith("--layout flat=NC")
    assert named(load(b.model(hidden), tmp_path, layouts={"flat": "NC"}), "flat").units == 64


def test_a_pooled_map_is_to_be_had_by_name(tmp_path: Path) -> None:
    network = load(models.squeeze_excite(), tmp_path)
    assert not {"squeezed", "gate"} & {layer.name for layer in network.layers}
    assert named(network, "gate").grid == (1, 1)


# only an axis of one is squeezed
@pytest.mark.parametrize(("rows", "way"), [(1, "Reshape"), (1, "Squeeze"), (2, "Reshape")])
def test_tokens_of_a_single_row_become_a_map_again(tmp_path: Path, rows: int, way: str) -> None:
    """What readers of text do: a strip of cells, mixed as tokens, convolved again."""
    b = Builder((1, 3, 16 * rows, 56))
    x = b.relu(b.conv("image", 8, (16, 8), stride=8, pads=(0, 0, 0, 0)))
    x = b.node("AveragePool", x, kernel_shape=(1, 1), strides=(2 if rows > 1 else 1, 1))
    if way == "Reshape":
        x = b.node("Reshape", x, b.constant((0, 8, -1), np.int64), name="flat")
    else:
        x = b.node("Squeeze", x, b.constant([2], np.int64), name="flat")
    x = b.node("MatMul", b.node("Transpose", x, perm=(0, 2, 1)), b.weight((8, 8)), name="mixed")
    if way == "Reshape":
        x = b.node("Reshape", x, b.constant((1, rows, 7, 8), np.int64), name="back")
    else:
        x = b.node("Unsqueeze", x, b.constant([1], np.int64), name="back")
    x = b.node("Transpose", x, perm=(0, 3, 1, 2))
    b.units[x] = 8
    network = load(b.model(b.relu(b.conv(x, 12, 1), name="deep")), tmp_path)
    assert [(named(network, n).layout, named(network, n).grid) for n in ("mixed", "back", "deep")] == [
        ("NTC", (rows, 7)),
        ("NHWC", (rows, 7)),
        ("NCHW", (rows, 7)),
    ]
    field = named(network, "deep").receptive_field
    assert field is not None
    assert (field.offset, field.stride[1]) == ((7.5, 3.5), 8.0)
    batch = images(network, 1)
    (maps,) = open_session(network, network.select(["mixed"]), verify=batch)(batch)
    (whole,) = run_whole(network.path, ["mixed"], batch)
    np.testing.assert_allclose(maps, as_map(whole, "NTC", 0, (rows, 7)), atol=1e-5)
    assert network.select(["last"])[0].name == "deep"


# ------------------------------------------------------------------------------------- the command line


def whole_numbers(b: Builder, shape: tuple[int, ...]) -> str:
    """Small integers, so that float32 sums are exact in whatever order they are taken."""
    return b.constant(b.rng.integers(-1, 2, shape))


def exact(kind: str) -> onnx.ModelProto:
    b = Builder(("N", 3, SIZE, SIZE), seed=3)
    x = b.node("Conv", b.image, whole_numbers(b, (4, 3, 4, 4)), strides=(4, 4))
    if kind == "NC":
        x = b.node("Flatten", x)
        return b.model(b.relu(b.node("Gemm", x, whole_numbers(b, (36, 6)), name="sum"), name="units"))
    x = b.node("Transpose", b.node("Reshape", x, b.constant((0, 4, 9), np.int64)), perm=(0, 2, 1))
    batch = b.node("Gather", b.node("Shape", b.image), b.constant((0,), np.int64))
    target = b.node("Concat", batch, b.constant((2, 4), np.int64), axis=0)
    x = b.node("Concat", b.node("Expand", b.constant(np.full((1, 2, 4), 99)), target), x, axis=1)
    return b.model(b.relu(b.node("MatMul", x, whole_numbers(b, (4, 5)), name="sum"), name="units"))


@pytest.mark.parametrize("kind", ["NTC", "NC"])
def test_counts_equal_the_formulas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A class and a distillation token would be above every threshold, were they counted."""
    monkeypatch.chdir(tmp_path)
    save(exact(kind), tmp_path / "net.onnx")
    broden(tmp_path / "data", 9, seed=4)
    quantile = 0.1 if kind == "NTC" else 0.4
    options = ("--preset", "raw", "--quantile", quantile, "--top", 3, "--no-report", "--layer", "units")
    assert run_command(monkeypatch, "run", "net.onnx", "--data", "data", *options, "--out", "run") == 0
    run = onnxdissect.load(tmp_path / "run")
    (layer,) = run.layers
    grid = GRID if kind == "NTC" else (1, 1)
    assert (layer.layout, layer.shape, layer.upsample) == (
        kind,
        grid,
        "receptive-field" if kind == "NTC" else "resize",
    )
    data = naive.read_broden(tmp_path / "data")
    values = naive.activations_of(tmp_path / "net.onnx", "units", data.pictures)
    expected = naive.dissect(
        as_map(values, kind, 2, grid),
        data.images,
        [(number, category) for number, _, category in data.concepts],
        len(data.categories),
        [quantile],
        (SIZE, SIZE),
        None,
        3,
    )
    counts = run.counts("units")
    for field in ("thresholds", "intersection", "activation", "activation_overlap", "activation_total"):
        np.testing.assert_array_equal(getattr(counts, field), getattr(expected, field), err_msg=field)
    np.testing.assert_array_equal(counts.truth, expected.truth)
    np.testing.assert_array_equal(counts.top_images, expected.top_images)
    assert counts.intersection.any()


def test_layers_says_what_was_derived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save(transformer(2), tmp_path / "net.onnx")
    assert run_command(monkeypatch, "layers", "net.onnx", "--layer", "hidden") == 0
    said = capsys.readouterr()
    row = next(line for line in said.out.splitlines() if "hidden" in line)
    assert row.split()[:8] == ["1", "relu1", "hidden", "Relu", "NTC", "1x11x12", "12", "3x3"]
    assert "3x3 patches behind 2 tokens; last axis of MatMul" in row
    assert "further values have a layout that the graph leaves open" in said.err
    assert run_command(monkeypatch, "layers", "net.onnx", "--json") == 0
    listed = {layer["name"]: layer for layer in json.loads(capsys.readouterr().out)}
    assert listed["hidden"]["skipped"] == [2, 0]
    assert listed["logits"]["share"] == 1.0
    assert 0 < listed["embedding"]["share"] < listed["hidden"]["share"] < 1
    assert run_command(monkeypatch, "layers", "net.onnx", "--layer", "hiden") == 2
    assert "hidden" in capsys.readouterr().err


def test_layers_prints_the_surgery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save(transformer(1), tmp_path / "net.onnx")
    assert run_command(monkeypatch, "layers", "net.onnx", "--layer", "hidden", "--graph") == 0
    said = capsys.readouterr().out
    turned = "Gather tokens 1 to 9 of 10, Transpose, Reshape to (n, 12, 3, 3)"
    assert f"expose hidden, which is (n, tokens, units), {turned}" in said
    assert "remove what no layer needs: 5 of" in said
    save(models.frozen_batch(4), tmp_path / "frozen.onnx")
    assert run_command(monkeypatch, "layers", "frozen.onnx", "--graph", "--json") == 0
    steps = json.loads(capsys.readouterr().out)
    freed = "free the batch of image from 4 to any size, and in 2 Reshape and Concat nodes behind it"
    assert freed in steps
    assert any(step.startswith("check the batch: two images together") for step in steps)
    save(models.mixes_batch(), tmp_path / "mixes.onnx")
    assert run_command(monkeypatch, "layers", "mixes.onnx", "--graph", "--layer", "relu2") == 0
    assert "keep batches of 1" in capsys.readouterr().out
