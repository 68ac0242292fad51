"""What the page of thresholds and programs read of a threshold sweep."""

from __future__ import annotations

from typing import Any

from onnxdissect.report.data.report_data import Report
from onnxdissect.report.pages.scripts import rounded
from onnxdissect.results.sweep import QuantileCounts, ThresholdSweep

__all__ = ["LABELS_SCRIPT", "sweep_json", "unit_labels"]

LABELS_SCRIPT = "thresholds/labels.js"
"""Its file, in the folder of the report."""


def unit_labels(report: Report, sweep: ThresholdSweep) -> dict[str, Any]:
    """List the labels of all units at every quantile, each name once.

    Parameters
    ----------
    report : Report
    sweep : ThresholdSweep
        Of its run.

    Returns
    -------
    dict
        ``quantiles`` (in rising order), ``places`` (of each in the run's order), ``names`` (of the labels:
        [name, category, whether it is generic]), and ``layers``: per layer ``slug``, ``labels`` (per unit,
        per quantile a position in ``names``, -1 for none), ``detectors`` (likewise 0 or 1) and ``same``
        (units whose label is the same at every quantile).
    """
    generic = {(concept.name, concept.category) for concept in sweep.generic}
    positions: dict[tuple[str, str], int] = {}
    layers = []
    for layer, swept in zip(report.layers, sweep.layers, strict=True):
        labels = [
            [
                positions.setdefault(pair, len(positions)) if pair[0] else -1
                for pair in zip(unit.labels, unit.categories, strict=True)
            ]
            for unit in swept.units
        ]
        layers.append(
            {
                "slug": layer.info.slug,
                "labels": labels,
                "detectors": [[int(on) for on in unit.detector] for unit in swept.units],
                "same": [unit.unit for unit in swept.units if unit.same_label],
            }
        )
    return {
        "quantiles": list(sweep.quantiles),
        "places": [report.quantiles.index(quantile) for quantile in sweep.quantiles],
        "names": [[*pair, pair in generic] for pair in positions],
        "layers": layers,
    }


def sweep_json(report: Report, sweep: ThresholdSweep) -> dict[str, Any]:
    """Give what ``data.json`` says of a threshold sweep; the labels of units stand there by quantile.

    Parameters
    ----------
    report : Report
    sweep : ThresholdSweep
        Of its run.

    Returns
    -------
    dict
        Documented in ``docs/report.md``.
    """
    return {
        "quantiles": list(sweep.quantiles),
        "generic": [
            {"number": one.number, "name": one.name, "category": one.category, "share": rounded(one.share)}
            | {"reason": one.reason}
            for one in sweep.generic
        ],
        "layers": [
            {
                "slug": layer.info.slug,
                "same_label": swept.same_label,
                "same_and_ever": swept.same_and_ever,
                "same_and_always": swept.same_and_always,
                "counts": [_counts(counts) for counts in swept.counts],
            }
            for layer, swept in zip(report.layers, sweep.layers, strict=True)
        ],
    }


def _counts(counts: QuantileCounts) -> dict[str, Any]:
    return {
        "quantile": counts.quantile,
        "labelled": counts.labelled,
        "detectors": counts.detectors,
        "unique_detectors": counts.unique_detectors,
        "generic_labels": counts.generic_labels,
        "generic_detectors": counts.generic_detectors,
        "changed": counts.changed,
        "detectors_by": dict(counts.detectors_by),
        "unique": dict(counts.unique),
    }
