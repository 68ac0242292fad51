"""How surprising an overlap is, against its twin and against SciPy's gamma distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import statistics as naive_statistics
from scipy import stats

from onnxdissect.statistics.overlap import gamma_surprise


@given(st.floats(-3, 7), st.floats(0.05, 20), st.floats(-8, 15))
@settings(max_examples=150, deadline=None)
def test_surprises_equal_the_twin(size: float, times: float, deviates: float) -> None:
    shape = 10**size
    # Anywhere for a wide distribution, and where there is something to see for a narrow one.
    at = times if shape < 100 else 1 + deviates / np.sqrt(shape)
    found = gamma_surprise(np.array([at]), np.array([1.0]), np.array([1 / shape]))
    expected = naive_statistics.gamma_surprise(at, 1.0, 1 / shape)
    assert found[0] == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_surprises_do_not_depend_on_what_is_beside_them() -> None:
    random = np.random.default_rng(6)
    overlap, mean = random.uniform(0, 50, 300), random.uniform(0.01, 20, 300)
    variance = random.uniform(0.001, 30, 300)
    together = gamma_surprise(overlap, mean, variance)
    alone = [
        gamma_surprise(*(np.array([value]) for value in row))
        for row in zip(overlap, mean, variance, strict=True)
    ]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_surprises_of_what_does_not_vary_or_is_not_there() -> None:
    found = gamma_surprise(np.array([0.0, 5.0, 3.0]), np.array([2.0, 5.0, 0.0]), np.array([1.0, 0.0, 0.0]))
    assert found.tolist() == [0, 0, 0]


def test_surprises_are_scipys_where_these_are_no_underflow() -> None:
    random = np.random.default_rng(9)
    shape = np.exp(random.uniform(-4, 9, 5000))
    at = shape * np.exp(random.normal(size=5000) * 0.6)
    found = gamma_surprise(at, shape, shape)
    expected = -stats.gamma.logsf(at, shape)
    kept = np.isfinite(expected) & (expected > 1e-3)
    assert kept.sum() > 3000
    np.testing.assert_allclose(found[kept], expected[kept], rtol=1e-9)
    # Beyond, SciPy has no number; ours goes on.
    assert stats.gamma.sf(5000.0, 3.0) == 0
    assert gamma_surprise(np.array([5000.0]), np.array([3.0]), np.array([3.0]))[0] > 4900
