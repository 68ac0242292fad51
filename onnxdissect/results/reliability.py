"""Which detectors are reliable, and which labels are rare: added to the records of units and layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import TruthCounts
from onnxdissect.data.groups import equal_groups
from onnxdissect.results.records import Concept, LayerSummary, Unit
from onnxdissect.statistics.reliability import RARE, SampleSize, reliable_units

__all__ = ["label_positions", "sample_size", "with_reliability"]


def sample_size(truth: TruthCounts, resamples: int) -> SampleSize:
    """Tell what the images of a run are worth, drawn as often as it drew them.

    Parameters
    ----------
    truth : TruthCounts
        Of the run.
    resamples : int
        How many it drew.

    Returns
    -------
    SampleSize
    """
    if truth.groups is None:
        return SampleSize(resamples, truth.categories.shape[0])
    return SampleSize(resamples, equal_groups(truth.groups), grouped=True)


def with_reliability(
    units: Sequence[Unit],
    summary: LayerSummary,
    labels: NDArray[np.int64],
    concept_images: NDArray[np.int64],
    iou_threshold: float,
    size: SampleSize,
) -> tuple[list[Unit], LayerSummary]:
    """Tell which units of a layer are reliable at one quantile, and count them.

    Parameters
    ----------
    units : sequence of Unit
        In order; with intervals and stabilities, if there are any.
    summary : LayerSummary
        Of these units; it has an interval of unique detectors if there was a bootstrap.
    labels : ndarray of int64, shape (K,)
        The units' labels as positions of concepts, -1 for none.
    concept_images : ndarray of int64, shape (C,)
        How many images hold each concept.
    iou_threshold : float
        As for detectors.
    size : SampleSize
        What was resampled how often.

    Returns
    -------
    units : list of Unit
    summary : LayerSummary
        Without a bootstrap its rare labels are counted, and nothing else is changed: whether a unit is
        reliable is not known.
    """
    detectors = np.array([unit.detector for unit in units], np.bool_)
    named = labels[detectors]
    summary = replace(summary, rare_labels=int((concept_images[named[named >= 0]] < RARE).sum()))
    if summary.unique_low is None:
        return list(units), summary
    known = [
        (unit.iou, _number(unit.iou_low), _number(unit.iou_high), _number(unit.stability)) for unit in units
    ]
    iou, low, high, stability = np.array(known, np.float64).reshape(-1, 4).T
    found = reliable_units(iou, low, high, stability, iou_threshold, size=size)
    return (
        [replace(unit, reliable=bool(held)) for unit, held in zip(units, found.tolist(), strict=True)],
        replace(
            summary,
            reliable_detectors=int(found.sum()),
            unique_reliable=int(np.unique(labels[found]).size),
        ),
    )


def label_positions(units: Iterable[Unit], concepts: Sequence[Concept]) -> NDArray[np.int64]:
    """Find the concepts that units are labelled with.

    Parameters
    ----------
    units : iterable of Unit
    concepts : sequence of Concept
        Of the run.

    Returns
    -------
    ndarray of int64
        Their positions, one per unit; -1 for none.
    """
    # Two concepts may have the same name and category; the first is meant, as it also wins a tie of IoUs.
    position = {(concept.name, concept.category): c for c, concept in reversed(list(enumerate(concepts)))}
    return np.array([position.get((unit.label, unit.category), -1) for unit in units], np.int64)


def _number(value: float | None) -> float:
    return np.nan if value is None else value
