"""Uncertainty, literally: counts image by image, resampled and shuffled with loops and dictionaries.

Imports nothing from the package: whatever both agree on was written twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naive import method as naive
from naive.scoring import iou

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


def top_concepts(scores: list[float], most: int) -> list[int]:
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


def unique_detectors(units: list[tuple[list[float], int, float]], threshold: float) -> int:
    """Different winners of the units of a layer in one resample, of those whose IoU exceeds the threshold."""
    return len({won for _, won, best in units if best > threshold})


def lattice_masks(
    activations: Array, threshold: float, pixels: tuple[int, int], field: naive.Field | None, side: int
) -> list[Array]:
    """Masks of a unit (n, h, w) on a lattice."""
    return [naive.upsample(map_, (side, side), pixels, field) > threshold for map_ in activations]


def lattice_labels(images: list[naive.NaiveImage], concepts: int, side: int) -> list[list[Array]]:
    """Where each image holds each concept on a lattice."""
    looked = []
    for image in images:
        sh, sw = image.grid
        rows = [(2 * r + 1) * sh // (2 * side) for r in range(side)]
        columns = [(2 * c + 1) * sw // (2 * side) for c in range(side)]
        looked.append([image.covers(c + 1)[np.ix_(rows, columns)] for c in range(concepts)])
    return looked


def lattice_best(
    masks: list[Array],
    labels: list[list[Array]],
    images: list[naive.NaiveImage],
    permutations: list[int],
    category_of: list[int],
) -> tuple[float, int, int]:
    """Highest IoU of a unit on a lattice, its concept (-1 for none) and their overlap.

    Image x meets the annotation of ``donors[x]``.
    """
    concepts = len(category_of)
    truth, common, area = [0] * concepts, [0] * concepts, [0] * concepts
    for x, donor in enumerate(permutations):
        for c in range(concepts):
            sampled = [d for d in range(concepts) if category_of[d] == category_of[c]]
            truth[c] += int(labels[donor][c].sum())
            common[c] += int((masks[x] & labels[donor][c]).sum())
            if any(images[donor].covers(d + 1).any() for d in sampled):
                area[c] += int(masks[x].sum())
    scores = [iou(common[c], area[c], truth[c]) for c in range(concepts)]
    best = max(scores)
    return (best, scores.index(best), common[scores.index(best)]) if best > 0 else (0.0, -1, 0)


def overlap_moments(masks: list[Array], labels: list[Array], cells: int) -> tuple[float, float]:
    """Mean and variance of the points that masks and labels share if images are paired at random.

    The mean over all pairs; the variance of a sum over a random permutation (Hoeffding), in which the points
    that a mask and a label share are, in each cell, what independent draws from it would share.
    """
    n = len(masks)
    mean = sum(int((mask & label).sum()) for mask in masks for label in labels) / n
    width = masks[0].shape[0] // cells
    size = width**2
    expected, within = np.zeros((n, n)), 0.0
    for i in range(cells):
        for j in range(cells):
            cell = slice(i * width, (i + 1) * width), slice(j * width, (j + 1) * width)
            a = np.array([mask[cell].sum() for mask in masks], float)[:, None]
            b = np.array([label[cell].sum() for label in labels], float)[None]
            expected += a * b / size
            within += float((a * (size - a) * b * (size - b)).sum()) / (size**2 * (size - 1))
    apart = expected - expected.mean(axis=0) - expected.mean(axis=1, keepdims=True) + expected.mean()
    return mean, float((apart**2).sum() / max(1, n - 1) + within / n)


def gamma_surprise(overlap: float, mean: float, variance: float) -> float:
    """Negative logarithm of the upper tail of a gamma distribution, by adding up its density."""
    shape, scale = mean**2 / variance, variance / mean
    at = overlap / scale
    # All of the mass that matters, in equal steps of the logarithm: near 0 the density may have a pole.
    low = max(at, shape - 12 * math.sqrt(shape))
    high = max(at, shape) + 12 * math.sqrt(shape) + 60
    steps = np.linspace(math.log(low), math.log(high), 40_001)
    t = np.exp(steps)
    logs = shape * np.log(t) - t - math.lgamma(shape)
    density = np.exp(logs - logs.max())
    area = float(((density[1:] + density[:-1]) / 2 * np.diff(steps)).sum())
    return max(0.0, -float(logs.max()) - math.log(area))


def pooled_p_value(observed: float, shuffled: list[float], tail: int) -> float:
    """Share of a sample that is as large; beyond its largest values, what an exponential fit gives."""
    ordered = sorted(shuffled, reverse=True)
    start = ordered[tail]
    excess = sum(value - start for value in ordered[:tail]) / tail
    if observed <= start or excess == 0:
        return (1 + sum(value >= observed for value in ordered)) / (1 + len(ordered))
    return tail / len(ordered) / (1 + (observed - start) / (tail * excess)) ** tail


def false_discovery_rates(p: list[float]) -> list[float]:
    """Benjamini and Hochberg: the smallest level at which the step-up procedure rejects each test."""
    ordered = sorted(p)
    tests = len(p)
    rates = []
    for value in p:
        later = [ordered[i] * tests / (i + 1) for i in range(tests) if ordered[i] >= value]
        rates.append(min(1.0, *later))
    return rates


def holm(p: list[float]) -> list[float]:
    """Holm: the smallest level at which the step-down procedure rejects each test."""
    ordered = sorted(p)
    adjusted = []
    for value in p:
        before = [(len(p) - i) * ordered[i] for i in range(len(p)) if ordered[i] <= value]
        # Equal p-values are rejected together: the first of them decides.
        adjusted.append(min(1.0, max(before)))
    return adjusted


def mcnemar(only_before: int, only_after: int) -> float:
    """Chance that of so many tosses of a coin so few, or fewer, fall on the second side."""
    tosses = only_before + only_after
    few: int = sum(math.comb(tosses, k) for k in range(only_after + 1))
    return float(few / 2**tosses)


def student_tail(t: float, freedom: float) -> float:
    """Chance that Student's t is larger, by adding up its density over equal steps of an angle."""
    # With t = sqrt(freedom) tan(angle) the density is a power of a cosine.
    start = math.atan(t / math.sqrt(freedom))
    angles = np.linspace(start, math.pi / 2, 200_001)
    density = np.cos(angles) ** (freedom - 1)
    area = float(((density[1:] + density[:-1]) / 2 * np.diff(angles)).sum())
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    return scale * area


def reliable(
    units: Sequence[tuple[float, float | None, float | None, float | None]],
    threshold: float,
    stable: float = 0.99,
    level: float = 0.05,
    resamples: int = 1000,
    images: float = 100,
) -> list[bool]:
    """Of a layer's units (IoU, lower and upper end, stability) those that are reliable.

    None of too few images, or of so few resamples that one which loses more often than it may wins in all of
    them by luck once in twenty times.

    Detectors whose interval lies above the threshold and whose label nearly always wins, and whose p-value is
    among those that Benjamini and Hochberg reject of all detectors of the layer.
    """
    if images < 20 or resamples < 40 or stable**resamples > 0.05:
        return [False] * len(units)
    p_of = {k: _exceeds(*unit[:3], threshold) for k, unit in enumerate(units) if unit[0] > threshold}
    ordered = sorted(p_of.values())
    rejected = [p for rank, p in enumerate(ordered, 1) if p <= level * rank / len(ordered)]
    limit = max(rejected, default=-1.0)
    return [
        k in p_of
        and p_of[k] <= limit
        and low is not None
        and low > threshold
        and won is not None
        and won > stable
        for k, (_, low, _, won) in enumerate(units)
    ]


def _exceeds(iou: float, low: float | None, high: float | None, threshold: float) -> float:
    """Upper normal tail of how many standard errors the IoU's logarithm lies above the threshold's."""
    if not low or not high or math.isnan(low) or math.isnan(high):
        return 1.0
    error = (math.log(high) - math.log(low)) / 3.92
    if error == 0 or threshold == 0:
        return 0.0
    return 1 - NormalDist().cdf(math.log(iou / threshold) / error)


def group_weights(drawn: list[int], groups: list[int]) -> list[int]:
    """How often a draw of whole groups holds each image."""
    return [drawn[group] for group in groups]


def quantile_shift(before: list[float], after: list[float]) -> float:
    """Root mean square of the differences over the standard deviation of the first."""
    n = len(before)
    mean = sum(before) / n
    spread = math.sqrt(sum((value - mean) ** 2 for value in before) / n)
    return math.sqrt(sum((b - a) ** 2 for a, b in zip(before, after, strict=True)) / n) / spread


def drift(one: Array, two: Array) -> tuple[float, float, list[float]]:
    """Relative RMS and cosine of two layers (n, K, h, w) as long vectors, and relative RMS by unit."""
    units = [_relative_rms(one[:, k], two[:, k]) for k in range(one.shape[1])]
    a, b = _numbers(one), _numbers(two)
    lengths = [math.sqrt(sum(value**2 for value in values)) for values in (a, b)]
    cosine = sum(x * y for x, y in zip(a, b, strict=True)) / (lengths[0] * lengths[1])
    return _relative_rms(one, two), cosine, units


def _relative_rms(one: Array, two: Array) -> float:
    a, b = _numbers(one), _numbers(two)
    apart = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    return math.sqrt(apart / sum(x**2 for x in a))


def _numbers(values: Array) -> list[float]:
    return [float(value) for value in values.ravel().tolist()]
