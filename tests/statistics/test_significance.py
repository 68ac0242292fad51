"""P-values made of shuffles: against their twin, against SciPy, and under chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import statistics as naive_statistics
from scipy import stats

from onnxdissect.statistics.significance import GumbelNull, pooled_p_values


def test_p_values_are_uniform_where_the_model_holds() -> None:
    random = np.random.default_rng(7)
    units, shuffles = 20_000, 6
    # Scores of any size and spread whose logarithms are Gumbel's.
    drawn = np.exp(random.gumbel(random.uniform(-6, -2, units), random.uniform(0.1, 0.4, units), (7, units)))
    p = GumbelNull(shuffles).p_values(drawn[0], drawn[1:])
    assert ((p > 0) & (p <= 1)).all()
    for level in (0.001, 0.01, 0.05, 0.2, 0.5, 0.9):
        expected = np.sqrt(level * (1 - level) / units)
        assert (p <= level).mean() == pytest.approx(level, abs=4 * expected)


def test_p_values_of_units_that_meet_nothing() -> None:
    null = GumbelNull(3)
    observed = np.array([0.0, 0.2, 0.0, 0.1])
    flat = np.zeros((3, 4))
    flat[:, 3] = 0.1
    p = null.p_values(observed, flat)
    assert p[0] == p[2] == p[3] == 1 and p[1] < 1e-3
    with pytest.raises(ValueError, match="3 times"):
        null.p_values(observed, flat[:2])
    with pytest.raises(ValueError, match="spread"):
        GumbelNull(1)


def test_p_values_fall_as_scores_rise() -> None:
    null = GumbelNull(10)
    scores = np.linspace(0.001, 0.9, 500)
    around = np.exp(np.random.default_rng(1).normal(-4, 0.3, 10))
    p = null.p_values(scores, np.repeat(around[:, None], 500, axis=1))
    assert (np.diff(p) <= 0).all() and p[-1] < 1e-4 < 0.9 < p[0]


@given(
    st.lists(st.integers(0, 40), min_size=30, max_size=60),
    st.lists(st.floats(0.1, 80), min_size=1, max_size=1),
)
@settings(deadline=None)
def test_pooled_p_values_equal_the_twin(shuffled: list[int], observed: list[float]) -> None:
    p = pooled_p_values(np.array(observed), np.array(shuffled, float)[:, None])
    expected = naive_statistics.pooled_p_value(observed[0], [float(s) for s in shuffled], 20)
    assert p[0] == pytest.approx(expected, rel=1e-9)


def test_pooled_p_values_are_uniform_under_chance() -> None:
    random = np.random.default_rng(3)
    # Many small layers of three units: what the fit does not know is counted in.
    p = np.concatenate(
        [pooled_p_values(drawn[0], drawn[1:]) for drawn in random.exponential(2.0, (20_000, 21, 3))]
    )
    for level in (0.001, 0.01, 0.05, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) / p.size)
        assert (p <= level).mean() == pytest.approx(level, abs=6 * error + 0.02 * level)


def test_units_that_meet_nothing_say_nothing_of_others() -> None:
    random = np.random.default_rng(4)
    drawn = random.exponential(1.0, (11, 8))
    idle = np.zeros((11, 30))
    both = np.concatenate([drawn, idle], axis=1)
    p = pooled_p_values(both[0], both[1:])
    np.testing.assert_array_equal(p[:8], pooled_p_values(drawn[0], drawn[1:]))
    assert (p[8:] == 1).all()
    with pytest.raises(ValueError, match="shuffles of"):
        pooled_p_values(drawn[0], drawn[1:, :4])


def test_beyond_the_sample_the_tail_is_scipys_lomax() -> None:
    random = np.random.default_rng(5)
    shuffled = random.exponential(2.0, (10, 50))
    observed = np.linspace(6, 60, 50)
    start, tail = np.sort(shuffled, axis=None)[-51], 50
    excess = np.sort(shuffled, axis=None)[-50:].mean() - start
    expected = tail / 500 * stats.lomax.sf(observed - start, tail, scale=tail * excess)
    assert (observed > start).all()
    np.testing.assert_allclose(pooled_p_values(observed, shuffled), expected, rtol=1e-9)


def test_many_shuffles_leave_scipys_gumbel_distribution() -> None:
    random = np.random.default_rng(2)
    drawn = np.exp(random.gumbel(-3, 0.2, (400, 1)))
    observed = np.exp(np.array([-3.2, -3.0, -2.6, -2.0]))
    null = GumbelNull(400)
    p = [null.p_values(np.array([score]), drawn)[0] for score in observed]
    logs = np.log(drawn + 1e-4)
    width = logs.std(ddof=1) * np.sqrt(6) / np.pi
    place = logs.mean() - np.euler_gamma * width
    np.testing.assert_allclose(p, stats.gumbel_r.sf(np.log(observed + 1e-4), place, width), rtol=0.1)
