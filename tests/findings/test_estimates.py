"""Means over the seeds with their intervals, and what is said of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from page.answer_records import Alike, Finding, Unchanged
from page.estimates import (
    AGREES,
    DISAGREES,
    OPEN,
    TOO_FEW,
    UNDECIDED,
    Estimate,
    alike_verdict,
    difference_of,
    mean_of,
    verdict_of,
)
from page.evidence import Counted


def estimate(low: float, high: float, *seeds: float) -> Estimate:
    return Estimate(sum(seeds) / len(seeds), low, high, seeds)


def drawn(seed: int, size: int = 40) -> list[Counted]:
    rng = np.random.default_rng(seed)
    return [
        Counted(float(rng.integers(5, 30)), rng.integers(0, 40, size).astype(np.float64)) for _ in range(3)
    ]


def naive_interval(values: list[float], resampled: list[list[float]]) -> tuple[float, float]:
    """The middle 95 % of the means in the resamples, moved to where their median lies on the mean."""
    means = sorted(sum(of_seeds) / len(of_seeds) for of_seeds in zip(*resampled, strict=True))
    last = len(means) - 1
    low, high = means[math.floor(0.025 * last)], means[math.ceil(0.975 * last)]
    middle = means[math.ceil(0.5 * len(means)) - 1]
    value = sum(values) / len(values)
    return value + low - middle, value + high - middle


@pytest.mark.parametrize("size", [39, 40, 1000])
def test_a_mean_has_the_interval_of_its_resamples(size: int) -> None:
    counted = drawn(1, size)
    found = mean_of(counted)
    assert found.seeds == tuple(one.value for one in counted)
    assert found.value == pytest.approx(sum(found.seeds) / 3)
    naive = naive_interval(list(found.seeds), [one.resampled.tolist() for one in counted])
    assert (found.low, found.high) == pytest.approx((max(0.0, naive[0]), naive[1]))


def test_a_difference_is_taken_in_each_resample_and_seed() -> None:
    first, second = drawn(2), drawn(3)
    found = difference_of(first, second)
    assert found.seeds == tuple(b.value - a.value for a, b in zip(first, second, strict=True))
    resampled = [(b.resampled - a.resampled).tolist() for a, b in zip(first, second, strict=True)]
    assert (found.low, found.high) == pytest.approx(naive_interval(list(found.seeds), resampled))


def test_a_difference_of_the_same_counts_is_nothing() -> None:
    counted = drawn(4)
    assert difference_of(counted, counted) == Estimate(0.0, 0.0, 0.0, (0.0, 0.0, 0.0))


def test_intervals_end_where_numbers_do() -> None:
    wide = [Counted(0.9, np.linspace(0.0, 1.0, 41))]
    assert mean_of(wide, most=1.0).high == 1.0
    assert mean_of([Counted(0.1, np.linspace(0.0, 1.0, 41))]).low == 0.0
    apart = difference_of([Counted(0.0, np.linspace(0.0, 1.0, 41))], wide, 1.0)
    assert apart.high <= 1.0
    assert difference_of(wide, [Counted(0.0, np.linspace(1.0, 0.0, 41))], 1.0).low == -1.0


def test_a_share_of_nothing_is_nothing() -> None:
    share = Counted(3.0, np.array([1.0, 2.0])) / Counted(0.0, np.array([0.0, 4.0]))
    assert share.value == 0.0
    assert share.resampled.tolist() == [0.0, 0.5]


@pytest.mark.parametrize(
    ("low", "high", "seeds", "published", "verdict"),
    [
        (1.0, 3.0, (1, 2, 3), 1, AGREES),
        (1.0, 3.0, (1, 2, 3), -1, DISAGREES),
        (-3.0, -1.0, (-1, -2, -3), -1, AGREES),
        (-3.0, -1.0, (-1, -2, -3), 1, DISAGREES),
        # the interval holds zero, or ends there
        (-1.0, 3.0, (1, 2, 3), 1, OPEN),
        (0.0, 3.0, (1, 2, 3), 1, OPEN),
        (-3.0, 0.0, (-1, -2, -3), 1, OPEN),
        # a seed lies on the other side, or on neither
        (1.0, 3.0, (-1, 4, 3), 1, OPEN),
        (1.0, 3.0, (0, 3, 3), 1, OPEN),
        (-3.0, -1.0, (-4, -4, 2), -1, OPEN),
        # nothing differs at all
        (0.0, 0.0, (0, 0, 0), 1, OPEN),
    ],
)
def test_a_sign_is_told_by_the_interval_and_every_seed(
    low: float, high: float, seeds: tuple[float, ...], published: int, verdict: str
) -> None:
    difference = estimate(low, high, *seeds)
    assert verdict_of(difference, published) == verdict
    assert Finding(difference, published).verdict == verdict


def test_a_share_of_too_few_detectors_has_no_verdict() -> None:
    difference = estimate(0.1, 0.3, 0.2, 0.2, 0.2)
    assert Finding(difference, 1, fewest=2).verdict == TOO_FEW
    assert Finding(difference, 1, fewest=3).verdict == AGREES


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([(-0.1, 0.1), (-0.2, 0.2)], AGREES),
        ([(-0.1, 0.1), (-0.3, 0.1)], UNDECIDED),
        ([(-0.1, 0.1), (0.1, 0.3)], UNDECIDED),
        ([(-0.1, 0.1), (0.2, 0.3)], UNDECIDED),
        ([(-0.1, 0.1), (0.21, 0.3)], DISAGREES),
        ([(-0.4, -0.21), (-0.5, 0.5)], DISAGREES),
    ],
)
def test_what_is_alike_lies_where_differences_are_small(
    intervals: list[tuple[float, float]], verdict: str
) -> None:
    differences = [estimate(low, high, (low + high) / 2) for low, high in intervals]
    assert alike_verdict(differences, 0.2) == verdict
    named = {str(number): one for number, one in enumerate(differences)}
    told = Alike(named, 0.2)
    assert told.verdict == verdict
    assert abs(told.largest[1].value) == max(abs(one.value) for one in differences)


def test_what_must_not_change_may_be_rounded() -> None:
    assert Unchanged(0, 0).verdict == AGREES
    assert Unchanged(1, 0).verdict == DISAGREES
    assert Unchanged(1e-4, 1e-3).verdict == AGREES
    assert Unchanged(2e-3, 1e-3).verdict == DISAGREES
