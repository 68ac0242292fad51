"""Curves of unique detectors against counts that are drawn, and their naive twin."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import rotation as naive

from onnxdissect.experiments.rotation.curves import (
    NO_INTERVALS,
    CurveIntervals,
    curve_intervals,
    half_life,
    make_curve,
)
from onnxdissect.experiments.rotation.records import RotationPoint

CATEGORIES = ("object", "part")


def point(kind: str, alpha: float | None, seed: int | None, counts: list[int]) -> RotationPoint:
    unique = dict(zip(CATEGORIES, counts, strict=True))
    return RotationPoint(
        "relu", 0.1, kind, alpha, seed, f"{kind}{alpha}{seed}", 99, 99, sum(counts), None, None, unique
    )


@st.composite
def drawn(draw: st.DrawFn) -> dict[str, Any]:
    """Counts by category of every seed and alpha, of the images and of their resamples."""
    alphas, seeds = draw(st.integers(2, 4)), draw(st.integers(1, 4))
    resamples = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    most = draw(st.sampled_from([2, 12]))
    resampled = random.integers(0, most, (alphas + 1, seeds, 2, resamples))
    counted = random.integers(0, most, (alphas + 1, seeds, 2))
    # at alpha 0 every seed is the layer itself
    resampled[0], counted[0] = resampled[0, :1], counted[0, :1]
    ends = [0.0, *sorted(random.choice(np.arange(1, 99), alphas - 2, replace=False) / 100), 1.0]
    return {"alphas": [float(a) for a in ends], "resampled": resampled, "counted": counted}


def with_sum(counts: np.ndarray) -> np.ndarray:
    """All categories together before each of them."""
    return np.concatenate([counts.sum(axis=2, keepdims=True), counts], axis=2)


@given(drawn())
@settings(max_examples=50, deadline=None)
def test_a_curve_is_its_naive_twin(world: dict[str, Any]) -> None:
    alphas, resampled, counted = world["alphas"], with_sum(world["resampled"]), with_sum(world["counted"])
    seeds, resamples = counted.shape[1], resampled.shape[-1]
    intervals = curve_intervals(
        resampled[:-1], resampled[-1], (counted[:-1], counted[-1]), units=15, categories=CATEGORIES
    )
    points = [point("own", 0.0, None, world["counted"][0, 0].tolist())]
    points += [
        point("rotation", alpha, seed, world["counted"][a, seed].tolist())
        for seed in range(seeds)
        for a, alpha in enumerate(alphas)
        if a
    ]
    points += [point("directions", None, seed, world["counted"][-1, seed].tolist()) for seed in range(seeds)]
    curve = make_curve(points, alphas, intervals, (), ())
    assert curve.own == counted[0, 0, 0]
    assert [value.alpha for value in curve.values] == alphas
    for a, value in enumerate((*curve.values, curve.directions)):
        for c, found in enumerate((value.unique, *value.by_category.values())):
            told = (found.mean, found.sd, found.least, found.most)
            assert told == pytest.approx(naive.spread(counted[a, :, c].tolist()), abs=1e-12)
            means = [Fraction(sum(resampled[a, :, c, b].tolist()), seeds) for b in range(resamples)]
            mean = Fraction(sum(counted[a, :, c].tolist()), seeds)
            low, high = naive.interval(mean, means, 15)
            assert (found.low, found.high) == (float(low), float(high))
    means = [Fraction(sum(counted[a, :, 0].tolist()), seeds) for a in range(len(alphas))]
    expected = naive.half_life([Fraction(alpha) for alpha in alphas], means)
    if expected is None:
        assert curve.half_life is None
    else:
        assert curve.half_life == pytest.approx(float(expected), abs=1e-12)
    if means[0] == 0:
        assert curve.fall is None
        return
    assert curve.fall is not None
    share = 1 - means[-1] / means[0]
    assert curve.fall.share == pytest.approx(float(share), abs=1e-12)
    of_resamples = [
        [Fraction(sum(resampled[a, :, 0, b].tolist()), seeds) for b in range(resamples)]
        for a in (0, len(alphas) - 1)
    ]
    ends = naive.fall_interval(share, *of_resamples)
    if ends is None:
        assert (curve.fall.low, curve.fall.high) == (None, None)
    else:
        assert (curve.fall.low, curve.fall.high) == pytest.approx(tuple(map(float, ends)), abs=1e-12)


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ([10, 8, 6, 5.5, 5.1], None),
        ([10, 8, 5, 9, 1], 0.5),
        ([10, 10, 0, 0, 0], 0.375),
        ([10, 0, 0, 0, 0], 0.125),
        ([10, 10, 10, 10, 5], 1.0),
        ([10, 12, 14, 16, 2], 0.75 + 0.25 * 11 / 14),
        ([0, 3, 2, 1, 0], None),
        ([1, 0.5, 0.5, 0.5, 0.5], 0.25),
    ],
)
def test_half_lives(means: list[float], expected: float | None) -> None:
    found = half_life([0, 0.25, 0.5, 0.75, 1], means)
    assert found == (None if expected is None else pytest.approx(expected))


def test_without_a_bootstrap_there_are_no_intervals() -> None:
    points = [point("own", 0.0, None, [4, 0]), point("rotation", 1.0, 0, [1, 0])]
    points.append(point("directions", None, 0, [3, 0]))
    nothing = CurveIntervals([NO_INTERVALS, NO_INTERVALS], NO_INTERVALS, None)
    curve = make_curve(points, (0.0, 1.0), nothing, (), ())
    assert curve.fall is not None
    assert (curve.fall.share, curve.fall.low, curve.fall.high) == (0.75, None, None)
    assert curve.values[1].unique.low is None and curve.directions.by_category["part"].high is None
    assert curve.half_life == pytest.approx(2 / 3)
