"""What counts say about units: records from the arrays of one layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core import scoring as rules
from onnxdissect.results.records import CategoryBests, Concept, LayerCounts, LayerInfo, LayerSummary, Unit

__all__ = ["activation_of", "category_bests", "label_units", "layer_iou", "primary_categories"]


def primary_categories(concepts: Sequence[Concept], categories: Sequence[str]) -> NDArray[np.int64]:
    """Give the primary category of each concept as a position in `categories`.

    Parameters
    ----------
    concepts : sequence of Concept
        In order of their numbers.
    categories : sequence of str
        In ``category.csv`` order.

    Returns
    -------
    ndarray of int64, shape (C,)

    Raises
    ------
    KeyError
        If a concept's category is not among them.
    """
    position = {name: index for index, name in enumerate(categories)}
    return np.array([position[concept.category] for concept in concepts], np.int64)


def activation_of(counts: LayerCounts, scoring: str) -> NDArray[np.int64]:
    """Choose the mask pixels that a convention divides by.

    Parameters
    ----------
    counts : LayerCounts
        Of one layer.
    scoring : str
        ``paper``, ``lite`` or ``pnas``.

    Returns
    -------
    ndarray of int64, shape (Q, K, G), or (Q, K) for ``pnas``

    Raises
    ------
    ParameterError
        If there is no such convention.
    """
    rules.check_scoring(scoring)
    if scoring == "paper":
        return counts.activation
    return counts.activation_overlap if scoring == "lite" else counts.activation_total


def layer_iou(counts: LayerCounts, scoring: str, category_of: NDArray[np.int64]) -> NDArray[np.float64]:
    """Score one layer under a convention.

    Parameters
    ----------
    counts : LayerCounts
        Of the layer.
    scoring : str
        ``paper``, ``lite`` or ``pnas``.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.

    Returns
    -------
    ndarray of float64, shape (Q, K, C)
    """
    activation = activation_of(counts, scoring)
    per_category = None if activation.ndim == 2 else category_of
    return rules.iou(counts.intersection, activation, counts.truth, per_category)


def category_bests(counts: LayerCounts, scores: rules.Scores, scoring: str) -> CategoryBests:
    """Give the best concept of each category for every unit of a layer, with its counts.

    Parameters
    ----------
    counts : LayerCounts
        Of the layer.
    scores : Scores
        What follows from them under the convention.
    scoring : str
        ``paper``, ``lite`` or ``pnas``.

    Returns
    -------
    CategoryBests
    """
    concept = scores.category_concept
    activation = activation_of(counts, scoring)
    if activation.ndim == 2:
        activation = np.broadcast_to(activation[..., None], concept.shape)
    if counts.truth.size == 0:
        return CategoryBests(concept, scores.category_best, activation, np.zeros_like(concept))
    met = np.take_along_axis(counts.intersection, np.maximum(concept, 0), axis=2)
    return CategoryBests(concept, scores.category_best, activation, np.where(concept < 0, 0, met))


def label_units(
    layer: LayerInfo,
    thresholds: NDArray[np.float32] | None,
    scores: rules.Scores,
    *,
    concepts: Sequence[Concept],
    categories: Sequence[str],
    quantiles: Sequence[float],
    iou_threshold: float,
) -> tuple[list[Unit], list[LayerSummary]]:
    """Name the units of one layer and count its detectors.

    Parameters
    ----------
    layer : LayerInfo
        The layer.
    thresholds : ndarray of float32, shape (Q, K), or None
        T_k; None if they are not known.
    scores : Scores
        The IoU of each unit's best concept, overall and by category, as computed from the counts.
    concepts : sequence of Concept
        In order of their numbers.
    categories : sequence of str
        In ``category.csv`` order.
    quantiles : sequence of float
        The levels tau.
    iou_threshold : float
        A unit is a detector if its IoU is larger.

    Returns
    -------
    units : list of Unit
        By quantile, then by unit; without intervals.
    summaries : list of LayerSummary
        One per quantile.
    """
    category_of = primary_categories(concepts, categories)
    found = rules.detectors(scores.best, iou_threshold)
    units: list[Unit] = []
    summaries: list[LayerSummary] = []
    for q, quantile in enumerate(quantiles):
        for k in range(layer.units):
            index = int(scores.concept[q, k])
            label, category = ("", "") if index < 0 else (concepts[index].name, concepts[index].category)
            units.append(
                Unit(
                    layer=layer.name,
                    quantile=quantile,
                    unit=k,
                    label=label,
                    category=category,
                    iou=float(scores.best[q, k]),
                    iou_low=None,
                    iou_high=None,
                    stability=None,
                    detector=bool(found[q, k]),
                    threshold=None if thresholds is None else float(thresholds[q, k]),
                    best={
                        name: ("" if c < 0 else concepts[c].name, float(value))
                        for name, c, value in zip(
                            categories, scores.category_concept[q, k], scores.category_best[q, k], strict=True
                        )
                    },
                )
            )
        by_category = rules.unique_by_category(scores.concept[q], found[q], category_of, len(categories))
        summaries.append(
            LayerSummary(
                layer=layer.name,
                quantile=quantile,
                units=layer.units,
                detectors=int(found[q].sum()),
                unique_detectors=rules.unique_detectors(scores.concept[q], found[q]),
                unique_any=rules.unique_any(
                    scores.category_concept[q], scores.category_best[q], iou_threshold
                ),
                unique={name: int(n) for name, n in zip(categories, by_category, strict=True)},
            )
        )
    return units, summaries
