"""How certain labels and counts of detectors are: intervals and stabilities over resampled images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import PerImageCountsPart
from onnxdissect.statistics.resamples import Resamples, UniqueDetectors

__all__ = ["Certainty", "certainty", "iou_intervals"]

# Ends of a 95 % percentile interval.
_LEVELS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Certainty:
    """How certain the labels of a layer are.

    Attributes
    ----------
    low, high : ndarray of float64, shape (Q, K)
        95 % percentile interval of the label's IoU; NaN where there is no label, or where it is not among the
        unit's top concepts.
    stability : ndarray of float64, shape (Q, K)
        Share of resamples in which the label wins; NaN likewise.
    unique_low, unique_median, unique_high : ndarray of int64, shape (Q,)
        Lower end, median and upper end of the middle 95 % of the resamples' counts of unique detectors.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    stability: NDArray[np.float64]
    unique_low: NDArray[np.int64]
    unique_median: NDArray[np.int64]
    unique_high: NDArray[np.int64]


def certainty(
    resamples: Resamples,
    parts: Iterable[PerImageCountsPart],
    labels: NDArray[np.int64],
    *,
    scoring: str,
    iou_threshold: float,
) -> Certainty:
    """Find intervals and stabilities of one layer.

    Parameters
    ----------
    resamples : Resamples
        Of the images.
    parts : iterable of PerImageCountsPart
        All of the layer, however it is cut.
    labels : ndarray of int64, shape (Q, K)
        The units' labels, -1 for none.
    scoring : {"paper", "lite", "pnas"}
        As the labels were scored.
    iou_threshold : float
        A unit is a detector if its IoU is larger.

    Returns
    -------
    Certainty

    Raises
    ------
    ParameterError
        If there is no such convention.
    """
    low, high, stability = np.full((3, *labels.shape), np.nan)
    unique = UniqueDetectors(labels.shape[0], resamples, iou_threshold)
    for units in resamples.walk(parts, labels, scoring):
        at = units.quantile, units.units
        unique.add(units)
        low[at], high[at] = _interval(units.iou)
        same = units.winner == labels[at][:, None]
        stability[at] = np.where(np.isnan(units.iou[:, 0]), np.nan, same.mean(axis=1))
    counts = unique.counts()
    return Certainty(
        low,
        high,
        stability,
        np.quantile(counts, _LEVELS[0], axis=1, method="lower").astype(np.int64),
        np.quantile(counts, 0.5, axis=1, method="inverted_cdf").astype(np.int64),
        np.quantile(counts, _LEVELS[1], axis=1, method="higher").astype(np.int64),
    )


def iou_intervals(
    resamples: Resamples, parts: Iterable[PerImageCountsPart], concepts: NDArray[np.int64], scoring: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the 95 % percentile interval of the IoU of any one concept of each unit.

    Parameters
    ----------
    resamples : Resamples
        Of the images.
    parts : iterable of PerImageCountsPart
        All of a layer or some of it.
    concepts : ndarray of int64, shape (Q, K)
        The concept asked about of each unit, -1 for none.
    scoring : {"paper", "lite", "pnas"}
        Convention of the IoU.

    Returns
    -------
    low, high : ndarray of float64, shape (Q, K)
        NaN where no concept is asked about, or one that is not among the unit's top concepts.

    Raises
    ------
    ParameterError
        If there is no such convention.
    """
    low, high = np.full((2, *concepts.shape), np.nan)
    for units in resamples.walk(parts, concepts, scoring):
        at = units.quantile, units.units
        low[at], high[at] = _interval(units.iou)
    return low, high


def _interval(iou: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give both ends for each row, shape (2, rows); NaN for rows of NaN."""
    ends = np.full((2, len(iou)), np.nan)
    known = ~np.isnan(iou[:, 0])
    ends[:, known] = np.quantile(iou[known], _LEVELS, axis=1)
    return ends
