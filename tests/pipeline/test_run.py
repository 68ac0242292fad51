"""Whole runs on real files against the twin that runs onnxruntime and then nothing but NumPy loops.

Weights and pixels are small integers, so float32 arithmetic is exact in whatever order an implementation
adds: every count must agree to the last pixel.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive import method as naive
from numpy.typing import NDArray
from onnx import numpy_helper
from support.small_runs import SIZE, Convolution, broden, contents, convolutions, dissect, geometry, network

import onnxdissect
from onnxdissect.errors import NonFiniteError, ParameterError, RunIncompleteError, RunMismatchError


@given(
    convolutions(),
    st.booleans(),
    st.integers(0, 2**32),
    st.sampled_from(["receptive-field", "resize"]),
    st.sampled_from([(0.05,), (0.3, 0.02)]),
    st.integers(1, 5),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_run_equals_the_formulas(
    chain: list[Convolution],
    pool: bool,
    seed: int,
    upsample: str,
    quantiles: tuple[float, ...],
    batch_size: int,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network(folder / "net.onnx", chain, pool, seed)
        broden(folder / "data", 5, seed)
        layer = f"relu{len(chain) - 1}"
        result = onnxdissect.dissect(
            folder / "net.onnx",
            folder / "data",
            [layer],
            preset="raw",
            upsample=upsample,
            quantiles=quantiles,
            batch_size=batch_size,
            top=3,
            out=folder / "run",
        )
        data = naive.read_broden(folder / "data")
        expected = naive.dissect(
            naive.activations_of(folder / "net.onnx", layer, data.pictures),
            data.images,
            [(number, category) for number, _, category in data.concepts],
            len(data.categories),
            list(quantiles),
            (SIZE, SIZE),
            geometry(chain, pool) if upsample == "receptive-field" else None,
            3,
        )
        counts = result.counts(layer)
    for field in ("thresholds", "intersection", "activation", "activation_overlap", "activation_total"):
        np.testing.assert_array_equal(getattr(counts, field), getattr(expected, field), err_msg=field)
    np.testing.assert_array_equal(counts.truth, expected.truth)
    np.testing.assert_array_equal(counts.top_images, expected.top_images)
    np.testing.assert_array_equal(counts.top_values, expected.top_values)
    assert [c.images for c in result.concepts] == expected.concept_images.tolist()
    for unit in result.units():
        assert_labelled_as_the_formula_says(unit, data, expected)


def assert_labelled_as_the_formula_says(
    unit: onnxdissect.results.Unit, data: naive.NaiveData, counts: naive.NaiveCounts
) -> None:
    q = next(i for i, t in enumerate(counts.thresholds[:, unit.unit]) if t == np.float32(unit.threshold))
    best, label = 0.0, ""
    for c, (_, name, category) in enumerate(data.concepts):
        both = int(counts.intersection[q, unit.unit, c])
        union = int(counts.activation[q, unit.unit, category]) + int(counts.truth[c]) - both
        if union and both / union > best:
            best, label = both / union, name
    assert (unit.label, unit.iou) == (label, best)
    assert unit.detector == (best > 0.04)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 7, seed=2)
    return tmp_path


def test_two_runs_leave_the_same_bytes(world: Path) -> None:
    dissect(world, workers=1)
    dissect(world, workers=3, out=world / "again")
    assert contents(world / "run") == contents(world / "again")
    assert not (world / "run" / "work").exists()


def test_the_same_command_again_returns_the_finished_run(world: Path) -> None:
    first = dissect(world)
    before = (world / "run" / "manifest.json").read_bytes()
    said: list[str] = []
    again = dissect(world, notify=said.append)
    assert again.summary() == first.summary()
    assert (world / "run" / "manifest.json").read_bytes() == before
    assert any("already holds this run" in line for line in said)


def test_another_run_in_the_directory_is_refused_unless_fresh(world: Path) -> None:
    dissect(world)
    with pytest.raises(RunMismatchError, match=r"parameters\.quantiles"):
        dissect(world, quantiles=[0.2])
    assert dissect(world, quantiles=[0.2], fresh=True).quantiles == (0.2,)


def test_a_failed_run_is_no_result_and_can_be_repeated(world: Path) -> None:
    label = world / "data" / "images" / "6.png"
    whole = label.read_bytes()
    label.write_bytes(whole[:-20])
    with pytest.raises(onnxdissect.OnnxDissectError, match=r"6\.png"):
        dissect(world)
    with pytest.raises(RunIncompleteError):
        onnxdissect.load(world / "run")
    label.write_bytes(whole)
    assert dissect(world).manifest["status"] == "complete"


def test_weights_that_are_not_finite_end_the_run(world: Path) -> None:
    model = onnx.load(world / "net.onnx")
    weights: NDArray[np.float32] = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[2] = np.nan
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w0"))
    onnx.save(model, world / "net.onnx")
    with pytest.raises(NonFiniteError, match=r"'relu0', unit 2, image 0\.png"):
        dissect(world)


def test_the_manifest_says_what_was_done(world: Path) -> None:
    dissect(world, upsample="resize", layers="relu0")
    manifest = json.loads((world / "run" / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert manifest["parameters"]["upsample"] == "resize"
    assert manifest["layers"][0]["upsample"] == "resize"
    assert manifest["layers"][0]["geometry"] == {"offset": [0, 0], "stride": [2, 2], "size": [3, 3]}
    assert manifest["preprocessing"]["source"] == "asked for"
    assert manifest["data"]["images"] == 7
    assert {"start", "pass", "tally"} <= manifest["timing"].keys()


def test_the_stated_memory_does_not_grow_with_the_images(world: Path) -> None:
    few = dissect(world, limit=2, top=2, out=world / "few").manifest["memory"]
    assert few == dissect(world, limit=7, top=2).manifest["memory"]
    # At least the thresholds' bins of four units, and both within the budget of 1 GiB above the bare loop.
    assert 4 * 2**14 * 4 < few["pass"] < 2**30
    assert 0 < few["tally"] < 2**30


def test_pixels_that_a_graph_scales_in_a_way_of_its_own_are_warned_of(world: Path) -> None:
    model = onnx.load(world / "net.onnx")
    (first,) = [node for node in model.graph.node if "image" in node.input]
    first.input[0] = "doubled"
    model.graph.initializer.append(numpy_helper.from_array(np.array(2, np.float32), "two"))
    model.graph.node.insert(0, onnx.helper.make_node("Mul", ["image", "two"], ["doubled"]))
    onnx.save(model, world / "net.onnx")
    said: list[str] = []
    run = dissect(world, preset=None, notify=said.append)
    (warning,) = [line for line in run.manifest["warnings"] if "x * 2 on its pixels" in line]
    assert f"warning: {warning}" in said and "--preset" in warning
    assert not any("its pixels" in line for line in dissect(world, fresh=True).manifest["warnings"])


@pytest.mark.parametrize("asked", ["nearest", "resized", "bilinear"])
def test_all_maps_are_candidates_for_one_that_there_is_not(world: Path, asked: str) -> None:
    with pytest.raises(ParameterError) as found:
        dissect(world, upsample=asked)
    assert found.value.candidates == ("auto", "receptive-field", "effective", "resize")


def test_limit_and_split_choose_the_images(world: Path) -> None:
    assert len(dissect(world, limit=3).images) == 3
    assert len(dissect(world, split="train", out=world / "train").images) == 7
