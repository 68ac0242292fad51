"""Predictions without units are those of files that were edited by hand, whatever batches they are in."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from support.ablated import LAYER, UNITS, scores_without, separable, separable_channels_last
from support.explained import split_at
from support.models import images
from support.transformers import transformer

from onnxdissect.experiments.ablation.predicting.removal import KeptScores, predict_without
from onnxdissect.model import Network
from onnxdissect.model.runtime.parts.network_parts import NetworkParts

NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "NCHW": separable,
    "NHWC": separable_channels_last,
    "fp16": lambda: separable(dtype=np.float16),
}
COUNT = 5
SETS: tuple[list[int], ...] = ([], [0], [3], [6], [1, 2], [0, 1, 2, 3], [4, 5, 6], list(range(UNITS)))


def rows(sets: Any, units: int) -> NDArray[np.bool_]:
    removed = np.zeros((len(sets), units), np.bool_)
    for row, chosen in zip(removed, sets, strict=True):
        row[chosen] = True
    return removed


def of_several_strengths(network: Network) -> NDArray[Any]:
    """In the first images many units are zero everywhere, in the last ones none is."""
    batch = images(network, COUNT, seed=5)
    strengths = np.array([0, 0.4, 1, 4, 8])[:, None, None, None]
    return np.asarray(batch * strengths, batch.dtype)


@pytest.mark.parametrize("name", NETWORKS)
def test_removing_units_is_editing_the_file(tmp_path: Path, name: str) -> None:
    network, _, scores, parts, _ = split_at(NETWORKS[name](), LAYER, tmp_path)
    batch = of_several_strengths(network)
    truth = np.arange(COUNT) % scores.classes
    kept = KeptScores(np.array([-1, *range(4), -1, -1, 2]), np.arange(scores.classes))
    activations = parts.activations(batch)
    before = activations.copy()
    found = predict_without(parts, activations, truth, rows(SETS, UNITS), kept)
    np.testing.assert_array_equal(activations, before)
    close: Any = {"rtol": 2e-2, "atol": 2e-2} if name == "fp16" else {"rtol": 1e-4, "atol": 1e-5}
    own, others = iter(found.own_scores), iter(found.scores)
    for v, units in enumerate(SETS):
        expected = scores_without(network.path, units, batch, tmp_path)
        if kept.own[v] < 0:
            np.testing.assert_allclose(next(others), expected, **close)
        else:
            np.testing.assert_allclose(next(own), expected[:, kept.own[v]], **close)
        if name != "fp16":
            np.testing.assert_array_equal(found.predicted[v], expected.argmax(axis=1))
        for i, row in enumerate(expected):
            loss = math.log(sum(math.exp(one - row[truth[i]]) for one in row))
            assert found.losses[v, i] == pytest.approx(loss, rel=2e-2, abs=close["atol"])
    silent = ~np.asarray(parts.units_first(activations).reshape(COUNT, UNITS, -1).any(axis=2))
    assert silent.any() and not silent.all(), "some units are zero everywhere in some images"
    ran = sum((~silent[:, units]).any(axis=1).sum() for units in SETS)
    assert found.tails == COUNT + ran


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_give_what_each_image_gives_alone(tmp_path: Path, name: str) -> None:
    network, _, scores, parts, _ = split_at(NETWORKS[name](), LAYER, tmp_path)
    activations = parts.activations(of_several_strengths(network))
    expect_batches_alike(parts, activations, np.arange(COUNT) % scores.classes, scores.classes)


def test_images_that_do_not_lie_along_the_first_axis(tmp_path: Path) -> None:
    """Tokens before images."""
    network, layer, scores, parts, _ = split_at(transformer(2, 1, order="TNC"), "block", tmp_path)
    assert layer.layout == "TNC"
    activations = parts.activations(images(network, COUNT, seed=6))
    parts.units_first(activations)[1:3, :2] = 0
    expect_batches_alike(parts, activations, np.arange(COUNT) % scores.classes, scores.classes)


def expect_batches_alike(
    parts: NetworkParts, activations: NDArray[Any], truth: NDArray[np.int64], classes: int
) -> None:
    units = parts.layer.units
    removed = np.concatenate([np.eye(units, dtype=np.bool_), ~np.eye(units, dtype=np.bool_)])
    kept = KeptScores(np.full(len(removed), -1), np.arange(classes))
    together = predict_without(parts, activations, truth, removed, kept)
    unskipped = predict_without(parts, activations, truth, removed, kept, skip=False)
    assert unskipped.tails == (len(removed) + 1) * COUNT > together.tails
    for i in range(COUNT):
        one = np.take(activations, [i], parts.image_axis)
        alone = predict_without(parts, one, truth[i : i + 1], removed, kept)
        for many in (together, unskipped):
            np.testing.assert_allclose(many.scores[:, i], alone.scores[:, 0], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(many.losses[:, i], alone.losses[:, 0], rtol=1e-4, atol=1e-5)
