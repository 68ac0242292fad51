"""Sums over resampled images."""

from __future__ import annotations

import numpy as np
import pytest
from naive import confusions as naive

from onnxdissect.statistics.ratios import percentile_interval, resampled_sums
from onnxdissect.statistics.resamples import resample_weights


def test_sums_are_those_of_the_resamples_of_everything_else() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((2, 9))
    sums = resampled_sums(values, 70, 5)
    drawn = np.concatenate(list(resample_weights(9, 70, 5)))
    assert sums.shape == (2, 70)
    for b in range(70):
        assert sums[0, b] / sums[1, b] == pytest.approx(
            naive.share_of_resample(values[0], values[1], drawn[b])
        )


def test_resamples_that_tell_nothing_are_left_out() -> None:
    found = np.concatenate([np.arange(101.0), np.full(30, np.nan)])
    assert percentile_interval(found) == pytest.approx((2.5, 97.5))
    assert percentile_interval(np.full(3, np.nan)) is None
    assert percentile_interval(np.empty(0)) is None
