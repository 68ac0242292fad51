"""Where runs put the cells of their layers: asked for, measured, or settled between the two."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
from naive import method as naive
from numpy.typing import NDArray
from support.commands import Called, called
from support.models import Builder, save
from support.small_runs import SIZE, Convolution, broden, contents, dissect, network

import onnxdissect
from onnxdissect.check.baseline.file import open_baseline, write_baseline
from onnxdissect.check.baseline.snapshot import snapshot_of
from onnxdissect.errors import ImageFileError, RunMismatchError
from onnxdissect.model import (
    EffectiveCentre,
    Layer,
    ReceptiveField,
    Session,
    contradicts,
    load_network,
    measure_centres,
    open_session,
    rule_distance,
)
from onnxdissect.model.receptive_field.probe import drawn_images
from onnxdissect.pipeline.placement import Placement, auto_placement, place_layers


def corner_network(path: Path, kernel: int) -> None:
    """A network that looks at the lower left corner of each of its receptive fields, and half of its map."""
    b = Builder(("N", 3, SIZE, SIZE))
    weight = np.zeros((2, 3, kernel, kernel), np.float32)
    weight[0, :, -1, 0], weight[1, 0, -1, 0] = 1, -1
    b.node("Conv", b.image, b.constant(weight), name="corner", pads=[kernel // 2] * 4, strides=[2, 2])
    b.units["corner"] = 2
    cropped = b.node("Slice", "corner", *(b.constant([n], np.int64) for n in (3, 6, 2)), name="cropped")
    save(b.model(b.head(cropped)), path)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    corner_network(tmp_path / "net.onnx", 3)
    broden(tmp_path / "data", 9, seed=3)
    return tmp_path


def record(run: onnxdissect.Dissection, name: str) -> dict[str, Any]:
    manifest = json.loads((run.path / "manifest.json").read_text())
    return next(layer for layer in manifest["layers"] if layer["name"] == name)


def counted(world: Path, name: str, field: naive.Field | None) -> NDArray[Any]:
    """Intersections by the naive formulas, with the cells at some place."""
    data = naive.read_broden(world / "data")
    return naive.dissect(
        naive.activations_of(world / "net.onnx", name, data.pictures),
        data.images,
        [(number, category) for number, _, category in data.concepts],
        len(data.categories),
        [0.1],
        (SIZE, SIZE),
        field,
        3,
    ).intersection


def test_effective_counts_with_the_measured_centres(world: Path) -> None:
    run = dissect(world, upsample="effective", layers="corner", top=3)
    layer = record(run, "corner")
    measured = layer["effective"]
    assert (layer["upsample"], measured["images"], measured["stride"]) == ("effective", 8, [2, 2])
    # of a field around pixel 0 the corner below and to the left
    assert measured["offset"] == pytest.approx([1, -1], abs=0.25)
    field = tuple(measured["offset"]), tuple(measured["stride"])
    got = run.counts("corner").intersection
    np.testing.assert_array_equal(got, counted(world, "corner", field))
    assert (got != counted(world, "corner", ((0.0, 0.0), (2.0, 2.0)))).any()
    again = onnxdissect.load(run.path)
    (info,) = again.layers
    assert info.effective is not None and list(info.effective["offset"]) == measured["offset"]
    assert [unit.label for unit in again.rescore("pnas").units()]


def test_the_paper_is_followed_when_asked_and_says_where_cells_respond(world: Path) -> None:
    corner_network(world / "net.onnx", 5)
    run = dissect(world, upsample="receptive-field", layers="corner", top=3)
    layer = record(run, "corner")
    assert layer["upsample"] == "receptive-field"
    assert layer["geometry"]["offset"] == [0, 0]
    # two images contradicted it, so that as many as `effective` takes had to say so
    assert layer["effective"]["images"] == 8
    np.testing.assert_array_equal(
        run.counts("corner").intersection, counted(world, "corner", ((0.0, 0.0), (2.0, 2.0)))
    )
    corner = [said for said in run.manifest["warnings"] if "'corner'" in said]
    assert len(corner) == 1 and "--upsample effective" in corner[0]


def test_auto_follows_the_rule_unless_cells_respond_elsewhere(world: Path) -> None:
    run = dissect(world, layers=["corner", "cropped"], top=3)
    assert run.manifest["parameters"]["upsample"] == "auto"
    assert not [said for said in run.manifest["warnings"] if "upsampled" in said or "respond" in said]
    for name, offset in (("corner", (0.0, 0.0)), ("cropped", (6.0, 0.0))):
        assert record(run, name)["upsample"] == "receptive-field"
        assert record(run, name)["geometry"]["offset"] == list(offset)
        np.testing.assert_array_equal(
            run.counts(name).intersection, counted(world, name, (offset, (2.0, 2.0)))
        )


def test_auto_takes_resize_where_that_is_nearer(tmp_path: Path) -> None:
    b = Builder(("N", 3, SIZE, SIZE))
    weight = np.zeros((1, 3, 5, 5), np.float32)
    weight[:, :, 4, 4] = 1  # two pixels down and to the right, where an even spread has cells at 0.5
    b.node("Conv", b.image, b.constant(weight), name="corner", pads=[2] * 4, strides=[2, 2])
    b.units["corner"] = 1
    save(b.model(b.head("corner")), tmp_path / "net.onnx")
    broden(tmp_path / "data", 9, seed=3)
    run = dissect(tmp_path, layers="corner", top=3)
    assert record(run, "corner")["upsample"] == "resize"
    np.testing.assert_array_equal(run.counts("corner").intersection, counted(tmp_path, "corner", None))
    assert any("'corner'" in said and "upsampled by resize" in said for said in run.manifest["warnings"])


def test_a_check_uses_the_maps_of_its_baseline(world: Path) -> None:
    maps = {"corner": "resize", "cropped": "effective"}
    layers = list(maps)
    run = dissect(world, layers=layers, layer_upsample=maps, top=3, null=0, bootstrap=0)
    assert {name: record(run, name)["upsample"] for name in maps} == maps
    with pytest.raises(RunMismatchError, match="layer_upsample"):
        dissect(world, layers=layers, layer_upsample={"corner": "effective"}, top=3, null=0, bootstrap=0)
    write_baseline(world / "baseline.json", snapshot_of(run))
    assert open_baseline(world / "baseline.json").parameters["layer_upsample"] == maps
    words = ["check", "net.onnx", "--baseline", "baseline.json", "--data", "data"]
    said = called(world, *words)
    assert "layer corner: 2 units of 6x6, resize upsampling" in said.stderr
    assert "layer cropped: 2 units of 3x6, effective upsampling" in said.stderr


def test_resize_records_no_measurement(world: Path) -> None:
    run = dissect(world, upsample="resize", layers=["corner", "cropped"])
    assert [record(run, name)["effective"] for name in ("corner", "cropped")] == [None, None]
    assert {record(run, name)["upsample"] for name in ("corner", "cropped")} == {"resize"}


def test_where_nothing_can_be_measured_another_map_is_taken_and_said(tmp_path: Path) -> None:
    b = Builder(("N", 3, SIZE, SIZE))
    x = b.conv(b.image, 4, stride=2, name="conv")
    zero = b.node("Mul", x, b.constant(np.float32(0)), name="zero")
    save(b.model(b.head(zero)), tmp_path / "net.onnx")
    broden(tmp_path / "data", 4, seed=3)
    run = dissect(tmp_path, upsample="effective", layers="zero")
    layer = record(run, "zero")
    assert (layer["upsample"], layer["effective"]) == ("receptive-field", None)
    assert any("does not change with the image" in said for said in run.manifest["warnings"])


def test_an_interrupted_run_measures_the_same(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 40, seed=2)
    whole = dissect(tmp_path, batch_size=2, upsample="effective", out=tmp_path / "whole")
    gone = tmp_path / "data" / "images" / "33.png"
    content = gone.read_bytes()

    class Vanishing:
        done = 0

        def start(self, phase: str, total: int) -> None: ...
        def finish(self) -> None: ...

        def advance(self, images: int) -> None:
            self.done += images
            if self.done == 12:
                gone.unlink()

    with pytest.raises(ImageFileError):
        dissect(tmp_path, batch_size=2, upsample="effective", progress=Vanishing())
    gone.write_bytes(content)
    said: list[str] = []
    resumed = dissect(tmp_path, batch_size=2, upsample="effective", notify=said.append)
    assert any("going on with the interrupted run" in line for line in said)
    assert contents(resumed.path) == contents(whole.path)
    assert resumed.manifest["layers"] == whole.manifest["layers"]
    assert resumed.manifest["layers"][0]["upsample"] == "effective"


def layer_at(offset: float, stride: float = 8, cells: int = 28) -> Layer:
    field = ReceptiveField((offset, offset), (stride, stride), (9, 9))
    shape = (1, 4, cells, cells)
    return Layer("x", "x1", "x", "Conv", "", "NCHW", "float32", shape, 4, (cells, cells), field, 1, 1, None)


def centre_at(offset: float, stride: float = 8, error: float = 0) -> EffectiveCentre:
    return EffectiveCentre((offset,) * 2, (stride,) * 2, (9, 9), (error, error), 8)


@pytest.mark.parametrize(
    ("rule", "measured", "error", "upsample", "warned"),
    [
        (0, 2, 0, "receptive-field", False),
        (0, 6, 0, "resize", True),  # nearer to the even spread, which begins at 3.5
        (0, 6, 3, "receptive-field", False),  # the measurement is not sure enough to contradict
        (0, -6, 0, "receptive-field", True),  # further from the even spread still
        (59.5, 60, 0, "receptive-field", False),
        (59.5, 3.5, 0, "resize", True),
        (-7.5, 0, 0, "resize", True),  # a decoder taken for what its coarse branch sees
    ],
)
def test_rule_and_measurement(
    rule: float, measured: float, error: float, upsample: str, warned: bool
) -> None:
    layer = layer_at(rule, 1, 224) if rule < 0 else layer_at(rule)
    centre = centre_at(measured, 1 if rule < 0 else 8, error)
    placed = auto_placement(layer, (224, 224), centre)
    assert (placed.upsample, placed.warning is not None) == (upsample, warned)


def test_without_a_rule_or_an_order() -> None:
    unmeasured = EffectiveCentre(None, None, None, None, 8, "each of its cells responds to most of the image")
    assert auto_placement(layer_at(0), (224, 224), unmeasured).upsample == "receptive-field"
    for reason in ("its cells go on beyond the image's edge: rolled, or in another order",):
        placed = auto_placement(layer_at(0), (224, 224), replace(unmeasured, reason=reason))
        assert placed.upsample == "resize"
        assert placed.warning is not None and reason in placed.warning
    placed = auto_placement(replace(layer_at(0), receptive_field=None), (224, 224), centre_at(20))
    assert (placed.upsample, placed.warning) == ("resize", None)


def test_distance_counts_cells_at_the_middle() -> None:
    assert rule_distance(layer_at(0, 8, 27), centre_at(4)) == (0.5, 0.5)
    # 13 cells on, strides that differ by 0.4 have added up
    assert rule_distance(layer_at(0, 8, 27), centre_at(4, 8.4)) == pytest.approx((1.15, 1.15))
    assert not contradicts(layer_at(0), centre_at(4))
    assert contradicts(layer_at(0), centre_at(4.1))
    assert not contradicts(layer_at(0), centre_at(4.1, error=1))
    assert rule_distance(layer_at(0), EffectiveCentre(None, None, None, None, 8, "why")) is None


def test_drawn_images_are_the_same_every_time() -> None:
    images = drawn_images((20, 30), 3)
    assert images.shape == (3, 20, 30, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, drawn_images((20, 30), 3))
    assert not np.array_equal(images[0], images[1])
    # neither flat nor black and white
    assert 40 < images.std() < 90
    assert np.isin(images, (0, 255)).mean() < 0.05


Layers = Callable[..., Called]


@pytest.fixture
def layers(world: Path) -> Layers:
    return lambda *words: called(world, "layers", "net.onnx", *words)


def test_the_probe_as_a_command(layers: Layers) -> None:
    said = layers("--probe", "--preset", "raw", "--layer", "corner", "--layer", "cropped")
    assert said.returncode == 0, said.stderr
    header, corner, cropped = said.stdout.splitlines()[1:4]
    assert "responds at" in header and "apart" in header
    assert "6x6" in corner and "receptive-field" in corner and "more than half a cell" not in corner
    assert "3x6" in cropped and "receptive-field" in cropped
    assert "of 2 layers 0 respond more than half a cell" in said.stderr


def test_the_probe_as_json_on_given_images(layers: Layers) -> None:
    said = layers("--probe", "--json", "--data", "data", "--preset", "raw")
    assert said.returncode == 0, said.stderr
    probed = {layer["name"]: layer["probe"] for layer in json.loads(said.stdout)}
    assert probed["corner"]["images"] == 8
    assert probed["corner"]["offset"] == pytest.approx([1, -1], abs=0.25)
    assert probed["corner"]["apart"] == pytest.approx([0.5, -0.5], abs=0.12)
    assert probed["cropped"]["upsample"] == "receptive-field"


@pytest.mark.parametrize("words", [("--data", "data"), ("--preset", "raw"), ("--probe", "--graph")])
def test_what_the_probe_alone_takes(layers: Layers, words: tuple[str, ...]) -> None:
    said = layers(*words)
    assert said.returncode == 2
    assert "--probe" in said.stderr


def hidden(path: Path, op: str) -> None:
    """What a branch does is not looked into; the graph gives no place to what is behind it."""
    b = Builder(("N", 3, SIZE, SIZE), seed=3)
    x = b.node("Relu", b.conv(b.image, 4), name="first")
    span = [b.constant([n], np.int64) for n in (-1, -99, 3, -1)]
    inputs = [x, *span] if op == "Slice" else [x]
    branches = {
        f"{kind}_branch": onnx.helper.make_graph(
            [onnx.helper.make_node(op, inputs, [kind])], kind, [], [onnx.ValueInfoProto(name=kind)]
        )
        for kind in ("then", "else")
    }
    b.node("If", b.constant(True, np.bool_), name="chosen", **branches)
    b.units["chosen"] = 4
    save(b.model(b.head(b.node("Relu", b.conv("chosen", 4), name="behind"))), path)


@pytest.mark.parametrize("upsample", ["auto", "resize"])
@pytest.mark.parametrize(("op", "warned"), [("Slice", True), ("Identity", False)])
def test_order_is_measured_where_the_graph_gives_no_place(
    tmp_path: Path, op: str, warned: bool, upsample: str
) -> None:
    hidden(tmp_path / "net.onnx", op)
    broden(tmp_path / "data", 6, seed=3)
    said: list[str] = []
    run = dissect(tmp_path, layers="behind", top=3, upsample=upsample, notify=said.append)
    assert record(run, "behind")["upsample"] == "resize"
    found = [line for line in said if "do not seem to be in the order of the picture" in line]
    assert bool(found) == warned
    assert not warned or ("against the image" in found[0] and "'behind'" in found[0])


class Turning:
    """A session whose maps run against the image where it is bright, dark or both."""

    def __init__(self, session: Session, bright: bool, dark: bool) -> None:
        self.session, self.turned = session, {True: bright, False: dark}

    def __call__(self, images: NDArray[Any]) -> list[NDArray[np.float32]]:
        turned = self.turned[bool(images.mean() > 0.5)]
        return [maps[..., ::-1].copy() if turned else maps for maps in self.session(images)]


@pytest.mark.parametrize(("bright", "dark"), [(False, False), (True, False), (False, True), (True, True)])
def test_photographs_alone_do_not_contradict_the_graph(tmp_path: Path, bright: bool, dark: bool) -> None:
    """The first images are bright, the drawn ones dark."""
    b = Builder(("N", 3, 48, 48), positive=True)
    many = b.relu(b.conv(b.image, 4, 4, stride=4, pads=(0, 0, 0, 0)), name="many")
    few = b.relu(b.conv(many, 4, 4, stride=4, pads=(0, 0, 0, 0)), name="few")
    network = load_network(save(b.model(b.head(few)), tmp_path / "net.onnx"))
    layers = network.select(["many", "few"])
    random = np.random.default_rng(1).random((8, 3, 48, 48)).astype(np.float32)
    session = cast(Session, Turning(open_session(network, layers, provider="cpu"), bright, dark))

    def places(upsample: str, *, drawn: bool) -> tuple[Placement, ...]:
        shown = (lambda count: random[:count] / 4) if drawn else None
        return place_layers(session, network, layers, lambda n: 1 - random[:n] / 4, upsample, None, shown)

    for upsample in ("auto", "receptive-field", "resize"):
        alone, confirmed = places(upsample, drawn=False)[0], places(upsample, drawn=True)[0]
        assert (alone.warning is not None) == bright
        assert (confirmed.warning is not None) == (bright and dark)
    # three cells in a row do not tell an order
    assert all(place.warning is None for place in places("auto", drawn=False)[1:])


def first(pictures: NDArray[Any], count: int) -> NDArray[Any]:
    return pictures[:count]


@pytest.mark.parametrize("seed", [0, 4, 7, 10])
def test_other_images_do_not_change_the_verdict(tmp_path: Path, seed: int) -> None:
    """Coarse layers of drawn weights respond so near to half a cell away that two images say this or that."""
    b = Builder((1, 3, 96, 96), seed=seed)
    x = b.image
    for i in range(4):
        x = b.relu(b.conv(x, 4, 5, stride=2), name=f"r{i}")
    network = load_network(save(b.model(b.relu(b.conv(x, 4, 1))), tmp_path / "net.onnx"))
    layers = network.select(["r2", "r3"])
    session = open_session(network, layers, provider="cpu")
    pictures = drawn_images(network.size, 40).transpose(0, 3, 1, 2).astype(np.float32) / 255
    parts = [pictures[i : i + 8] for i in range(0, 40, 8)]
    quick = {
        tuple(
            auto_placement(layer, network.size, centre).warning is None
            for layer, centre in zip(layers, centres, strict=True)
        )
        for centres in (measure_centres(session, layers, network.input, part[:2]) for part in parts)
    }
    settled = {
        tuple((place.upsample, place.warning) for place in places)
        for places in (place_layers(session, network, layers, partial(first, part), "auto") for part in parts)
    }
    assert len(quick) > 1
    assert settled == {(("receptive-field", None),) * 2}
