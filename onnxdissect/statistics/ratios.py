"""Ratios of sums over images, and how they vary when images are resampled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.statistics.resamples import resample_weights

__all__ = ["percentile_interval", "resampled_sums"]

_LEVELS = (0.025, 0.975)


def resampled_sums(
    values: NDArray[np.float64], resamples: int, seed: int, groups: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Sum values of images over resamples of the images.

    Parameters
    ----------
    values : ndarray of float64, shape (sums, images)
    resamples : int
        How many are drawn.
    seed : int
        As for `onnxdissect.statistics.resamples.resample_weights`.
    groups : ndarray of int64, shape (images,), optional
        Likewise.

    Returns
    -------
    ndarray of float64, shape (sums, resamples)
    """
    drawn = resample_weights(values.shape[1], resamples, seed, groups)
    blocks = [values @ weights.T.astype(np.float64) for weights in drawn]
    return np.concatenate([np.empty((len(values), 0)), *blocks], axis=1)


def percentile_interval(found: NDArray[np.float64]) -> tuple[float, float] | None:
    """Give the middle 95 % of what resamples give.

    Parameters
    ----------
    found : ndarray of float64, shape (resamples,)
        NaN where a resample has nothing to tell.

    Returns
    -------
    tuple of (low, high) or None
        None where none does.
    """
    told = found[~np.isnan(found)]
    if not told.size:
        return None
    low, high = np.quantile(told, _LEVELS)
    return float(low), float(high)
