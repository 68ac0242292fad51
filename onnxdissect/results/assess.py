"""From the arrays of a run to its records: what the counts say, and how certain it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnxdissect.core.plateaus import find_plateaus
from onnxdissect.core.quantiles import tail_size
from onnxdissect.results.certainty import Assessor
from onnxdissect.results.formats.arrays import Sizes
from onnxdissect.results.formats.per_image_counts import read_null
from onnxdissect.results.formats.stored import StoredRun
from onnxdissect.results.label_units import label_units, primary_categories
from onnxdissect.results.records import LayerInfo, LayerSummary, Unit
from onnxdissect.statistics.bootstrap import top_concept_intervals
from onnxdissect.statistics.intervals import TopConceptIntervals
from onnxdissect.statistics.resamples import Resamples

__all__ = ["Assessment", "assess", "resample_intervals"]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the arrays of a run say.

    Attributes
    ----------
    units : tuple of Unit
        By layer, quantile and unit.
    summaries : tuple of LayerSummary
        By layer and quantile.
    intervals : mapping of str to TopConceptIntervals
        By layer; only of those whose counts were resampled.
    """

    units: tuple[Unit, ...]
    summaries: tuple[LayerSummary, ...]
    intervals: Mapping[str, TopConceptIntervals]


def assess(run: StoredRun) -> Assessment:
    """Judge all units of a run, in the run's convention and at its threshold.

    Parameters
    ----------
    run : StoredRun
        Its arrays are read, its records are not.

    Returns
    -------
    Assessment

    Raises
    ------
    RunFormatError
        If a file is missing or damaged.
    """
    if run.imported:
        return _assess_imported(run)
    made_by = run.resampling()
    made_with = int(run.manifest.get("made_with", {}).get("min_images", 1))
    assessor = Assessor(
        run.truth_counts() if made_by.resamples else None,
        primary_categories(run.concepts, run.categories),
        resamples=made_by.resamples,
        seed=made_by.seed,
        scoring=run.scoring,
        iou_threshold=run.iou_threshold,
        concept_images=np.array([concept.images for concept in run.concepts], np.int64),
    )
    grids = [image.grid for image in run.images]
    units: list[Unit] = []
    summaries: list[LayerSummary] = []
    intervals: dict[str, TopConceptIntervals] = {}
    for info in run.layers:
        scores = run.scores(info.name)
        records = label_units(
            info,
            run.counts(info.name).thresholds,
            scores,
            concepts=run.concepts,
            categories=run.categories,
            quantiles=run.quantiles,
            iou_threshold=run.iou_threshold,
        )
        sizes = Sizes.of(run.quantiles, info.units, run.concepts, run.categories, grids)
        more_units, more_summaries, resampled = assessor.assess(
            *records,
            scores.concept,
            run.per_image_parts(info.name) if assessor.resamples else None,
            # Shuffles were scored with other candidates for labels otherwise, and say nothing of these.
            read_null(run.path / "layers" / info.slug, sizes) if run.min_images == made_with else None,
        )
        units += more_units
        summaries += _with_plateaus(run, info, more_summaries)
        if resampled is not None:
            intervals[info.name] = resampled
    return Assessment(tuple(units), tuple(summaries), intervals)


def _assess_imported(run: StoredRun) -> Assessment:
    """Judge units of which nothing but the best concepts is known."""
    units: list[Unit] = []
    summaries: list[LayerSummary] = []
    for info in run.layers:
        more_units, more_summaries = label_units(
            info,
            None,
            run.scores(info.name),
            concepts=run.concepts,
            categories=run.categories,
            quantiles=run.quantiles,
            iou_threshold=run.iou_threshold,
        )
        units += more_units
        summaries += [
            replace(summary, rare_labels=None, plateau_units=None, constant_units=None)
            for summary in more_summaries
        ]
    return Assessment(tuple(units), tuple(summaries), {})


def resample_intervals(run: StoredRun, layer: str) -> TopConceptIntervals | None:
    """Make the intervals of a layer's top concepts anew, for runs that did not keep them.

    Parameters
    ----------
    run : StoredRun
    layer : str
        ONNX value name.

    Returns
    -------
    TopConceptIntervals or None
        None if there is nothing to resample.

    Raises
    ------
    RunFormatError
        If a file is damaged.
    """
    made_with = run.resampling()
    parts = run.per_image_parts(layer) if made_with.resamples else None
    truth = None if parts is None else run.truth_counts()
    if parts is None or truth is None or truth.one_group:
        return None
    category_of = primary_categories(run.concepts, run.categories)
    resamples = Resamples(truth, category_of, made_with.resamples, made_with.seed)
    shape = len(run.quantiles), run.layer(layer).units
    return top_concept_intervals(resamples, parts, shape, run.scoring)


def _with_plateaus(run: StoredRun, info: LayerInfo, summaries: Sequence[LayerSummary]) -> list[LayerSummary]:
    counts, samples = run.counts(info.name), run.samples(info.name)
    positions = len(run.images) * info.shape[0] * info.shape[1]
    counted = []
    for q, summary in enumerate(summaries):
        found = find_plateaus(
            counts.thresholds[q],
            counts.top_values,
            counts.activation_total[q],
            samples,
            tail_size(summary.quantile, positions),
        )
        counted.append(
            replace(
                summary,
                plateau_units=int(found.plateau.sum()),
                constant_units=int(found.constant.sum()),
            )
        )
    return counted
