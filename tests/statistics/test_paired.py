"""The paired bootstrap against plain loops, its false alarms, and its power, on drawn counts."""

from __future__ import annotations

from dataclasses import replace
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import statistics as naive_statistics
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import PerImageCounts, TruthCounts
from onnxdissect.statistics.corrections import holm
from onnxdissect.statistics.paired import (
    LayerResamples,
    loss_p_values,
    mcnemar_p_values,
    resample_layer,
    unique_loss_p_value,
)
from onnxdissect.statistics.resamples import Resamples, resample_weights

N, C, K, R = 150, 6, 40, 3
CATEGORY_OF = np.array([0, 0, 0, 1, 1, 1])


def world(random: np.random.Generator) -> TruthCounts:
    pixels = random.integers(20, 200, (N, C)) * (random.random((N, C)) < 0.4)
    image, concept = np.nonzero(pixels)
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(pixels, axis=1))])
    inside = np.stack([pixels[:, g == CATEGORY_OF].any(axis=1) for g in (0, 1)], axis=1)
    return TruthCounts(starts, concept.astype(np.int32), pixels[image, concept].astype(np.int32), inside)


def dense_truth(truth: TruthCounts) -> NDArray[np.int64]:
    dense = np.zeros((N, C), np.int64)
    for i in range(N):
        for e in range(truth.starts[i], truth.starts[i + 1]):
            dense[i, truth.concept[e]] = truth.pixels[e]
    return dense


def layer(truth: TruthCounts, random: np.random.Generator) -> PerImageCounts:
    """Units that see a third of unit % C, image by image with noise of their own."""
    dense = dense_truth(truth)
    starts, images, activations, intersections = [0], [], [], []
    top_concepts = np.empty((1, K, R), np.int64)
    for k in range(K):
        top_concepts[0, k] = (k % C, (k + 1) % C, (k + 2) % C)
        seen = random.binomial(dense[:, top_concepts[0, k]], [0.35, 0.02, 0.01])
        spill = random.poisson(5, N)
        activation = seen.max(axis=1) + spill
        rows = np.flatnonzero(activation)
        starts.append(starts[-1] + len(rows))
        images.append(rows)
        activations.append(activation[rows])
        intersections.append(seen[rows])
    return PerImageCounts(
        top_concepts,
        np.array(starts, np.int64),
        np.concatenate(images).astype(np.int32),
        np.concatenate(activations).astype(np.int32),
        np.concatenate(intersections).astype(np.int32),
        np.zeros((sum(map(len, images)), 1), np.uint8),
    )


def destroy(per_image: PerImageCounts, units: int) -> PerImageCounts:
    intersection = per_image.intersection.copy()
    intersection[: per_image.starts[units]] = 0
    return replace(per_image, intersection=intersection)


def score(
    per_image: PerImageCounts,
    truth: TruthCounts,
    labels: NDArray[np.int64],
    *,
    draws: tuple[int, int] = (300, 0),
    threshold: float = 0.04,
) -> LayerResamples:
    count, seed = draws
    resamples = Resamples(truth, CATEGORY_OF, count, seed, whole=True)
    return resample_layer(resamples, per_image, labels, scoring="paper", iou_threshold=threshold)


def test_resamples_are_those_of_plain_loops() -> None:
    random = np.random.default_rng(5)
    truth = world(random)
    per_image = layer(truth, random)
    labels = per_image.top_concepts[0, :, 0].copy()
    labels[1] = 5  # not a contender: the weakest one stands for it
    sampled = score(per_image, truth, labels, draws=(100, 3), threshold=0.1)
    draws = np.concatenate(list(resample_weights(N, 100, 3))).astype(int)
    dense = dense_truth(truth)
    for b, weights in ((0, np.ones(N, int)), (7, draws[6]), (100, draws[99])):
        found = set()
        for k in range(K):
            iou = []
            for r, c in enumerate(per_image.top_concepts[0, k]):
                inter = active = 0
                for e in range(per_image.starts[k], per_image.starts[k + 1]):
                    i = per_image.image[e]
                    inter += weights[i] * per_image.intersection[e, r]
                    active += weights[i] * per_image.activation[e] * truth.categories[i, CATEGORY_OF[c]]
                iou.append(inter / (active + weights @ dense[:, c] - inter))
            if max(iou) > 0.1:
                found.add(int(per_image.top_concepts[0, k, int(np.argmax(iou))]))
            assert sampled.iou[k, b] == pytest.approx(iou[2 if k == 1 else 0], rel=1e-12)
        assert sampled.unique[b] == len(found)


def verdicts(one: PerImageCounts, two: PerImageCounts, truth: TruthCounts) -> tuple[list[float], float]:
    a, b = (score(e, truth, one.top_concepts[0, :, 0]) for e in (one, two))
    lost = holm(loss_p_values(a.iou, b.iou, a.images, 0.0)).tolist()
    return lost, unique_loss_p_value(a.unique, b.unique, 0.0)


def test_false_alarms_are_at_the_level_and_destroyed_units_are_found() -> None:
    alarms, unique_alarms, single = 0, 0, []
    for seed in range(60):
        random = np.random.default_rng(seed)
        truth = world(random)
        # One world, seen twice by one network with noise of its own: nothing was lost, no margin helps.
        one, two = layer(truth, random), layer(truth, random)
        adjusted, unique = verdicts(one, two, truth)
        alarms += min(adjusted) <= 0.05
        unique_alarms += unique <= 0.05
        a, b = (score(e, truth, one.top_concepts[0, :, 0]) for e in (one, two))
        single += loss_p_values(a.iou, b.iou, a.images, 0.0).tolist()
        if seed < 5:
            adjusted, _ = verdicts(one, destroy(two, K // 10), truth)
            assert max(adjusted[: K // 10]) <= 1e-3
    # Each rule by itself: nine alarms or more of 60 at 5 % have a chance of 0.3 %.
    assert alarms <= 8
    assert unique_alarms <= 8
    assert 0.03 < np.mean(np.array(single) <= 0.05) < 0.07


def test_a_loss_is_held_to_students_tail() -> None:
    random = np.random.default_rng(11)
    images = np.array([0, 1, 2, 3, 5, 12, 40, 149])
    before = 0.2 + 0.02 * random.normal(size=(8, 101))
    after = before - 0.06 * random.random((8, 1)) + 0.02 * random.normal(size=(8, 101))
    found = loss_p_values(before, after, images, 0.1)
    for k, carrying in enumerate(images.tolist()):
        losses = [0.9 * b - a for b, a in zip(before[k].tolist(), after[k].tolist(), strict=True)]
        freedom = 1 / (1 / max(carrying - 1, 1) + 1 / 99)
        expected = naive_statistics.student_tail(losses[0] / stdev(losses[1:]), freedom)
        assert found[k] == pytest.approx(expected, rel=1e-6)
    assert found.min() < 0.2 and found.max() > 0.5


def test_losses_without_spread_are_certain() -> None:
    before = np.full((3, 101), 0.2)
    after = before - np.array([[0.1], [0.0], [-0.1]])
    assert loss_p_values(before, after, np.full(3, 9), 0.0).tolist() == [0, 1, 1]


def test_equal_counts_have_lost_nothing() -> None:
    random = np.random.default_rng(0)
    truth = world(random)
    one = layer(truth, random)
    adjusted, unique = verdicts(one, one, truth)
    assert set(adjusted) == {1.0}
    assert unique == 1.0


def test_a_layer_that_lost_its_concepts_is_found() -> None:
    random = np.random.default_rng(0)
    truth = world(random)
    one = layer(truth, random)
    _, unique = verdicts(one, destroy(one, K), truth)
    assert unique == pytest.approx(1 / 301)


def test_the_data_set_itself_is_asked_for() -> None:
    random = np.random.default_rng(0)
    truth = world(random)
    one = layer(truth, random)
    with pytest.raises(ValueError, match="before its resamples"):
        resample_layer(
            Resamples(truth, CATEGORY_OF, 5, 0),
            one,
            one.top_concepts[0, :, 0],
            scoring="paper",
            iou_threshold=0.04,
        )


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=8))
def test_mcnemars_test_equals_the_twin(sides: list[tuple[int, int]]) -> None:
    before, after = np.array(sides, np.int64).T
    expected = [naive_statistics.mcnemar(*side) for side in sides]
    np.testing.assert_allclose(mcnemar_p_values(before, after), expected, rtol=1e-10)


def test_what_is_gone_everywhere_is_as_likely_as_all_tosses_on_one_side() -> None:
    images = np.arange(1100)
    assert mcnemar_p_values(images, np.zeros_like(images)).tolist() == [0.5**m for m in range(1100)]
