"""Whether the image holds the concepts of its strongest units at their masks, against units at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.groups import FEW_GROUPS
from onnxdissect.experiments.confusions.records import Estimate, HeldShare, HeldShares, PredictionArrays
from onnxdissect.statistics.ratios import percentile_interval, resampled_sums

__all__ = ["held_shares"]

_KINDS = 3  # the strongest units, as many of those that fired, as many of all detectors


def held_shares(
    arrays: PredictionArrays,
    strongest: Sequence[NDArray[np.int64]],
    resamples: int,
    seed: int,
    groups: NDArray[np.int64] | None = None,
) -> HeldShares | None:
    """Compare the strongest units of images told right and wrong with as many units drawn at random.

    What units at random would give is their mean over all ways to draw them, so nothing is drawn. Of fewer
    than 20 images, or groups of them, no interval is given: resampling them says too little.

    Parameters
    ----------
    arrays : PredictionArrays
        Of all images.
    strongest : sequence of ndarray of int64
        Of each image, its strongest units.
    resamples : int
        Of the images, which intervals are made of.
    seed : int
        Of the resamples.
    groups : ndarray of int64, shape (images,), optional
        Group of each image, from 0: whole groups are drawn.

    Returns
    -------
    HeldShares or None
        None where the annotations know no detector's label.
    """
    known = arrays.known
    if not known.any():
        return None
    counts = _counts(arrays, strongest)
    right = arrays.class_index == arrays.predicted_index
    both = np.concatenate([counts * right, counts * ~right])
    whole = _shares(both.sum(axis=1)[:, None])[:, :, 0]
    spread = _shares(resampled_sums(both, resamples, seed, groups)) if resamples else np.empty((2, _KINDS, 0))
    drawn = np.arange(len(right)) if groups is None else groups
    for side, images in enumerate((right, ~right)):
        if len(np.unique(drawn[images & (counts[0] > 0)])) < FEW_GROUPS:
            spread[side] = np.nan
    kinds = [_share(whole[:, kind], spread[:, kind]) for kind in range(_KINDS)]
    over = [_share(whole[:, 0] - whole[:, kind], spread[:, 0] - spread[:, kind]) for kind in (1, 2)]
    return HeldShares(
        int(both[0].sum()), int(both[_KINDS + 1].sum()), kinds[0], kinds[1], kinds[2], over[0], over[1]
    )


def _counts(arrays: PredictionArrays, strongest: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Of every image: strongest units, and how many of them, of those that fired and of all meet their label.

    Shape (4, images).
    """
    known, held = arrays.known, arrays.held
    found = np.zeros((1 + _KINDS, len(held)))
    meeting = held[:, known].sum(axis=1)
    firing = arrays.fired[:, known].sum(axis=1)
    for i, units in enumerate(strongest):
        told = units[known[units]]
        count = len(told)
        if count:
            found[:, i] = count, held[i, told].sum(), count * meeting[i] / firing[i], 0
            found[3, i] = count * meeting[i] / known.sum()
    return found


def _shares(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide: shape (2, kinds, resamples), right and wrong; NaN where there are no units."""
    grouped = sums.reshape(2, 1 + _KINDS, -1)
    units = grouped[:, :1]
    return np.divide(grouped[:, 1:], units, out=np.full_like(grouped[:, 1:], np.nan), where=units > 0)


def _share(value: NDArray[np.float64], spread: NDArray[np.float64]) -> HeldShare:
    return HeldShare(
        _estimate(value[0], spread[0]),
        _estimate(value[1], spread[1]),
        _estimate(value[0] - value[1], spread[0] - spread[1]),
    )


def _estimate(value: np.float64, spread: NDArray[np.float64]) -> Estimate:
    if np.isnan(value):
        return Estimate(None, None, None)
    interval = percentile_interval(spread)
    return Estimate(float(value), *(interval or (None, None)))
