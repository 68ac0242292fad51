"""Which detectors other images of the same kind may be expected to show again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.statistics.corrections import false_discovery_rates

__all__ = ["FALSE_RELIABLE", "RARE", "STABLE", "reliable"]

STABLE = 0.99
"""A label is stable that wins in more than this share of the resamples.

Resamples differ from the images at hand, other images from both: a label ahead of its rival by z standard
errors wins in Phi(z) of the resamples, and in Phi(z / sqrt(2)) of other samples. 99 % of the first are 95 %
of the second, 90 % are 82 %, which is less than the nine in ten that reliable detectors are to keep.
"""

FALSE_RELIABLE = 0.05
"""The share allowed of reliable detectors of a layer whose true IoU does not exceed the threshold."""

RARE = 10
"""A concept is rare that fewer images hold."""

# Between the ends of a 95 % interval of a normal distribution.
_DEVIATIONS = 2 * 1.96


def reliable(
    iou: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    stability: NDArray[np.float64],
    iou_threshold: float,
    stable: float = STABLE,
) -> NDArray[np.bool_]:
    """Tell which units of a layer are reliable detectors.

    They are detectors by the paper's rule, would be by the lower end of their interval, and keep their label
    in so many resamples that they may be expected to keep it on other images. Among many detectors some are
    so by luck: that the true IoU is no larger than the threshold is tested for each of them, and the tests
    are corrected for their number (Benjamini and Hochberg 1995). ``benchmarks/replication.py`` measures what
    that is worth.

    Parameters
    ----------
    iou : ndarray of float64, shape (K,)
        Of the labels of a layer's units at one quantile.
    low, high : ndarray of float64, shape (K,)
        Ends of the 95 % intervals; NaN where they are not known.
    stability : ndarray of float64, shape (K,)
        Share of resamples in which the label wins; NaN where it is not known.
    iou_threshold : float
        What the IoU and the lower end must exceed.
    stable : float
        What the stability must exceed.

    Returns
    -------
    ndarray of bool, shape (K,)
        False where something is not known.
    """
    detectors = iou > iou_threshold
    rates = np.ones(iou.shape)
    rates[detectors] = false_discovery_rates(
        _p_values(iou[detectors], low[detectors], high[detectors], iou_threshold)
    )
    certain = (low > iou_threshold) & (rates <= FALSE_RELIABLE)
    return np.asarray(detectors & certain & (stability > stable), np.bool_)


def _p_values(
    iou: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], iou_threshold: float
) -> NDArray[np.float64]:
    """Test for each detector that its true IoU is at most the threshold.

    The logarithm of an IoU is taken to be normal, with the standard error that the interval tells. One that
    reaches down to 0, or is not known, tells none, and proves nothing. One without width is certain.
    """
    known = (low > 0) & (high >= low)
    p = np.ones(iou.size)
    error = (np.log(high[known]) - np.log(low[known])) / _DEVIATIONS
    with np.errstate(divide="ignore"):
        # Above a threshold of 0 every IoU is infinitely far.
        distance = np.log(iou[known]) - np.log(iou_threshold)
        deviate = distance / error
    # Imported here: it takes a tenth of a second, and finished runs are read without.
    from scipy.special import ndtr

    p[known] = ndtr(-deviate)
    return p
