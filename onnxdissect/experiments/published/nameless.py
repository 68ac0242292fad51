"""Concepts without a name: no concepts here, though result files count them; what difference that makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from onnxdissect.experiments.published.layers import PublishedLayer
from onnxdissect.wording import counted

__all__ = ["NamelessConcept", "find_nameless", "nameless_warning"]


@dataclass(frozen=True, slots=True)
class NamelessConcept:
    """A nameless concept that is the best of a category for some units of a layer.

    Attributes
    ----------
    category : str
    units : int
        For which it is.
    labels : int
        For which it is the best of all.
    detectors : int
        Of these, whose IoU with it exceeds the threshold.
    """

    category: str
    units: int
    labels: int
    detectors: int


@dataclass(frozen=True, slots=True)
class _Counts:
    """Of a layer, as `onnxdissect.results.LayerSummary` has them."""

    detectors: int
    unique: int
    unique_any: int


def find_nameless(
    layer: PublishedLayer, categories: Sequence[str], iou_threshold: float
) -> list[NamelessConcept]:
    """Find where a nameless concept is the best.

    Parameters
    ----------
    layer : PublishedLayer
    categories : sequence of str
    iou_threshold : float
        A detector's IoU exceeds it.

    Returns
    -------
    list of NamelessConcept
        One for each category that has any.
    """
    named = np.array([[bool(label) for label in row] for row in layer.labels], np.bool_)
    nameless = (layer.iou > 0) & ~named
    best = layer.iou.max(axis=1, keepdims=True)
    label = nameless & (layer.iou == best) & ~(named & (layer.iou == best)).any(axis=1, keepdims=True)
    detector = label & (layer.iou > iou_threshold)
    return [
        NamelessConcept(name, *(int(which[:, g].sum()) for which in (nameless, label, detector)))
        for g, name in enumerate(categories)
        if nameless[:, g].any()
    ]


def nameless_warning(
    layer: PublishedLayer, name: str, found: Sequence[NamelessConcept], iou_threshold: float
) -> str:
    """Say what leaving the nameless concepts of a layer out changes.

    Parameters
    ----------
    layer : PublishedLayer
    name : str
        Of the layer.
    found : sequence of NamelessConcept
        Not empty.
    iou_threshold : float

    Returns
    -------
    str
        A sentence without its point.
    """
    where = " and ".join(f"the best {one.category} of {counted(one.units, 'unit')}" for one in found)
    changed = sum(one.labels for one in found)
    before, after = (_count(layer, iou_threshold, named_only=only) for only in (False, True))
    return (
        f"layer {name}: {where} has no name and is no concept here; what comes next there is not in the "
        "file. "
        + (f"{counted(changed, 'label')} changed by that" if changed else "No label changed by that")
        + "".join(_differences(before, after))
    )


def _differences(before: _Counts, after: _Counts) -> Iterator[str]:
    for noun, was, now in (
        ("detectors", before.detectors, after.detectors),
        ("unique detectors", before.unique, after.unique),
        ("in any category", before.unique_any, after.unique_any),
    ):
        yield f", {noun} {was:,} -> {now:,}" if was != now else f", {noun} {now:,} as before"


def _count(layer: PublishedLayer, iou_threshold: float, *, named_only: bool) -> _Counts:
    detectors = 0
    unique: set[tuple[int, str]] = set()
    everywhere: set[tuple[int, str]] = set()
    for labels, row in zip(layer.labels, layer.iou.tolist(), strict=True):
        known = [
            (iou, g, label)
            for g, (label, iou) in enumerate(zip(labels, row, strict=True))
            if iou > iou_threshold and (label or not named_only)
        ]
        if known:
            # on a tie the category that comes first, as concepts are numbered
            _, g, label = max(known, key=lambda one: (one[0], -one[1]))
            detectors += 1
            unique.add((g, label))
        everywhere.update((g, label) for _, g, label in known)
    return _Counts(detectors, len(unique), len(everywhere))
