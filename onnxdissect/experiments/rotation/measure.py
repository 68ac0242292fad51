"""From a finished run of rotations to their result: counts are brought together, nothing is run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.progress import Progress, Silent
from onnxdissect.core.scoring import detectors
from onnxdissect.experiments.rotation.curves import (
    NO_INTERVALS,
    CurveIntervals,
    curve_intervals,
    make_curve,
)
from onnxdissect.experiments.rotation.entries import RotationEntries, find_entries, rotation_points
from onnxdissect.experiments.rotation.permutation import permutation_differences
from onnxdissect.experiments.rotation.records import FollowedConcept, RotationPoint, Verification
from onnxdissect.experiments.rotation.result import RotationResult
from onnxdissect.results import Dissection, LayerInfo
from onnxdissect.results.label_units import primary_categories
from onnxdissect.statistics.resamples import Resamples, UniqueDetectors

__all__ = ["measure_rotations"]


@dataclass(frozen=True, slots=True)
class _BestUnits:
    """Of one entry, the unit that detects each concept best; arrays of shape (Q, C)."""

    unit: NDArray[np.int64]
    iou: NDArray[np.float64]
    detected: NDArray[np.bool_]


def measure_rotations(
    run: Dissection, verification: Sequence[Verification] = (), progress: Progress | None = None
) -> RotationResult:
    """Make the result of a finished run of rotations.

    Parameters
    ----------
    run : Dissection
        With all that `onnxdissect.rotate` puts a layer under.
    verification : sequence of Verification
        What turning the layers back has shown, if that was asked for.
    progress : Progress, optional
        Told of one phase, ``rotations``, that counts entries of the run.

    Returns
    -------
    RotationResult
        Nothing of it is written.

    Raises
    ------
    RunMismatchError
        If the run is not one of rotations.
    RunFormatError
        If files of it are missing or damaged.
    """
    entries = find_entries(run)
    points = rotation_points(run, entries)
    progress = progress or Silent()
    progress.start("rotations", sum(1 for of_layer in entries for _ in of_layer.all))
    resamples = _resamples(run)
    curves = []
    for of_layer in entries:
        best: dict[str, _BestUnits] = {}
        resampled: dict[str, NDArray[np.int64]] = {}
        for _, info in of_layer.all:
            best[info.name] = _best_units(run, info)
            if resamples is not None:
                resampled[info.name] = _unique(run, info, resamples)
            progress.advance(1)
        differences = permutation_differences(run, of_layer)
        for q, quantile in enumerate(run.quantiles):
            at = [p for p in points if (p.layer, p.quantile) == (of_layer.own.name, quantile)]
            intervals = _intervals(run, of_layer, at, {name: counts[q] for name, counts in resampled.items()})
            concepts = _followed(run, of_layer, best, q)
            curves.append(make_curve(at, of_layer.alphas, intervals, differences[q], concepts))
    progress.finish()
    return RotationResult.of_run(run, entries, points, curves, verification)


def _resamples(run: Dissection) -> Resamples | None:
    """Draw the resamples that the run's own intervals are made of; None if it was made without."""
    asked = run.resampling()
    truth = run.truth_counts() if asked.resamples else None
    if truth is None or truth.one_group:
        return None
    return Resamples(truth, primary_categories(run.concepts, run.categories), asked.resamples, asked.seed)


def _unique(run: Dissection, info: LayerInfo, resamples: Resamples) -> NDArray[np.int64]:
    """Count unique detectors in every resample, of all categories and of each: shape (Q, 1 + G, B)."""
    unique = UniqueDetectors(len(run.quantiles), resamples, run.iou_threshold)
    for units in resamples.walk(run.per_image_parts(info.name) or (), run.scoring):
        unique.add(units)
    category_of = primary_categories(run.concepts, run.categories)
    by_category = unique.counts_by_category(category_of, len(run.categories))
    return np.concatenate([unique.counts()[:, None], by_category], axis=1)


def _best_units(run: Dissection, info: LayerInfo) -> _BestUnits:
    scores = run.scores(info.name)
    found = detectors(scores.best, run.iou_threshold)
    detected = np.zeros((len(run.quantiles), len(run.concepts)), np.bool_)
    quantile, unit = np.nonzero(found)
    detected[quantile, scores.concept[quantile, unit]] = True
    best = scores.iou.max(axis=1)
    return _BestUnits(np.where(best > 0, scores.iou.argmax(axis=1), -1), best, detected)


def _followed(
    run: Dissection, entries: RotationEntries, best: dict[str, _BestUnits], quantile: int
) -> list[FollowedConcept]:
    """Follow every concept that is detected anywhere along the rotations."""
    grid = [[best[info.name] for info in turned] for turned in entries.rotations]
    # Axes: seeds, alphas, concepts.
    unit, iou, detected = (
        np.array([[getattr(found, name)[quantile] for found in row] for row in grid])
        for name in ("unit", "iou", "detected")
    )
    order = {category: place for place, category in enumerate(run.categories)}
    concepts = np.flatnonzero(detected.any(axis=(0, 1))).tolist()
    concepts.sort(key=lambda c: (order[run.concepts[c].category], run.concepts[c].name))
    return [
        FollowedConcept(
            run.concepts[c].name,
            run.concepts[c].category,
            *(tuple(map(tuple, of_all[:, :, c].tolist())) for of_all in (unit, iou, detected)),
        )
        for c in concepts
    ]


def _intervals(
    run: Dissection,
    entries: RotationEntries,
    points: Sequence[RotationPoint],
    resampled: dict[str, NDArray[np.int64]],
) -> CurveIntervals:
    """Intervals of one quantile, from counts of shape (1 + G, B) by entry."""
    if not resampled:
        return CurveIntervals([NO_INTERVALS] * len(entries.alphas), NO_INTERVALS, None)
    own = {
        p.entry: np.array([p.unique_detectors, *(p.unique[name] for name in run.categories)]) for p in points
    }
    by_alpha = list(zip(*entries.rotations, strict=True))
    turned, counted = (
        np.stack([[of[info.name] for info in infos] for infos in by_alpha]) for of in (resampled, own)
    )
    directions, baseline = (
        np.stack([of[info.name] for info in entries.directions]) for of in (resampled, own)
    )
    return curve_intervals(turned, directions, (counted, baseline), entries.own.units, run.categories)
