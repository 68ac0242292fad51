"""From the arrays of a run to its records: what the counts say, and how certain it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onnxdissect.core.plateaus import find_plateaus
from onnxdissect.core.quantiles import tail_size
from onnxdissect.results.certainty import Assessor
from onnxdissect.results.formats.arrays import Sizes
from onnxdissect.results.formats.per_image_counts import read_null
from onnxdissect.results.formats.stored import StoredRun
from onnxdissect.results.label_units import label_units, primary_categories
from onnxdissect.results.records import LayerInfo, LayerSummary, Unit

__all__ = ["assess"]


def assess(run: StoredRun) -> tuple[tuple[Unit, ...], tuple[LayerSummary, ...]]:
    """Judge all units of a run, in the run's convention and at its threshold.

    Parameters
    ----------
    run : StoredRun
        Its arrays are read, its records are not.

    Returns
    -------
    units : tuple of Unit
        By layer, quantile and unit.
    summaries : tuple of LayerSummary
        By layer and quantile.

    Raises
    ------
    RunFormatError
        If a file is missing or damaged.
    """
    parameters = run.manifest["parameters"]
    resamples = int(parameters.get("bootstrap", 0))
    made_with = int(run.manifest.get("made_with", {}).get("min_images", 1))
    assessor = Assessor(
        run.truth_counts() if resamples else None,
        primary_categories(run.concepts, run.categories),
        resamples=resamples,
        seed=int(parameters.get("seed", 0)),
        scoring=run.scoring,
        iou_threshold=run.iou_threshold,
        concept_images=np.array([concept.images for concept in run.concepts], np.int64),
    )
    grids = [image.grid for image in run.images]
    units: list[Unit] = []
    summaries: list[LayerSummary] = []
    for info in run.layers:
        scores = run.scores(info.name)
        records = label_units(
            info,
            run.counts(info.name),
            scores,
            concepts=run.concepts,
            categories=run.categories,
            quantiles=run.quantiles,
            iou_threshold=run.iou_threshold,
        )
        sizes = Sizes.of(run.quantiles, info.units, run.concepts, run.categories, grids)
        more_units, more_summaries = assessor.assess(
            *records,
            scores.concept,
            run.per_image_parts(info.name) if assessor.resamples else None,
            # Shuffles were scored with other candidates for labels otherwise, and say nothing of these.
            read_null(run.path / "layers" / info.slug, sizes) if run.min_images == made_with else None,
        )
        units += more_units
        summaries += _with_plateaus(run, info, more_summaries)
    return tuple(units), tuple(summaries)


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
