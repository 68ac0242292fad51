"""Rules that need no comparison: how many detectors, and of which concepts, there must be at least."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from onnxdissect.check.baseline.snapshot import LayerSnapshot, Snapshot
from onnxdissect.check.comparing.comparison import Comparison
from onnxdissect.check.rules.config import LayerMinimum
from onnxdissect.check.rules.findings import SHOWN, lost_concepts, make_finding
from onnxdissect.check.verdict import Finding

__all__ = ["concepts_rule", "minima_rule"]


def minima_rule(c: Comparison) -> Iterator[Finding]:
    """Compare how many detectors there are with how many must be.

    Parameters
    ----------
    c : Comparison

    Yields
    ------
    Finding
        Of the rules ``detectors`` and ``unique``, by layer and over all.
    """
    before, after = c.baseline.layers, c.candidate.layers
    totals = LayerMinimum(c.config.minimum_detectors, c.config.minimum_unique)
    yield from _minimum(c, "", totals, before, after)
    for name, minimum in c.config.layers.items():
        sides = (tuple(layer for layer in side if layer.name == name) for side in (before, after))
        yield from _minimum(c, name, minimum, *sides)
    labels = _detected_concepts(c.candidate, after)
    for name, least in c.config.categories.items():
        g = c.baseline.categories.index(name)
        have = sum(int(c.baseline.category_of[k]) == g for k in labels)
        message = f"distinct concepts of {name} in all layers: {have}, at least {least} asked for"
        gone = {
            k for k in _detected_concepts(c.baseline, before) - labels if int(c.baseline.category_of[k]) == g
        }
        yield make_finding(c, "categories", have >= least, "", message, lost_concepts(c, gone), name)


def _minimum(
    c: Comparison,
    name: str,
    minimum: LayerMinimum,
    before: Sequence[LayerSnapshot],
    after: Sequence[LayerSnapshot],
) -> Iterator[Finding]:
    where = "" if name else " in all layers"
    if minimum.detectors:
        had, has = (
            {layer.name: int(side.detectors(layer).sum()) for layer in layers}
            for side, layers in ((c.baseline, before), (c.candidate, after))
        )
        have = sum(has.values())
        message = f"detectors{where}: {have}, at least {minimum.detectors} asked for"
        evidence = [f"{layer}: {has.get(layer, 0)}, the baseline has {had[layer]}" for layer in had]
        yield make_finding(c, "detectors", have >= minimum.detectors, name, message, evidence[:SHOWN])
    if minimum.unique:
        labels = _detected_concepts(c.candidate, after)
        message = f"distinct concepts{where}: {len(labels)}, at least {minimum.unique} asked for"
        evidence = lost_concepts(c, _detected_concepts(c.baseline, before) - labels)
        yield make_finding(c, "unique", len(labels) >= minimum.unique, name, message, evidence)


def _detected_concepts(side: Snapshot, layers: Sequence[LayerSnapshot]) -> set[int]:
    return set().union(*(side.detected_concepts(layer) for layer in layers))


def concepts_rule(c: Comparison) -> Iterator[Finding]:
    """Look for concepts that must have a detector, and for those that must not.

    Parameters
    ----------
    c : Comparison

    Yields
    ------
    Finding
        Of the rules ``required`` and ``forbidden``, one per concept.
    """
    for rule, names in (("required", c.config.required), ("forbidden", c.config.forbidden)):
        for name in names:
            concept = c.baseline.concepts.index(name)
            found = _best(c, concept, detectors=True)
            closest = [] if found or rule == "forbidden" else _best(c, concept, detectors=False)
            message = f"{name!r} has {len(found) or 'no'} detector{'s' if len(found) > 1 else ''}"
            evidence = found if rule == "forbidden" else [f"closest: {line}" for line in closest[:1]]
            if not found and not closest and rule == "required":
                evidence = ["no unit's masks overlap it anywhere"]
            ok = bool(found) == (rule == "required")
            yield make_finding(c, rule, ok, "", message, evidence[:SHOWN], name)


def _best(c: Comparison, concept: int, *, detectors: bool) -> list[str]:
    """Units of the candidate by falling IoU with a concept, as lines."""
    found: list[tuple[float, str]] = []
    for layer in c.candidate.layers:
        if detectors:
            units = np.flatnonzero(c.candidate.detectors(layer) & (layer.label == concept))
            scores = layer.iou
        else:
            scores = np.zeros(layer.units) if layer.scores is None else layer.scores[:, concept]
            units = np.flatnonzero(scores > 0)
        labels = c.candidate.names(layer.label)
        for k in units:
            line = f"{layer.name} unit {k}, IoU {scores[k]:.3f}"
            # A concept may exceed the threshold and still not be what the unit detects best.
            if not detectors and layer.label[k] != concept and labels[k]:
                line += f", whose label is {labels[k]} {layer.iou[k]:.3f}"
            found.append((float(scores[k]), line))
    return [line for _, line in sorted(found, key=lambda item: -item[0])]
