"""Uncertainty, literally: counts image by image, resampled and shuffled with loops and dictionaries.

Imports nothing from the package: whatever both agree on was written twice.
"""

from __future__ import annotations

from typing import Any

import naive
import numpy as np
from naive_scoring import iou
from numpy.typing import NDArray

Array = NDArray[Any]


def masks(
    activations: Array,
    images: list[naive.NaiveImage],
    thresholds: Array,
    pixels: tuple[int, int],
    field: naive.Field | None,
) -> dict[tuple[int, int, int], Array]:
    """M_k(x) of every quantile, unit and image where it is not empty."""
    found = {}
    for q in range(len(thresholds)):
        for k in range(activations.shape[1]):
            for x, image in enumerate(images):
                mask = naive.upsample(activations[x, k], image.grid, pixels, field) > thresholds[q, k]
                if mask.any():
                    found[q, k, x] = mask
    return found


def contenders(scores: list[float], most: int) -> list[int]:
    """Concepts of highest score above 0, best first, the lower position on a tie; then -1."""
    ranked = sorted((-value, c) for c, value in enumerate(scores) if value > 0)
    chosen = [c for _, c in ranked][:most]
    return chosen + [-1] * (most - len(chosen))


def resample(
    weights: list[int],
    areas: dict[int, int],
    met: dict[int, list[int]],
    truths: list[list[int]],
    counted: list[list[bool]] | None,
    concepts: list[int],
    category_of: list[int],
) -> tuple[list[float], int, float]:
    """IoU of each contender of a unit in one resample, the winner and its IoU.

    ``areas`` and ``met`` hold |M_k(x)| and |M_k(x) and L_c(x)| of every concept by image; ``counted[x][g]``
    tells whether the image's mask counts as activation for a category.
    """
    scores = []
    for c in concepts:
        common = sum(weights[x] * met[x][c] for x in areas)
        area = sum(weights[x] * areas[x] for x in areas if counted is None or counted[x][category_of[c]])
        truth = sum(weights[x] * truths[x][c] for x in range(len(weights)))
        scores.append(iou(common, area, truth))
    winner, best = -1, 0.0
    for c, score in sorted(zip(concepts, scores, strict=True)):
        if score > best:
            winner, best = c, score
    return scores, winner, best


def lattice_best(
    activations: Array,
    images: list[naive.NaiveImage],
    donors: list[int],
    threshold: float,
    category_of: list[int],
    pixels: tuple[int, int],
    field: naive.Field | None,
    side: int,
) -> float:
    """Highest IoU of a unit (n, h, w) on a lattice: image x meets the annotation of ``donors[x]``."""
    concepts = len(category_of)
    truth, common, area = [0] * concepts, [0] * concepts, [0] * concepts
    looked = []
    for image in images:
        sh, sw = image.grid
        rows = [(2 * r + 1) * sh // (2 * side) for r in range(side)]
        columns = [(2 * c + 1) * sw // (2 * side) for c in range(side)]
        looked.append([image.covers(c + 1)[np.ix_(rows, columns)] for c in range(concepts)])
    for x, donor in enumerate(donors):
        mask = naive.upsample(activations[x], (side, side), pixels, field) > threshold
        for c in range(concepts):
            members = [d for d in range(concepts) if category_of[d] == category_of[c]]
            truth[c] += int(looked[donor][c].sum())
            common[c] += int((mask & looked[donor][c]).sum())
            if any(images[donor].covers(d + 1).any() for d in members):
                area[c] += int(mask.sum())
    return max(iou(common[c], area[c], truth[c]) for c in range(concepts))


def false_discovery_rates(p: list[float]) -> list[float]:
    """Benjamini and Hochberg: the smallest level at which the step-up procedure rejects each test."""
    ordered = sorted(p)
    tests = len(p)
    rates = []
    for value in p:
        later = [ordered[i] * tests / (i + 1) for i in range(tests) if ordered[i] >= value]
        rates.append(min(1.0, *later))
    return rates


def reliable(
    iou: float, low: float | None, stability: float | None, threshold: float, stable: float = 0.9
) -> bool:
    """A detector whose interval lies above the threshold and whose label nearly always wins."""
    if low is None or stability is None:
        return False
    return iou > threshold and low > threshold and stability > stable
