"""How certain labels and counts of detectors are: intervals and stabilities over resampled images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import PerImageCountsPart
from onnxdissect.statistics.intervals import TopConceptIntervals
from onnxdissect.statistics.resamples import ResampledUnits, Resamples, UniqueDetectors

__all__ = ["Certainty", "certainty", "top_concept_intervals"]

# The ends of an interval of `onnxdissect.statistics.intervals.LEVEL`.
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
    top_concepts : TopConceptIntervals
        Of all concepts that may become a label.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    stability: NDArray[np.float64]
    unique_low: NDArray[np.int64]
    unique_median: NDArray[np.int64]
    unique_high: NDArray[np.int64]
    top_concepts: TopConceptIntervals


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
    intervals = _Intervals(labels.shape)
    for units in resamples.walk(parts, scoring):
        at = units.quantile, units.units
        unique.add(units)
        ends = intervals.add(units)
        places = units.places(labels[at])
        known = np.flatnonzero(places >= 0)
        low[at][known], high[at][known] = ends[:, known, places[known]]
        same = units.winner[known] == labels[at][known, None]
        stability[at][known] = same.mean(axis=1)
    counts = unique.counts()
    return Certainty(
        low,
        high,
        stability,
        np.quantile(counts, _LEVELS[0], axis=1, method="lower").astype(np.int64),
        np.quantile(counts, 0.5, axis=1, method="inverted_cdf").astype(np.int64),
        np.quantile(counts, _LEVELS[1], axis=1, method="higher").astype(np.int64),
        intervals.all(),
    )


def top_concept_intervals(
    resamples: Resamples, parts: Iterable[PerImageCountsPart], shape: tuple[int, int], scoring: str
) -> TopConceptIntervals:
    """Find the 95 % percentile interval of the IoU of every top concept of a layer's units.

    Parameters
    ----------
    resamples : Resamples
        Of the images.
    parts : iterable of PerImageCountsPart
        All of the layer, however it is cut.
    shape : (int, int)
        (Q, K), quantiles and units of the layer.
    scoring : {"paper", "lite", "pnas"}
        Convention of the IoU.

    Returns
    -------
    TopConceptIntervals
        The same that `certainty` gives.

    Raises
    ------
    ParameterError
        If there is no such convention.
    """
    intervals = _Intervals(shape)
    for units in resamples.walk(parts, scoring):
        intervals.add(units)
    return intervals.all()


class _Intervals:
    """Intervals of all top concepts of a layer, a few units at a time."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._concept = np.full((*shape, 0), -1, np.int64)
        self._ends = np.full((2, *shape, 0), np.nan)

    def add(self, units: ResampledUnits) -> NDArray[np.float64]:
        """Take in some units; both ends of their intervals, shape (2, units, R)."""
        at = units.quantile, units.units
        if not self._concept.size:
            # How many top concepts units have is first known here, and the same for all.
            self._concept = np.full((*self._shape, units.top_concepts.shape[1]), -1, np.int64)
            self._ends = np.full((2, *self._concept.shape), np.nan)
        known = units.top_concepts >= 0
        ends = np.full((2, *known.shape), np.nan)
        ends[:, known] = np.quantile(units.iou[known], _LEVELS, axis=1)
        self._concept[at] = units.top_concepts
        self._ends[0][at], self._ends[1][at] = ends
        return ends

    def all(self) -> TopConceptIntervals:
        return TopConceptIntervals(self._concept, *self._ends)
