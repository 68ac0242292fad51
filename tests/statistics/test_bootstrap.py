"""Resampled images against their twin, and what must hold whatever the images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import statistics as naive_statistics
from naive.scoring import winner
from support.drawn_counts import World, witnessed, worlds

from onnxdissect.core.per_image_counts import PerImageCounts, TruthCounts
from onnxdissect.core.scoring import SCORINGS, best_concepts, iou
from onnxdissect.errors import ParameterError
from onnxdissect.statistics import bootstrap
from onnxdissect.statistics.bootstrap import Bootstrap, bootstrap_iou, resample_weights


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
    found = bootstrap_iou(
        per_image, truth, np.array(world.category_of), weights, scoring=scoring, threads=threads
    )
    for q, rows in enumerate(naive_resamples(world, per_image, weights, scoring)):
        for k, draws in enumerate(rows):
            for b, (scores, won, best) in enumerate(draws):
                assert found.winner[q, k, b] == won
                assert found.best[q, k, b] == best
                if scores:
                    assert found.iou[q, k, b] == scores[0]
                else:
                    assert np.isnan(found.iou[q, k, b])


@given(worlds())
@settings(max_examples=40, deadline=None)
def test_every_image_once_is_the_data_set_itself(world: World) -> None:
    per_image, truth = witnessed(world)
    category_of = np.array(world.category_of)
    expected = world.expected()
    once = np.ones((1, len(world.images)), np.uint8)
    found = bootstrap_iou(per_image, truth, category_of, once)
    scores = iou(expected.intersection, expected.activation, expected.truth, category_of)
    concept, best = best_concepts(scores)
    np.testing.assert_array_equal(found.winner[..., 0], concept)
    np.testing.assert_array_equal(found.best[..., 0], best)
    np.testing.assert_array_equal(found.iou[..., 0], np.where(concept < 0, np.nan, best))


@given(
    worlds(),
    st.sampled_from(SCORINGS),
    st.integers(1, 150),
    st.integers(0, 1000),
    st.sampled_from([1, 5, 10**6]),
)
@settings(max_examples=40, deadline=None)
def test_intervals_are_quantiles_of_resamples(
    world: World, scoring: str, resamples: int, seed: int, part: int
) -> None:
    per_image, truth = witnessed(world)
    category_of = np.array(world.category_of)
    expected = world.expected()
    activation = {
        "paper": expected.activation,
        "lite": expected.activation_overlap,
        "pnas": expected.activation_total,
    }[scoring]
    scores = iou(
        expected.intersection, activation, expected.truth, None if scoring == "pnas" else category_of
    )
    labels = np.array(
        [
            [-1 if (w := winner(row, list(range(len(row))))[0]) is None else w for row in unit]
            for unit in scores.tolist()
        ]
    )
    found = Bootstrap(truth, category_of, resamples, seed).certainty(
        per_image.parts(part), labels, scoring=scoring, iou_threshold=0.04
    )
    weights = np.concatenate(list(resample_weights(len(world.images), resamples, seed)))
    drawn = bootstrap_iou(per_image, truth, category_of, weights, labels=labels, scoring=scoring)
    for q in range(labels.shape[0]):
        winners = [
            {
                int(w)
                for w, best in zip(drawn.winner[q, :, b], drawn.best[q, :, b], strict=True)
                if best > 0.04
            }
            for b in range(resamples)
        ]
        distinct = sorted(map(len, winners))
        assert found.unique_low[q] == distinct[int(np.floor(0.025 * (resamples - 1)))]
        assert found.unique_high[q] == distinct[int(np.ceil(0.975 * (resamples - 1)))]
        for k in range(labels.shape[1]):
            if labels[q, k] < 0 or labels[q, k] not in per_image.top_concepts[q, k]:
                assert np.isnan([found.low[q, k], found.high[q, k], found.stability[q, k]]).all()
                continue
            assert 0 <= found.low[q, k] <= found.high[q, k] <= 1
            ordered = np.sort(drawn.iou[q, k])
            np.testing.assert_allclose(found.low[q, k], np.quantile(ordered, 0.025), rtol=1e-12)
            np.testing.assert_allclose(found.high[q, k], np.quantile(ordered, 0.975), rtol=1e-12)
            assert found.stability[q, k] == np.mean(drawn.winner[q, k] == labels[q, k])


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
    plain = Bootstrap(truth, category_of, 200, 1).certainty(
        per_image.parts(10**6), labels, scoring="paper", iou_threshold=0.1
    )
    monkeypatch.setattr(bootstrap, "_KEPT_BYTES", 9000)
    small = Bootstrap(truth, category_of, 200, 1).certainty(
        per_image.parts(70), labels, scoring="paper", iou_threshold=0.1
    )
    weights = np.concatenate(list(resample_weights(50, 200, 1)))
    several = [bootstrap_iou(per_image, truth, category_of, weights, threads=t) for t in (1, 2, 5)]
    for name in ("low", "high", "stability", "unique_low", "unique_high"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(small, name))
    for name in ("iou", "winner", "best"):
        for other in several[1:]:
            np.testing.assert_array_equal(getattr(several[0], name), getattr(other, name))


def test_wide_sums_do_not_overflow() -> None:
    per_image, truth, category_of, _ = made_up(np.random.default_rng(3), images=4, units=2)
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
    weights = np.full((1, 4), 3, np.uint8)
    found = bootstrap_iou(grown, all_of_it, category_of, weights)
    masks = np.diff(grown.starts)
    holding = np.bincount(truth.concept, minlength=category_of.size)
    for k in range(2):
        c = grown.top_concepts[0, k, 0]
        # Every mask lies within the concept, so the union is its truth, or the masks where that is less.
        union = masks[k] + holding[c] - masks[k]
        assert found.iou[0, k, 0] == pytest.approx(masks[k] / union)


def test_an_unknown_convention_is_refused() -> None:
    per_image, truth, category_of, _ = made_up(np.random.default_rng(4), images=4, units=2)
    with pytest.raises(ParameterError, match="no scoring"):
        bootstrap_iou(per_image, truth, category_of, np.ones((1, 4), np.uint8), scoring="mean")


def made_up(
    random: np.random.Generator, *, images: int, units: int
) -> tuple[
    PerImageCounts,
    TruthCounts,
    np.ndarray[tuple[int], np.dtype[np.int64]],
    np.ndarray[tuple[int, int], np.dtype[np.int64]],
]:
    """One quantile, a mask of every unit in every image, two categories, four concepts."""
    concepts = 4
    intersection = random.integers(0, 20, (units * images, 3)).astype(np.int32)
    top_concepts = np.stack([random.permutation(concepts)[:3] for _ in range(units)])[None]
    per_image = PerImageCounts(
        top_concepts=top_concepts,
        starts=np.arange(units + 1) * images,
        image=np.tile(np.arange(images, dtype=np.int32), units),
        activation=(intersection.max(axis=1) + random.integers(1, 9, units * images)).astype(np.int32),
        intersection=intersection,
        overlap=np.full((units * images, 1), 0b11000000, np.uint8),
    )
    truth = TruthCounts(
        starts=np.arange(images + 1) * concepts,
        concept=np.tile(np.arange(concepts, dtype=np.int32), images),
        pixels=random.integers(20, 60, images * concepts).astype(np.int32),
        categories=np.ones((images, 2), np.bool_),
    )
    return per_image, truth, np.array([0, 1, 0, 1]), top_concepts[..., 0]
