"""Explanations of a segmenter: of the mean or the largest of its scores at all places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from support.models import run_whole, save
from support.reduced import CLASSES, segmenter
from support.small_runs import broden, dissect

import onnxdissect
from onnxdissect.errors import ParameterError
from onnxdissect.experiments.explanation import write_explanations
from onnxdissect.experiments.explanation.formats.wording import attribution_name, attribution_sentence


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segmenter")
    save(segmenter("numbers"), folder / "net.onnx")
    broden(folder / "data", 6, 0)
    dissect(folder, layers=["deep"], bootstrap=0, null=0, quantiles=[0.1])
    return folder


@pytest.mark.parametrize("how", ["mean", "max"])
def test_contributions_are_to_the_reduced_score(world: Path, how: str) -> None:
    pixels = np.random.default_rng(4).integers(0, 4, (12, 12, 3)).astype(np.uint8)
    (found,) = onnxdissect.explain(world / "net.onnx", pixels, world / "run", reduce=how, target="bus")
    batch = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)
    maps, deep = run_whole(world / "net.onnx", ["maps", "deep"], batch)
    reduce = np.mean if how == "mean" else np.max
    scores = reduce(maps[0], axis=(1, 2))
    assert found.class_name == "bus" and found.predicted_name == CLASSES[int(scores.argmax())]
    assert found.score == pytest.approx(float(scores[2]), rel=1e-4)
    assert (found.score_of, found.stripped, found.reduced) == ("maps", "ArgMax", how)
    said = {"mean": "the mean over all places of", "max": "the largest at any place of"}[how]
    assert f"the score is {said} 'maps', before the ArgMax of 'numbers'" in attribution_sentence(found)
    assert found.attribution == {"mean": "linear", "max": "ablation"}[how]
    name = {
        "mean": "linear, of the mean over all places",
        "max": "ablation to zero, of the largest at any place",
    }
    assert attribution_name(found) == name[how]
    weights, bias = _last_layer(world / "net.onnx")
    for unit in range(6):
        changed = deep[0].copy()
        changed[unit] = 0
        without = reduce(np.einsum("k,khw->hw", weights[2], changed) + bias)
        assert found.contributions[unit] == pytest.approx(float(scores[2] - without), abs=1e-4)


def _last_layer(path: Path) -> tuple[NDArray[Any], float]:
    """Weights of the last convolution, and the bias of the class explained."""
    graph = onnx.load(path).graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    node = next(one for one in graph.node if "small" in one.output)
    bias = float(stored[node.input[2]][2]) if len(node.input) > 2 else 0.0
    return stored[node.input[1]][:, :, 0, 0], bias


def test_what_was_reduced_is_read_back_and_may_be_missing(world: Path, tmp_path: Path) -> None:
    pixels = np.full((12, 12, 3), 2, np.uint8)
    found = onnxdissect.explain(world / "net.onnx", pixels, world / "run", reduce="max")
    path = write_explanations(found, tmp_path / "out")
    assert onnxdissect.load_explanations(tmp_path / "out")[0].reduced == "max"
    path.write_text(path.read_text().replace('"reduced"', '"another"'))
    assert onnxdissect.load_explanations(tmp_path / "out")[0].reduced == ""
    assert "largest" not in attribution_sentence(replace(found[0], reduced=""))


def test_labelled_images_of_a_segmenter_are_explained(world: Path, tmp_path: Path) -> None:
    for i, name in enumerate(["sky", "road", "bus", "tree"] * 2):
        (tmp_path / name).mkdir(exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 4, (12, 12, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / name / f"{i}.png"), pixels)
    found = onnxdissect.explain_labelled(world / "net.onnx", tmp_path, world / "run", reduce="mean")
    assert (found.score_of, found.stripped, found.reduced) == ("maps", "ArgMax", "mean")
    assert found.attribution == "linear" and len(found.images) == 8


def test_a_reduction_that_contradicts_what_is_asked_for_is_refused(world: Path) -> None:
    pixels = np.zeros((12, 12, 3), np.uint8)
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"reduce": "sum"}, "no reduction 'sum'"),
        ({"reduce": "mean", "attribution": "fitted"}, "--reduce is about the network's"),
        ({}, "no output that scores classes"),
    )
    for options, said in cases:
        with pytest.raises(ParameterError, match=said):
            onnxdissect.explain(world / "net.onnx", pixels, world / "run", **options)
