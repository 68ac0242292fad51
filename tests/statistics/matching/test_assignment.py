"""The best pairs are the best of all assignments, and ties go to equal numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from naive import matching as naive
from numpy.typing import NDArray

from onnxdissect.statistics.matching.assignment import best_pairs, mean_score

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 6))


@st.composite
def score_matrices(draw: st.DrawFn) -> NDArray[np.float64]:
    """Scores of up to 5 x 6 units, in eighths, so that many sums are equal, or as they come."""
    shape = draw(SHAPES)
    if draw(st.booleans()):
        return draw(hnp.arrays(np.float64, shape, elements=st.integers(-8, 8).map(lambda i: i / 8)))
    return draw(hnp.arrays(np.float64, shape, elements=st.floats(-1, 1, width=16)))


def pairs_of(scores: NDArray[np.float64]) -> naive.Pairs:
    found = best_pairs(scores)
    assert found.dtype == np.int64
    return [(a, b) for a, b in found.tolist()]


@given(score_matrices())
@settings(max_examples=300, deadline=None)
def test_the_best_pairs_are_the_best_of_all_with_most_equal_numbers(scores: NDArray[np.float64]) -> None:
    best = naive.best_assignments(scores.tolist())
    found = pairs_of(scores)
    assert found in best
    assert naive.same_numbers(found) == max(map(naive.same_numbers, best))
    mean = naive.total(scores.tolist(), found) / len(found)
    assert mean_score(scores, np.array(found)) == pytest.approx(float(mean), abs=1e-15)


@given(score_matrices())
@settings(max_examples=300, deadline=None)
def test_sides_that_change_places_give_the_inverse(scores: NDArray[np.float64]) -> None:
    if scores.shape[0] == scores.shape[1] and (scores == scores.T).all():
        return  # the same question twice: there is one answer, and it need not be its own inverse
    assert sorted((a, b) for b, a in pairs_of(np.ascontiguousarray(scores.T))) == pairs_of(scores)


@pytest.mark.parametrize("units", [1, 2, 7, 64, 300])
def test_a_layer_is_matched_with_itself_unit_by_unit_though_units_be_alike_or_dead(units: int) -> None:
    random = np.random.default_rng(units)
    counts = random.integers(0, 5, (units, 40)).astype(np.float64)
    counts[random.random(units) < 0.3] = 0
    copies = np.flatnonzero(random.random(units) < 0.3)
    counts[copies] = counts[random.integers(0, units, copies.size)]
    lengths = np.sqrt((counts**2).sum(axis=1))
    scale = lengths[:, None] * lengths
    scores = np.divide(counts @ counts.T, scale, out=np.zeros(scale.shape), where=scale > 0)
    if units == 300:
        assert (scores > 1 - 1e-9).sum() > units  # some are alike
        assert (lengths == 0).sum() > 10  # and some dead
    assert pairs_of(np.minimum(scores, 1)) == [(k, k) for k in range(units)]


def test_all_equal_numbers_together_do_not_outweigh_one_step_of_a_score() -> None:
    for units in (2, 63, 64, 255):
        step = 2.0 ** -(51 - 2 * units.bit_length())
        scores = np.zeros((units, units))
        scores[np.arange(units), (np.arange(units) + 1) % units] = step / units
        # too little in each pair to count, so numbers decide
        assert pairs_of(scores) == [(k, k) for k in range(units)]
        scores[0, 1] = step
        found = pairs_of(scores)
        assert (0, 1) in found
        assert naive.same_numbers(found) == units - 2


def test_sums_stay_exact_where_weights_are_largest() -> None:
    """Scores at the ends of their range, and one assignment the best by a step a pair."""
    units = 512
    random = np.random.default_rng(0)
    order = random.permutation(units)
    scores = random.choice([-1.0, 1.0], (units, units), p=[0.9, 0.1])
    step = 2.0 ** -(51 - 2 * units.bit_length())
    scores = np.minimum(scores, 1 - step)
    scores[np.arange(units), order] = 1.0
    assert pairs_of(scores) == list(enumerate(order.tolist()))
