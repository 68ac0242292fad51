"""Cosines of IoUs are those of the twin, and sums of them are exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import matching as naive
from numpy.typing import NDArray

from onnxdissect.statistics.matching.profile_cosines import ProfileCosines


def profiles(seed: int, units: int, concepts: int) -> NDArray[np.float64]:
    """IoUs of every size, some units with none."""
    random = np.random.default_rng(seed)
    found = random.random((units, concepts)) ** 4 * (random.random((units, concepts)) < 0.6)
    return found * 10.0 ** -random.integers(0, 9, (units, 1)) * (random.random((units, 1)) < 0.8)


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 5), st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_cosines_are_those_of_the_twin(seed: int, k: int, l: int, concepts: int) -> None:  # noqa: E741
    first, second = profiles(seed, k, concepts), profiles(seed + 1, l, concepts)
    order = np.random.default_rng(seed).permutation(concepts)
    measure = ProfileCosines(first, second)
    for found, met in ((measure.scores(), second), (measure.scores(order), second[:, order])):
        expected = [[naive.cosine(a.tolist(), b.tolist()) for b in met] for a in first]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert ((found >= 0) & (found <= 1)).all()
        assert not found[~first.any(axis=1)].any()
        assert not found[:, ~met.any(axis=1)].any()
    np.testing.assert_array_equal(ProfileCosines(second, first).scores(), measure.scores().T)


def test_equal_profiles_have_a_cosine_of_exactly_1_whatever_their_scale() -> None:
    first = profiles(3, 40, 1197)
    own = ProfileCosines(first, first * 0.5).scores()
    assert (np.diag(own)[first.any(axis=1)] == 1).all()


@pytest.mark.parametrize("concepts", [1, 7, 8, 1197, 4096])
def test_sums_do_not_depend_on_their_order(concepts: int) -> None:
    """They would, were they of rounded numbers; so they are the same with every library of linear algebra."""
    random = np.random.default_rng(concepts)
    first, second = 0.3 + 0.7 * random.random((2, 6, concepts))
    expected = ProfileCosines(first, second).scores()
    for _ in range(5):
        order = random.permutation(concepts)
        np.testing.assert_array_equal(ProfileCosines(first[:, order], second[:, order]).scores(), expected)
