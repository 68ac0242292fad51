"""Two layers held against each other, literally: lists, loops, fractions, and every way to draw labels.

Imports nothing from the package: whatever both agree on was written twice.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from naive.statistics import resample

Counts = tuple[int, int, list[int]]


def p_value(difference: Fraction, value: int, resampled: list[int]) -> Fraction:
    """Two-sided, of the true difference being this one: as far on either side of the resamples' median."""
    middle = Fraction(sum(sorted(resampled)[i] for i in middles(len(resampled))), 2)
    place = middle - (value - difference)
    below = sum(one <= place for one in resampled)
    above = sum(one >= place for one in resampled)
    return min(Fraction(1), Fraction(2 * (1 + min(below, above)), 1 + len(resampled)))


def middles(size: int) -> tuple[int, int]:
    return (size - 1) // 2, size // 2


def difference(
    counted: tuple[int, int], first: list[int], second: list[int]
) -> tuple[int, Fraction, Fraction, Fraction]:
    """Value, interval and p-value: of all halves of whole numbers those that the test does not reject."""
    resampled = [b - a for a, b in zip(first, second, strict=True)]
    value = counted[1] - counted[0]
    reach = max(abs(one) for one in resampled) + abs(value) + 1
    held = [
        Fraction(half, 2)
        for half in range(-4 * reach, 4 * reach + 1)
        if p_value(Fraction(half, 2), value, resampled) > Fraction(1, 20)
    ]
    return value, min(held), max(held), p_value(Fraction(0), value, resampled)


def layer_counts(
    evidence: Any, truth: Any, drawn: Sequence[Sequence[int]], quantile: int, category_of: list[int]
) -> list[Counts]:
    """Detectors, unique detectors and these by category in each resample, from the arrays that a run keeps.

    In the paper's convention, of an IoU above 0.04.
    """
    concepts = len(category_of)
    truths = [[0] * concepts for _ in drawn[0]]
    for x, row in enumerate(truths):
        for at in range(int(truth["starts"][x]), int(truth["starts"][x + 1])):
            row[int(truth["concept"][at])] = int(truth["pixels"][at])
    units = [unit_masks(evidence, quantile, k, concepts) for k in range(evidence["contenders"].shape[1])]
    found = []
    for weights in drawn:
        labels = []
        for held, areas, met in units:
            _, won, best = resample(
                list(weights), areas, met, truths, truth["categories"].tolist(), held, category_of
            )
            labels += [won] if best > 0.04 else []
        unique = set(labels)
        by_category = [sum(category_of[c] == g for c in unique) for g in range(max(category_of) + 1)]
        found.append((len(labels), len(unique), by_category))
    return found


def unit_masks(
    evidence: Any, quantile: int, unit: int, concepts: int
) -> tuple[list[int], dict[int, int], dict[int, list[int]]]:
    """Concepts counted of a unit, pixels of its mask by image, and those of them that hold each concept."""
    held = [int(c) for c in evidence["contenders"][quantile, unit] if c >= 0]
    first = quantile * evidence["contenders"].shape[1] + unit
    areas, met = {}, {}
    for e in range(int(evidence["starts"][first]), int(evidence["starts"][first + 1])):
        image = int(evidence["image"][e])
        areas[image] = int(evidence["activation"][e])
        met[image] = [0] * concepts
        for place, concept in enumerate(held):
            met[image][concept] = int(evidence["intersection"][e, place])
    return held, areas, met


def overlap(
    first: set[str], second: set[str], pools: tuple[set[str], set[str]], category_of: dict[str, str]
) -> tuple[Fraction, Fraction]:
    """Mean Jaccard index, and the chance of as many in common, over all equally likely pairs of draws."""
    sides = []
    for labels, pool in ((first, pools[0]), (second, pools[1])):
        by_category = []
        for category in sorted(set(category_of.values())):
            own = sorted(one for one in pool if category_of[one] == category)
            drawn = sum(category_of[one] == category for one in labels)
            by_category.append(list(itertools.combinations(own, drawn)))
        sides.append([set(itertools.chain.from_iterable(parts)) for parts in itertools.product(*by_category)])
    jaccards, as_many = [], []
    for one, other in itertools.product(*sides):
        jaccards.append(Fraction(len(one & other), len(one | other)) if one | other else Fraction(1))
        as_many.append(len(one & other) >= len(first & second))
    return sum(jaccards, Fraction(0)) / len(jaccards), Fraction(sum(as_many), len(as_many))


def spread(values: list[float]) -> tuple[float, float, float, float]:
    """Mean, standard deviation of a sample, smallest and largest."""
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return float(np.mean(values)), sd, min(values), max(values)
