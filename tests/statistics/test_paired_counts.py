"""Differences of counts over the same resamples, and how many labels two sides share by chance."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import comparison as naive

from onnxdissect.statistics.paired_counts import FEWEST_RESAMPLES, count_difference
from onnxdissect.statistics.shared_labels import LabelDraw, expected_jaccard, shared_labels, upper_tail


@st.composite
def resampled(draw: st.DrawFn) -> tuple[tuple[int, int], list[int], list[int]]:
    size = draw(st.integers(FEWEST_RESAMPLES, 130))
    most = draw(st.sampled_from([1, 3, 12]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    first, second = (random.integers(0, most + 1, size) for _ in range(2))
    counted = tuple(int(one) for one in random.integers(0, most + 4, 2))
    return counted, first.tolist(), second.tolist()  # type: ignore[return-value]


def found(counted: tuple[int, int], first: list[int], second: list[int]) -> tuple[float, ...]:
    one = count_difference(counted, np.array(first, np.int64), np.array(second, np.int64))
    return one.value, one.low, one.high, one.p_value


@given(resampled())
@settings(max_examples=60, deadline=None)
def test_a_difference_is_its_naive_twin(case: tuple[tuple[int, int], list[int], list[int]]) -> None:
    value, low, high, p = found(*case)
    assert (value, low, high, p) == tuple(float(one) for one in naive.difference(*case))


@given(resampled(), st.fractions(-15, 15, max_denominator=7))
@settings(max_examples=60, deadline=None)
def test_between_the_ends_lies_what_is_not_rejected(
    case: tuple[tuple[int, int], list[int], list[int]], difference: Fraction
) -> None:
    counted, first, second = case
    value, low, high, _ = naive.difference(counted, first, second)
    if low == high:
        return
    drawn = [b - a for a, b in zip(first, second, strict=True)]
    for end in (low, high):
        assert naive.p_value(end, value, drawn) == Fraction(1, 20)
    for one in (difference, low + (high - low) / 1000, high - (high - low) / 1000, low - 1, high + 1):
        assert (naive.p_value(one, value, drawn) > Fraction(1, 20)) == (low < one < high)


@given(resampled())
@settings(max_examples=60, deadline=None)
def test_interval_and_p_value_never_contradict_each_other(
    case: tuple[tuple[int, int], list[int], list[int]],
) -> None:
    value, low, high, p = found(*case)
    assert low <= value <= high
    assert (p > 0.05) == (low < 0 < high or low == 0 == high)
    assert 0 < p <= 1
    # a count cannot be told to less than its step
    assert high - low >= 0.95 or (value, low, high, p) == (0, 0, 0, 1)


@given(resampled())
@settings(max_examples=60, deadline=None)
def test_exchanging_the_sides_changes_signs_alone(
    case: tuple[tuple[int, int], list[int], list[int]],
) -> None:
    counted, first, second = case
    value, low, high, p = found(counted, first, second)
    assert found(counted[::-1], second, first) == (-value, -high, -low, p)


def test_what_is_the_same_in_every_resample_differs_by_nothing() -> None:
    counts = list(range(50))
    assert found((7, 7), counts, counts) == (0, 0.0, 0.0, 1.0)


def test_a_count_that_never_varies_is_known_to_its_step() -> None:
    value, low, high, p = found((2, 3), [2] * 999, [3] * 999)
    # 24 resamples of 999 lie beyond either end
    assert (value, low, high) == (1, 0.5 + 24 / 999, 1.5 - 24 / 999) and p == 2 / 1000
    # of two counts that vary alike, but lie apart, as well
    noise = [i % 5 for i in range(999)]
    assert found((7, 8), noise, [1 + one for one in noise]) == (value, low, high, p)
    assert found((7, 7), noise, noise) == (0, 0.0, 0.0, 1.0)


def test_half_of_those_that_are_equal_count() -> None:
    # none in the middle of 1,000 resamples: 200 below it, 500 equal to it, 300 above
    drawn = [-1] * 200 + [0] * 500 + [1] * 300
    nothing = [0] * 1000
    value, low, high, p = found((0, 0), nothing, drawn)
    assert value == 0 and p == 1.0
    middle = -0.5 + 300 / 500
    beyond = 1001 / 40 - 1
    assert low == pytest.approx(-1.5 + beyond / 200 - middle, abs=1e-12)
    assert high == pytest.approx(1.5 - beyond / 300 - middle, abs=1e-12)
    _, _, _, p = found((0, 1), nothing, drawn)
    # no difference lies one count below: beyond are those of -1 from the middle less one on
    below = 200 * (middle - 1 + 1.5)
    assert p == pytest.approx(2 * (1 + below) / 1001, abs=1e-12)


@pytest.mark.parametrize("size", [FEWEST_RESAMPLES, 79, 1000])
def test_a_difference_beyond_all_resamples_has_the_smallest_p_value(size: int) -> None:
    noise = [i % 5 for i in range(size)]
    value, low, high, p = found((3, 90), noise, noise[::-1])
    assert p == 2 / (1 + size) and p <= 0.05
    assert 0 < low <= value == 87 <= high


CATEGORY_OF = {name: name[0] for name in ("a1", "a2", "a3", "a4", "b1", "b2", "b3")}


@st.composite
def labels(draw: st.DrawFn) -> tuple[set[str], set[str], set[str], set[str]]:
    pools = [draw(st.sets(st.sampled_from(sorted(CATEGORY_OF)), min_size=1)) for _ in range(2)]
    drawn = [draw(st.sets(st.sampled_from(sorted(pool)), max_size=4)) for pool in pools]
    return pools[0], pools[1], drawn[0], drawn[1]


@given(labels())
@settings(max_examples=40, deadline=None)
def test_what_chance_shares_is_what_all_draws_share(
    case: tuple[set[str], set[str], set[str], set[str]],
) -> None:
    pool, other_pool, first, second = case

    def of(names: set[str], category: str) -> int:
        return sum(CATEGORY_OF[name] == category for name in names)

    chances = shared_labels(
        LabelDraw((of(pool, g), of(other_pool, g)), of(pool & other_pool, g), (of(first, g), of(second, g)))
        for g in "ab"
    )
    jaccard, tail = naive.overlap(first, second, (pool, other_pool), CATEGORY_OF)
    assert sum(chances) == pytest.approx(1, abs=1e-12)
    assert expected_jaccard(chances, (len(first), len(second))) == pytest.approx(float(jaccard), abs=1e-12)
    assert upper_tail(chances, len(first & second)) == pytest.approx(float(tail), abs=1e-12)


def test_sharing_none_or_all_that_must_be_shared_is_certain() -> None:
    some = shared_labels([LabelDraw((5, 5), 5, (2, 3))])
    assert upper_tail(some, 0) == 1.0
    # four and three of five have at least two in common
    must = shared_labels([LabelDraw((5, 5), 5, (4, 3))])
    assert must[:2] == [0.0, 0.0] and upper_tail(must, 2) == 1.0 > upper_tail(must, 3)
    nothing = shared_labels([])
    assert nothing == [1.0] and expected_jaccard(nothing, (0, 0)) == 1.0 == upper_tail(nothing, 0)


def test_pools_of_a_thousand_concepts_are_counted_exactly() -> None:
    chances = shared_labels([LabelDraw((584, 584), 584, (120, 97)), LabelDraw((468, 468), 468, (60, 60))])
    assert sum(chances) == pytest.approx(1, abs=1e-12)
    mean = sum(shared * chance for shared, chance in enumerate(chances))
    assert mean == pytest.approx(120 * 97 / 584 + 60 * 60 / 468, rel=1e-9)
