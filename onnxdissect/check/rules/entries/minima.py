"""The rules `detectors`, `unique` and `categories`: how many there must be at least."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnxdissect.check.baseline.snapshot import LayerSnapshot, Snapshot
from onnxdissect.check.comparing.comparison import Comparison
from onnxdissect.check.rules.config import LayerMinimum
from onnxdissect.check.rules.findings import SHOWN, lost_concepts, make_finding
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.verdict import Finding

__all__ = ["CATEGORIES", "DETECTORS", "UNIQUE"]


def _minima(c: Comparison) -> Iterator[Finding]:
    """Ask for enough detectors and enough distinct concepts, over all layers and in single ones."""
    before, after = c.baseline.layers, c.candidate.layers
    totals = LayerMinimum(c.config.minimum_detectors, c.config.minimum_unique)
    yield from _minimum(c, "", totals, before, after)
    for name, minimum in c.config.layers.items():
        sides = (tuple(layer for layer in side if layer.name == name) for side in (before, after))
        yield from _minimum(c, name, minimum, *sides)


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
        yield make_finding(c, DETECTORS, have >= minimum.detectors, name, message, evidence[:SHOWN])
    if minimum.unique:
        labels = _detected_concepts(c.candidate, after)
        message = f"distinct concepts{where}: {len(labels)}, at least {minimum.unique} asked for"
        evidence = lost_concepts(c, _detected_concepts(c.baseline, before) - labels)
        yield make_finding(c, UNIQUE, len(labels) >= minimum.unique, name, message, evidence)


def _categories(c: Comparison) -> Iterator[Finding]:
    """Ask that each category has enough distinct detected concepts."""
    before, after = c.baseline.layers, c.candidate.layers
    labels = _detected_concepts(c.candidate, after)
    for name, least in c.config.categories.items():
        g = c.baseline.categories.index(name)
        have = sum(int(c.baseline.category_of[k]) == g for k in labels)
        message = f"distinct concepts of {name} in all layers: {have}, at least {least} asked for"
        gone = {
            k for k in _detected_concepts(c.baseline, before) - labels if int(c.baseline.category_of[k]) == g
        }
        yield make_finding(c, CATEGORIES, have >= least, "", message, lost_concepts(c, gone), name)


def _detected_concepts(side: Snapshot, layers: Sequence[LayerSnapshot]) -> set[int]:
    return set().union(*(side.detected_concepts(layer) for layer in layers))


DETECTORS = Rule(
    "detectors",
    level="error",
    asks="There are at least as many detectors as asked for.",
    remedy="Look at iou-loss and labels, which name the units; if the figure was set too close, lower it.",
    settings=("minimum-detectors", "layers.NAME.minimum-detectors"),
    find=_minima,
)

# `_minima` finds this as well, so that a layer's two figures stand together in a verdict.
UNIQUE = Rule(
    "unique",
    level="error",
    asks="There are at least as many distinct detected concepts as asked for.",
    remedy="Look at unique-loss, which names the concepts that have no detector any more.",
    settings=("minimum-unique", "layers.NAME.minimum-unique"),
)

CATEGORIES = Rule(
    "categories",
    level="error",
    asks="Each category has at least as many distinct detected concepts as asked for.",
    remedy="Look at unique-loss, which names the concepts that have no detector any more.",
    settings=("categories",),
    find=_categories,
)
