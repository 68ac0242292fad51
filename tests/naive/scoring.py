"""Scores, labels and detectors, literally from the formulas, with loops and dictionaries.

Imports nothing from the package: whatever both agree on was written twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def iou(intersection: int, activation: int, truth: int) -> float:
    union = activation + truth - intersection
    return 0.0 if union == 0 else intersection / union


def all_iou(intersection: Array, activation: Array, truth: Array, category_of: list[int] | None) -> Array:
    """One quantile: (K, C) from (K, C), (K, G) or (K,), and (C,)."""
    units, concepts = intersection.shape
    scores = np.zeros((units, concepts))
    for k in range(units):
        for c in range(concepts):
            masked = activation[k] if category_of is None else activation[k, category_of[c]]
            scores[k, c] = iou(int(intersection[k, c]), int(masked), int(truth[c]))
    return scores


def winner(scores: list[float], sampled: list[int]) -> tuple[int | None, float]:
    """The best of some concepts, the lowest on a tie; nobody where nothing is above 0."""
    best, value = None, 0.0
    for c in sampled:
        if scores[c] > value:
            best, value = c, scores[c]
    return best, value


def verdict(scores: Array, category_of: list[int], categories: int, threshold: float) -> dict[str, Any]:
    """Labels and counts of one layer at one quantile from its (K, C) IoU."""
    labels, best, in_category = [], [], []
    for row in scores.tolist():
        label, value = winner(row, list(range(len(row))))
        labels.append(label)
        best.append(value)
        in_category.append(
            [winner(row, [c for c in range(len(row)) if category_of[c] == g]) for g in range(categories)]
        )
    detectors = [value > threshold for value in best]
    unique = {label for label, detector in zip(labels, detectors, strict=True) if detector}
    return {
        "labels": labels,
        "best": best,
        "in_category": in_category,
        "detectors": detectors,
        "unique": len(unique),
        "unique_by_category": [
            sum(category_of[c] == g for c in unique if c is not None) for g in range(categories)
        ],
        "unique_any": len(
            {(g, c) for row in in_category for g, (c, value) in enumerate(row) if value > threshold}
        ),
    }
