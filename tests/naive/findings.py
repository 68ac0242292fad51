"""What a basis finds, literally: concept by concept, unit by unit, out of IoUs and who is a detector.

Imports nothing from the package: whatever both agree on was written twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def nearest(matrix: Sequence[Sequence[float]]) -> list[tuple[int, float]]:
    """For each row the axis of largest cosine, the first of equal ones."""
    found = []
    for row in matrix:
        length = math.sqrt(math.fsum(value * value for value in row))
        cosines = [value / length for value in row]
        best = max(cosines)
        found.append((cosines.index(best), best))
    return found


def labels(iou: Sequence[Sequence[float]], threshold: float) -> list[int | None]:
    """The concept of highest IoU of each unit above the threshold, the first of equal ones."""
    found: list[int | None] = []
    for row in iou:
        best = max(range(len(row)), key=lambda c: (row[c], -c))
        found.append(best if row[best] > threshold else None)
    return found


def detected(
    under: Sequence[Sequence[float]], own: Sequence[Sequence[float]], threshold: float
) -> tuple[set[int], set[int], set[int]]:
    """New, lost and common concepts: labels of the one side's detectors, of the other's, of both."""
    there = {label for label in labels(under, threshold) if label is not None}
    here = {label for label in labels(own, threshold) if label is not None}
    return there - here, here - there, there & here


def best_unit(iou: Sequence[Sequence[float]], concept: int, threshold: float) -> tuple[int, float]:
    """The best detector that is labelled with a concept, or the best unit of any label if there is none."""
    named = [k for k, label in enumerate(labels(iou, threshold)) if label == concept]
    unit = max(named or range(len(iou)), key=lambda k: (iou[k][concept], -k))
    return unit, iou[unit][concept]
