"""Which detectors other images of the same kind may be expected to show again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RARE", "STABLE", "reliable"]

STABLE = 0.9
"""A label is stable that wins in more than this share of the resamples."""

RARE = 10
"""A concept is rare that fewer images hold."""


def reliable(
    iou: NDArray[np.float64],
    low: NDArray[np.float64],
    stability: NDArray[np.float64],
    iou_threshold: float,
    stable: float = STABLE,
) -> NDArray[np.bool_]:
    """Tell which units are reliable detectors.

    They are detectors by the paper's rule, would be by the lower end of their interval, and keep their label
    whichever of the images are looked at. ``benchmarks/replication.py`` measures what that is worth.

    Parameters
    ----------
    iou : ndarray of float64, any shape
        Of each label.
    low : ndarray of float64, same shape
        Lower end of its 95 % interval; NaN where it is not known.
    stability : ndarray of float64, same shape
        Share of resamples in which the label wins; NaN where it is not known.
    iou_threshold : float
        Both must exceed it.
    stable : float
        What the stability must exceed.

    Returns
    -------
    ndarray of bool, same shape
        False where something is not known.
    """
    return np.asarray((iou > iou_threshold) & (low > iou_threshold) & (stability > stable), np.bool_)
