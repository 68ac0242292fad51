"""How far activations moved, against the twin."""

from __future__ import annotations

import numpy as np
import pytest
from naive import statistics as naive_statistics

from onnxdissect.statistics.drift import ActivationSums, quantile_shift


def test_the_shift_of_quantiles_equals_the_twin() -> None:
    random = np.random.default_rng(0)
    before = np.sort(random.normal(size=(6, 33)), axis=1)
    after = before * 1.1 + random.normal(size=(6, 1))
    found = quantile_shift(before, after)
    pairs = zip(before.tolist(), after.tolist(), strict=True)
    expected = [naive_statistics.quantile_shift(*pair) for pair in pairs]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (quantile_shift(before, before) == 0).all()


def test_a_unit_that_was_constant_has_no_shift() -> None:
    before = np.full((3, 33), 0.3)
    before[1] *= 1 + 1e-9 * np.arange(33)
    before[2] *= 1 + 1e-3 * np.arange(33)
    assert np.isnan(quantile_shift(before, before + 1)).tolist() == [True, True, False]


def test_drift_equals_the_twin_however_images_are_batched() -> None:
    random = np.random.default_rng(1)
    one = random.normal(size=(7, 3, 4, 5)).astype(np.float32)
    noise = random.normal(size=one.shape) * [[[[0.1]], [[0.4]], [[0.2]]]]
    two = one + noise.astype(np.float32)
    relative, cosine, units = naive_statistics.drift(one, two)
    for cut in (0, 3):
        sums = ActivationSums(3)
        sums.add(one[:cut], two[:cut])
        sums.add(one[cut:], two[cut:])
        assert sums.relative_rms == pytest.approx(relative, rel=1e-10)
        assert sums.cosine == pytest.approx(cosine, rel=1e-10)
        np.testing.assert_allclose(sums.relative_rms_of_units, units, rtol=1e-10)
        assert sums.largest == np.abs(one.astype(float) - two.astype(float)).max()
        assert sums.highest == np.abs(one).max()


def test_activations_that_are_all_zero() -> None:
    zero, some = np.zeros((1, 2, 1, 1), np.float32), np.ones((1, 2, 1, 1), np.float32)
    for one, two, rms, cosine in (
        (zero, zero, 0.0, 1.0),
        (zero, some, np.inf, 0.0),
        (some, zero, 1.0, 0.0),
    ):
        sums = ActivationSums(2)
        sums.add(one, two)
        assert (sums.relative_rms, sums.cosine) == (rms, cosine)
        assert sums.relative_rms_of_units.tolist() == [rms, rms]
