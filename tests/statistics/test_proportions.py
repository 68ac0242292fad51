"""Shares and their differences against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import confusions as naive

from onnxdissect.statistics.proportions import difference_interval, tail_probabilities, wilson_interval


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    of = draw(st.integers(1, 60))
    return draw(st.integers(0, of)), of


@settings(deadline=None)  # the first imports SciPy
@given(counts(), counts())
def test_shares_are_as_their_formulas_have_them(one: tuple[int, int], other: tuple[int, int]) -> None:
    low, high = wilson_interval(*one)
    assert (low, high) == pytest.approx(naive.wilson(*one), abs=1e-9)
    assert 0 <= low <= one[0] / one[1] <= high <= 1
    least, most = difference_interval(*one, *other)
    assert (least, most) == pytest.approx(naive.newcombe(*one, *other), abs=1e-9)
    assert -1 <= least <= one[0] / one[1] - other[0] / other[1] <= most <= 1
    more, fewer = tail_probabilities(*one, *other)
    assert (more, fewer) == pytest.approx(naive.fisher(*one, *other), rel=1e-9)


def test_published_intervals() -> None:
    """Newcombe (1998), table II of the differences: 56/70 against 48/80, method 10."""
    assert difference_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    # Newcombe (1998), table I of single shares: 81 of 263, and 0 of 20, method 3
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_many_are_computed_as_one_by_one() -> None:
    hits, base = np.arange(11), np.arange(11)[::-1] * 3
    low, high = difference_interval(hits, 10, base, 40)
    more, fewer = tail_probabilities(hits, 10, base, 40)
    for k in range(11):
        assert (low[k], high[k]) == difference_interval(hits[k], 10, base[k], 40)
        assert (more[k], fewer[k]) == tail_probabilities(hits[k], 10, base[k], 40)
