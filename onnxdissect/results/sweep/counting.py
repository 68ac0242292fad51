"""A threshold sweep made of the units and summaries of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from onnxdissect.results.records import LayerInfo, LayerSummary, Unit
from onnxdissect.results.sweep.generic import REASONS
from onnxdissect.results.sweep.records import (
    GenericConcept,
    LayerSweep,
    QuantileCounts,
    ThresholdSweep,
    UnitLabels,
)

__all__ = ["count_sweep", "unit_labels"]


def count_sweep(
    layers: Sequence[LayerInfo],
    quantiles: Sequence[float],
    units: Sequence[Unit],
    summaries: Sequence[LayerSummary],
    generic: tuple[GenericConcept, ...],
) -> ThresholdSweep:
    """Follow the labels of all units from the smallest quantile to the largest.

    Parameters
    ----------
    layers : sequence of LayerInfo
        Of the run, in its order.
    quantiles : sequence of float
        Its levels tau, in its order.
    units : sequence of Unit
        Of all layers, by layer, quantile and unit.
    summaries : sequence of LayerSummary
        Of all layers, by layer and quantile.
    generic : tuple of GenericConcept
        The concepts that count as generic.

    Returns
    -------
    ThresholdSweep
    """
    rising = tuple(sorted(quantiles))
    order = [list(quantiles).index(quantile) for quantile in rising]
    reasons = {(concept.name, concept.category): concept.reason for concept in generic}
    swept = []
    first = 0
    for place, info in enumerate(layers):
        starts = [first + q * info.units for q in order]
        rows = [units[start : start + info.units] for start in starts]
        told = [summaries[place * len(quantiles) + q] for q in order]
        before: list[Sequence[Unit] | None] = [None, *rows[:-1]]
        counts = tuple(map(_counts, told, rows, before, [reasons] * len(rows)))
        swept.append(LayerSweep(info.name, rising, counts, unit_labels(info, rising, rows)))
        first += info.units * len(quantiles)
    return ThresholdSweep(rising, tuple(swept), generic)


def unit_labels(
    layer: LayerInfo, quantiles: tuple[float, ...], units: Sequence[Sequence[Unit]]
) -> tuple[UnitLabels, ...]:
    """List the labels of a layer's units over all quantiles.

    Parameters
    ----------
    layer : LayerInfo
    quantiles : tuple of float
        In rising order.
    units : sequence of sequence of Unit
        Those of the layer at each of them.

    Returns
    -------
    tuple of UnitLabels
        In order of the units.
    """
    return tuple(
        UnitLabels(
            layer.name,
            k,
            quantiles,
            tuple(unit.label for unit in seen),
            tuple(unit.category for unit in seen),
            tuple(unit.detector for unit in seen),
        )
        for k, seen in enumerate(zip(*units, strict=True))
    )


def _counts(
    summary: LayerSummary,
    units: Sequence[Unit],
    before: Sequence[Unit] | None,
    reasons: Mapping[tuple[str, str], str],
) -> QuantileCounts:
    labels = [(unit.label, unit.category) for unit in units]
    detected = [label for label, unit in zip(labels, units, strict=True) if unit.detector]
    by_category = Counter(category for _, category in detected)
    by_reason = Counter(reasons[label] for label in detected if label in reasons)
    changed = None
    if before is not None:
        former = ((unit.label, unit.category) for unit in before)
        changed = sum(label != other for label, other in zip(labels, former, strict=True))
    return QuantileCounts(
        layer=summary.layer,
        quantile=summary.quantile,
        units=summary.units,
        labelled=sum(bool(unit.label) for unit in units),
        detectors=summary.detectors,
        unique_detectors=summary.unique_detectors,
        unique_low=summary.unique_low,
        unique_high=summary.unique_high,
        generic_labels=sum(label in reasons for label in labels),
        generic_detectors=by_reason.total(),
        **{f"generic_{reason}": by_reason[reason] for reason in REASONS},
        changed=changed,
        detectors_by={category: by_category[category] for category in summary.unique},
        unique=summary.unique,
    )
