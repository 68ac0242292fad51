"""Intervals and stabilities against the resamples they are of."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from naive.scoring import winner
from support.drawn_counts import World, witnessed, worlds
from support.resampled import made_up, walk_all

from onnxdissect.core.scoring import SCORINGS, iou
from onnxdissect.statistics.bootstrap import certainty, top_concept_intervals
from onnxdissect.statistics.resamples import Resamples


@given(
    worlds(),
    st.sampled_from(SCORINGS),
    st.integers(1, 150),
    st.integers(0, 1000),
    st.sampled_from([1, 5, 10**6]),
)
@settings(max_examples=40, deadline=None)
def test_intervals_are_quantiles_of_resamples(
    world: World, scoring: str, count: int, seed: int, part: int
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
    resamples = Resamples(truth, category_of, count, seed)
    found = certainty(resamples, per_image.parts(part), labels, scoring=scoring, iou_threshold=0.04)
    drawn = walk_all(resamples, per_image, labels, scoring)
    for q in range(labels.shape[0]):
        winners = [
            {
                int(w)
                for w, best in zip(drawn.winner[q, :, b], drawn.best[q, :, b], strict=True)
                if best > 0.04
            }
            for b in range(count)
        ]
        distinct = sorted(map(len, winners))
        assert found.unique_low[q] == distinct[int(np.floor(0.025 * (count - 1)))]
        assert found.unique_high[q] == distinct[int(np.ceil(0.975 * (count - 1)))]
        for k in range(labels.shape[1]):
            if labels[q, k] < 0 or labels[q, k] not in per_image.top_concepts[q, k]:
                assert np.isnan([found.low[q, k], found.high[q, k], found.stability[q, k]]).all()
                continue
            assert 0 <= found.low[q, k] <= found.high[q, k] <= 1
            ordered = np.sort(drawn.iou[q, k])
            np.testing.assert_allclose(found.low[q, k], np.quantile(ordered, 0.025), rtol=1e-12)
            np.testing.assert_allclose(found.high[q, k], np.quantile(ordered, 0.975), rtol=1e-12)
            assert found.stability[q, k] == np.mean(drawn.winner[q, k] == labels[q, k])


@given(
    worlds(), st.sampled_from(SCORINGS), st.integers(1, 60), st.integers(0, 1000), st.sampled_from([1, 10**6])
)
@settings(max_examples=40, deadline=None)
def test_intervals_of_every_top_concept(world: World, scoring: str, count: int, seed: int, part: int) -> None:
    per_image, truth = witnessed(world)
    resamples = Resamples(truth, np.array(world.category_of), count, seed)
    top = per_image.top_concepts
    found = top_concept_intervals(resamples, per_image.parts(part), top.shape[:2], scoring)
    np.testing.assert_array_equal(found.concept, top)
    for rank in range(top.shape[2]):
        drawn = walk_all(resamples, per_image, top[..., rank], scoring).iou
        for at in np.ndindex(*top.shape[:2]):
            ends = [found.low[at][rank], found.high[at][rank]]
            if top[at][rank] < 0:
                assert np.isnan(ends).all()
            else:
                assert ends == np.quantile(drawn[at], (0.025, 0.975)).tolist()


def test_intervals_of_labels_are_among_those_of_the_top_concepts() -> None:
    per_image, truth, category_of, labels = made_up(np.random.default_rng(8), images=20, units=6)
    labels = labels.copy()
    labels[0, :2] = -1, next(c for c in range(4) if c not in per_image.top_concepts[0, 1])
    labels[0, 2] = per_image.top_concepts[0, 2, 2]
    resamples = Resamples(truth, category_of, 90, 4)
    told = certainty(resamples, per_image.parts(50), labels, scoring="lite", iou_threshold=0.04)
    alone = top_concept_intervals(resamples, per_image.parts(10**6), (1, 6), "lite")
    for name in ("concept", "low", "high"):
        np.testing.assert_array_equal(getattr(told.top_concepts, name), getattr(alone, name))
    assert np.isnan(told.low[0, :2]).all() and np.isnan(told.stability[0, :2]).all()
    for k, rank in ((2, 2), (3, 0), (4, 0), (5, 0)):
        assert (told.low[0, k], told.high[0, k]) == (alone.low[0, k, rank], alone.high[0, k, rank])
