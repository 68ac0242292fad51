"""Units of a segmenter are removed: classes are told by the mean or the largest score over all places."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.models import run_whole, save
from support.reduced import CLASSES, segmenter
from support.small_runs import broden, dissect

import onnxdissect
from onnxdissect.errors import ParameterError, RunMismatchError
from onnxdissect.experiments.ablation.formats.wording import ablation_sentences

EACH = 2


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segmenter")
    save(segmenter("chances"), folder / "net.onnx")
    broden(folder / "data", 6, 0)
    dissect(folder, layers=["deep"], bootstrap=0, null=0, quantiles=[0.1])
    rng = np.random.default_rng(4)
    for name in CLASSES:
        (folder / "labelled" / name).mkdir(parents=True)
        for i in range(EACH):
            pixels = rng.integers(0, 4, (12, 12, 3)).astype(np.uint8)
            cv2.imwrite(str(folder / "labelled" / name / f"{i}.png"), pixels)
    return folder


@pytest.mark.parametrize("how", ["mean", "max"])
def test_predictions_are_those_of_the_reduced_scores(world: Path, tmp_path: Path, how: str) -> None:
    import onnx
    from onnx import numpy_helper

    found = onnxdissect.ablate(
        world / "net.onnx",
        world / "labelled",
        world / "run",
        reduce=how,
        rank_on="all",
        repeats=1,
        resamples=0,
        top_n=[1, 3],
        out=tmp_path / "out",
    )
    assert (found.output, found.score_of, found.stripped, found.reduced) == (
        "chances",
        "maps",
        "Softmax",
        how,
    )
    said = {"mean": "the mean over all places of", "max": "the largest at any place of"}[how]
    assert f"A score is {said} 'maps', before the Softmax of 'chances'." in ablation_sentences(found)
    batch = np.array(
        [
            np.asarray(cv2.imread(str(world / "labelled" / name)))[:, :, ::-1].transpose(2, 0, 1)
            for name in found.arrays.images
        ],
        np.float32,
    )
    (deep,) = run_whole(world / "net.onnx", ["deep"], batch)
    graph = onnx.load(world / "net.onnx").graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    node = next(one for one in graph.node if "small" in one.output)
    weights = stored[node.input[1]][:, :, 0, 0]
    bias = stored[node.input[2]] if len(node.input) > 2 else np.zeros(len(weights))
    reduce = np.mean if how == "mean" else np.max
    for v, removed in enumerate(found.arrays.removed):
        maps = np.einsum("ck,nkhw->nchw", weights, deep * ~removed[:, None, None]) + bias[:, None, None]
        scores = reduce(maps, axis=(2, 3))
        first, second = np.sort(scores, axis=1)[:, -1], np.sort(scores, axis=1)[:, -2]
        clear = first - second > 1e-5
        np.testing.assert_array_equal(found.arrays.predicted[v][clear], scores.argmax(axis=1)[clear])
        losses = np.log(np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1)) + scores.max(axis=1)
        losses -= scores[np.arange(len(scores)), found.arrays.image_class]
        expected = np.bincount(found.arrays.image_class, losses) / EACH
        np.testing.assert_allclose(found.arrays.log_loss[v], expected, rtol=1e-3, atol=1e-5)
    assert onnxdissect.load_ablation(tmp_path / "out") == found
    other = {"mean": "max", "max": "mean"}[how]
    with pytest.raises(RunMismatchError, match=f"reduce: '{how}' there, '{other}' asked for"):
        onnxdissect.ablate(
            world / "net.onnx",
            world / "labelled",
            world / "run",
            reduce=other,
            rank_on="all",
            repeats=1,
            resamples=0,
            top_n=[1, 3],
            out=tmp_path / "out",
        )


def test_without_a_reduction_it_is_said_that_there_is_one(world: Path) -> None:
    with pytest.raises(ParameterError, match="no output that scores classes") as error:
        onnxdissect.ablate(world / "net.onnx", world / "labelled", world / "run")
    assert error.value.hint is not None and "--reduce mean" in error.value.hint
    with pytest.raises(ParameterError, match="no reduction 'sum'"):
        onnxdissect.ablate(world / "net.onnx", world / "labelled", world / "run", reduce="sum")
