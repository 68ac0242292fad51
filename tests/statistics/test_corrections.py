"""Corrections for many tests against their twins, and SciPy's where it has them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import statistics as naive_statistics
from scipy import stats

from onnxdissect.statistics.corrections import false_discovery_rates, holm

# Some of them equal.
P_VALUES = st.lists(st.floats(1e-12, 1) | st.sampled_from([0.0, 0.001, 0.05, 1.0]), min_size=1, max_size=30)


@given(P_VALUES)
@settings(deadline=None)
def test_false_discovery_rates_equal_the_twin(p: list[float]) -> None:
    rates = false_discovery_rates(np.array(p))
    np.testing.assert_allclose(rates, naive_statistics.false_discovery_rates(p), rtol=1e-12)
    assert (rates >= np.array(p) - 1e-15).all() and (rates <= 1).all()
    np.testing.assert_allclose(rates, stats.false_discovery_control(p, method="bh"), rtol=1e-14)


@given(P_VALUES)
@settings(deadline=None)
def test_holm_equals_the_twin(p: list[float]) -> None:
    adjusted = holm(p)
    np.testing.assert_allclose(adjusted, naive_statistics.holm(p), rtol=1e-12)
    assert (adjusted >= np.array(p)).all() and (adjusted <= 1).all()
    # It is stricter than a bound on the share of false discoveries, and laxer than Bonferroni's.
    assert (adjusted >= false_discovery_rates(np.array(p)) * (1 - 1e-12)).all()
    assert (adjusted <= np.minimum(1, len(p) * np.array(p))).all()


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]).tolist() == []
