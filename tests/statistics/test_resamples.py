"""Resampled images against their twin, and what must hold whatever the images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import statistics as naive_statistics
from support.drawn_counts import World, witnessed, worlds
from support.resampled import first_concepts, made_up, walk_all

from onnxdissect.core.per_image_counts import PerImageCounts, TruthCounts
from onnxdissect.core.scoring import SCORINGS, best_concepts, iou
from onnxdissect.errors import ParameterError
from onnxdissect.statistics import resamples as resamples_module
from onnxdissect.statistics.resamples import Resamples, UniqueDetectors, resample_weights


def naive_resamples(
    world: World,
    per_image: PerImageCounts,
    weights: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    scoring: str,
) -> list[list[list[tuple[list[float], int, float]]]]:
    """Per quantile, unit and resample: IoU of each contender, the winner, its IoU."""
    expected = world.expected()
    masks = naive_statistics.masks(
        world.activations, world.images, expected.thresholds, world.pixels, world.field
    )
    n, units = world.activations.shape[:2]
    concepts = range(len(world.category_of))
    covers = [[image.covers(c + 1) for c in concepts] for image in world.images]
    truths = [[int(covers[x][c].sum()) for c in concepts] for x in range(n)]
    result = []
    for q in range(len(world.quantiles)):
        rows = []
        for k in range(units):
            here = {x: masks[q, k, x] for x in range(n) if (q, k, x) in masks}
            met = {x: [int((mask & covers[x][c]).sum()) for c in concepts] for x, mask in here.items()}
            shown = {"paper": dict(enumerate(truths)), "lite": met}.get(scoring)
            counted = None
            if shown is not None:
                counted = [
                    [
                        any(shown[x][c] for c in concepts if world.category_of[c] == g)
                        if x in shown
                        else False
                        for g in range(world.categories)
                    ]
                    for x in range(n)
                ]
            chosen = [int(c) for c in per_image.top_concepts[q, k] if c >= 0]
            areas = {x: int(mask.sum()) for x, mask in here.items()}
            rows.append(
                [
                    naive_statistics.resample(row, areas, met, truths, counted, chosen, world.category_of)
                    for row in weights.tolist()
                ]
            )
        result.append(rows)
    return result


@given(worlds(), st.sampled_from(SCORINGS), st.integers(0, 2**63 - 1), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_resamples_equal_the_twin(world: World, scoring: str, seed: int, threads: int) -> None:
    per_image, truth = witnessed(world)
    weights = np.concatenate(list(resample_weights(len(world.images), 5, seed)))
    resamples = Resamples(truth, np.array(world.category_of), 5, seed, threads=threads)
    found = walk_all(resamples, per_image, first_concepts(per_image), scoring)
    for q, rows in enumerate(naive_resamples(world, per_image, weights, scoring)):
        for k, draws in enumerate(rows):
            for b, (scores, won, best) in enumerate(draws):
                assert found.winner[q, k, b] == won
                assert found.best[q, k, b] == best
                if scores:
                    assert found.iou[q, k, b] == scores[0]
                else:
                    assert np.isnan(found.iou[q, k, b])


@given(worlds(), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_every_image_once_is_the_data_set_itself(world: World, seed: int) -> None:
    per_image, truth = witnessed(world)
    category_of = np.array(world.category_of)
    expected = world.expected()
    labels = first_concepts(per_image)
    found = walk_all(Resamples(truth, category_of, 3, seed, whole=True), per_image, labels)
    scores = iou(expected.intersection, expected.activation, expected.truth, category_of)
    concept, best = best_concepts(scores)
    np.testing.assert_array_equal(found.winner[..., 0], concept)
    np.testing.assert_array_equal(found.best[..., 0], best)
    np.testing.assert_array_equal(found.iou[..., 0], np.where(concept < 0, np.nan, best))
    # It comes before the resamples, which stay what they are.
    without = walk_all(Resamples(truth, category_of, 3, seed), per_image, labels)
    for name in ("iou", "winner", "best"):
        np.testing.assert_array_equal(getattr(found, name)[..., 1:], getattr(without, name))


@given(worlds(), st.integers(0, 100), st.floats(0, 0.3))
@settings(max_examples=40, deadline=None)
def test_unique_detectors_are_counted_in_each_resample(world: World, seed: int, threshold: float) -> None:
    per_image, truth = witnessed(world)
    weights = np.concatenate(list(resample_weights(len(world.images), 5, seed)))
    resamples = Resamples(truth, np.array(world.category_of), 5, seed)
    unique = UniqueDetectors(len(world.quantiles), resamples, threshold)
    for units in resamples.walk(per_image.parts(3), "paper"):
        unique.add(units)
    naive = naive_resamples(world, per_image, weights, "paper")
    expected = [
        [naive_statistics.unique_detectors([unit[b] for unit in rows], threshold) for b in range(5)]
        for rows in naive
    ]
    assert unique.counts().tolist() == expected


def test_weights_are_drawn_with_replacement() -> None:
    images, resamples = 40, 3000
    weights = np.concatenate(list(resample_weights(images, resamples, seed=5)))
    assert weights.shape == (resamples, images) and weights.dtype == np.uint8
    assert (weights.sum(axis=1) == images).all()
    # Binomial(40, 1/40): mean 1, variance 0.975.
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.1)
    assert weights.var() == pytest.approx(0.975, abs=0.02)
    np.testing.assert_array_equal(weights[:100], np.concatenate(list(resample_weights(images, 100, 5))))
    assert (weights[:100] != np.concatenate(list(resample_weights(images, 100, 6)))).any()
    assert weights[0, 0] >= 0 and len({row.tobytes() for row in weights}) == resamples


def test_weights_are_those_of_the_seed() -> None:
    """Runs made with different versions stay paired."""
    (weights,) = resample_weights(8, 3, seed=0)
    assert weights.tolist() == [[2, 1, 1, 0, 2, 0, 0, 2], [0, 2, 2, 0, 1, 1, 2, 0], [1, 2, 1, 2, 0, 0, 0, 2]]


def test_results_do_not_depend_on_memory_nor_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    per_image, truth, category_of, labels = made_up(np.random.default_rng(2), images=50, units=9)
    for whole in (False, True):
        plain = walk_all(Resamples(truth, category_of, 200, 1, whole=whole), per_image, labels)
        others = [
            walk_all(Resamples(truth, category_of, 200, 1, whole=whole, threads=t), per_image, labels)
            for t in (1, 2, 5)
        ]
        with monkeypatch.context() as small:
            # Weights are drawn anew for each walk, and units are scored two at a time.
            small.setattr(resamples_module, "_KEPT_BYTES", 9000)
            small.setattr(resamples_module, "_STEP_BYTES", 2 * 200 * (3 * 8 + 12 + 1))
            drawn_anew = Resamples(truth, category_of, 200, 1, whole=whole)
            others.append(walk_all(drawn_anew, per_image, labels, masks=70))
            steps = list(drawn_anew.walk(per_image.parts(10**9), "paper"))
            assert len(steps) == 5
        for other in others:
            for one, two in zip(plain, other, strict=True):
                np.testing.assert_array_equal(one, two)


def test_wide_sums_do_not_overflow() -> None:
    per_image, truth, category_of, labels = made_up(np.random.default_rng(3), images=4, units=2)
    huge = 2**31 - 1
    grown = PerImageCounts(
        per_image.top_concepts,
        per_image.starts,
        per_image.image,
        np.full_like(per_image.activation, huge),
        np.full_like(per_image.intersection, huge),
        per_image.overlap,
    )
    all_of_it = TruthCounts(
        truth.starts, truth.concept, np.full_like(truth.pixels, huge), np.ones_like(truth.categories)
    )
    (weights,) = resample_weights(4, 20, 0)
    assert weights.max() >= 3
    found = walk_all(Resamples(all_of_it, category_of, 20, 0), grown, labels)
    for k in range(2):
        images = grown.image[grown.starts[k] : grown.starts[k + 1]]
        concept = grown.top_concepts[0, k, 0]
        for b, often in enumerate(weights.astype(int).tolist()):
            masks = sum(often[x] for x in images)
            holding = sum(
                often[x] for x in range(4) if concept in truth.concept[truth.starts[x] : truth.starts[x + 1]]
            )
            # Every mask lies within the concept, all of as many pixels.
            assert found.iou[0, k, b] == pytest.approx(masks / holding)


def test_an_unknown_convention_is_refused() -> None:
    per_image, truth, category_of, labels = made_up(np.random.default_rng(4), images=4, units=2)
    with pytest.raises(ParameterError, match="no scoring"):
        walk_all(Resamples(truth, category_of, 1, 0), per_image, labels, "mean")
