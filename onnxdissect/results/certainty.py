"""What resampling and shuffling add to the records of units and layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import Null, PerImageCountsPart, TruthCounts
from onnxdissect.results.records import LayerSummary, Unit
from onnxdissect.results.reliability import sample_size, with_reliability
from onnxdissect.statistics.bootstrap import Certainty, certainty
from onnxdissect.statistics.corrections import FALSE_DISCOVERIES, false_discovery_rates
from onnxdissect.statistics.intervals import TopConceptIntervals
from onnxdissect.statistics.reliability import SampleSize
from onnxdissect.statistics.resamples import Resamples
from onnxdissect.statistics.significance import GumbelNull, pooled_p_values

__all__ = ["Assessor"]


class Assessor:
    """Adds to the records of one layer after another how certain they are.

    Parameters
    ----------
    truth : TruthCounts or None
        Pixels of each concept in each image; None if the run kept none.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    resamples, seed : int
        As the run was asked for.
    scoring : {"paper", "lite", "pnas"}
        Convention of the IoU.
    iou_threshold : float
        A unit is a detector if its IoU is larger.
    concept_images : ndarray of int64, shape (C,)
        How many images hold each concept.

    Attributes
    ----------
    resamples : int
        0 if there is nothing to resample.
    """

    def __init__(
        self,
        truth: TruthCounts | None,
        category_of: NDArray[np.int64],
        *,
        resamples: int,
        seed: int,
        scoring: str,
        iou_threshold: float,
        concept_images: NDArray[np.int64],
    ) -> None:
        self.resamples = 0 if truth is None or truth.one_group else resamples
        self._resamples = (
            Resamples(truth, category_of, resamples, seed) if truth is not None and self.resamples else None
        )
        self._size = SampleSize(0, 0) if truth is None else sample_size(truth, self.resamples)
        self._scoring = scoring
        self._iou_threshold = iou_threshold
        self._concept_images = concept_images
        self._gumbel: GumbelNull | None = None

    def assess(
        self,
        units: Sequence[Unit],
        summaries: Sequence[LayerSummary],
        labels: NDArray[np.int64],
        per_image: Iterable[PerImageCountsPart] | None,
        null: Null | None,
    ) -> tuple[list[Unit], list[LayerSummary], TopConceptIntervals | None]:
        """Add to the records of one layer what is known of their certainty.

        Parameters
        ----------
        units : sequence of Unit
            By quantile, then by unit.
        summaries : sequence of LayerSummary
            One per quantile.
        labels : ndarray of int64, shape (Q, K)
            The units' labels, -1 for none.
        per_image : iterable of PerImageCountsPart, or None
            Counts by image, all of the layer.
        null : Null or None
            What the units score with the images' annotations and with shuffled ones.

        Returns
        -------
        units : list of Unit
        summaries : list of LayerSummary
        intervals : TopConceptIntervals or None
            Of all concepts that may become a label; None if there is nothing to resample.
        """
        units, summaries = list(units), list(summaries)
        intervals = None
        if self._resamples is not None and per_image is not None:
            found = certainty(
                self._resamples,
                per_image,
                labels,
                scoring=self._scoring,
                iou_threshold=self._iou_threshold,
            )
            units, summaries = _with_certainty(units, summaries, found)
            intervals = found.top_concepts
        if null is not None:
            units, summaries = _with_p_values(units, summaries, self._p_values(null))
        return *self._with_reliability(units, summaries, labels), intervals

    def _with_reliability(
        self, units: list[Unit], summaries: list[LayerSummary], labels: NDArray[np.int64]
    ) -> tuple[list[Unit], list[LayerSummary]]:
        told: list[Unit] = []
        counted: list[LayerSummary] = []
        for summary, of_units in zip(summaries, labels, strict=True):
            rows = units[len(told) : len(told) + of_units.size]
            more, known = with_reliability(
                rows, summary, of_units, self._concept_images, self._iou_threshold, self._size
            )
            told += more
            counted.append(known)
        return told, counted

    def _p_values(self, null: Null) -> NDArray[np.float64]:
        if null.surprise is not None:
            own, others = null.surprise[0], null.surprise[1:]
            return np.stack([pooled_p_values(own[q], others[:, q]) for q in range(own.shape[0])])
        shuffles = null.best.shape[0] - 1
        if self._gumbel is None or self._gumbel.shuffles != shuffles:
            self._gumbel = GumbelNull(shuffles)
        return self._gumbel.p_values(null.best[0], null.best[1:])


def _with_certainty(
    units: list[Unit], summaries: list[LayerSummary], found: Certainty
) -> tuple[list[Unit], list[LayerSummary]]:
    low, middle, high = (
        counts.tolist() for counts in (found.unique_low, found.unique_median, found.unique_high)
    )
    columns = (found.low, found.high, found.stability)
    values = np.stack([column.reshape(-1) for column in columns], axis=1).tolist()
    return (
        [
            unit if math.isnan(low) else replace(unit, iou_low=low, iou_high=high, stability=stability)
            for unit, (low, high, stability) in zip(units, values, strict=True)
        ],
        [
            # A resample holds fewer different images. There more units pass the threshold by luck, and the
            # count leans high; only how far counts spread around their median is used.
            replace(
                summary,
                unique_low=max(0, summary.unique_detectors + low[q] - middle[q]),
                unique_high=min(summary.units, summary.unique_detectors + high[q] - middle[q]),
            )
            for q, summary in enumerate(summaries)
        ],
    )


def _with_p_values(
    units: list[Unit], summaries: list[LayerSummary], p_values: NDArray[np.float64]
) -> tuple[list[Unit], list[LayerSummary]]:
    q_values = np.array([false_discovery_rates(row) for row in p_values])
    pairs = zip(p_values.reshape(-1).tolist(), q_values.reshape(-1).tolist(), strict=True)
    tested = [replace(unit, p_value=p, q_value=q) for unit, (p, q) in zip(units, pairs, strict=True)]
    detectors = np.array([unit.detector for unit in units]).reshape(q_values.shape)
    found = (detectors & (q_values <= FALSE_DISCOVERIES)).sum(axis=1)
    counted = [replace(summary, detectors_fdr=int(n)) for summary, n in zip(summaries, found, strict=True)]
    return tested, counted
