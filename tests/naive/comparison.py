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
    evidence: Any, truth: Any, weights: Sequence[int], quantile: int, threshold: float, category_of: list[int]
) -> Counts:
    """Detectors, unique detectors and these by category in one resample, from the arrays that a run keeps.

    In the paper's convention.
    """
    concepts = len(category_of)
    truths = [[0] * concepts for _ in weights]
    for x in range(len(weights)):
        for at in range(int(truth["starts"][x]), int(truth["starts"][x + 1])):
            truths[x][int(truth["concept"][at])] = int(truth["pixels"][at])
    counted = truth["categories"].tolist()
    units = evidence["contenders"].shape[1]
    labels = []
    for k in range(units):
        held = [int(c) for c in evidence["contenders"][quantile, k] if c >= 0]
        masks = range(
            int(evidence["starts"][quantile * units + k]), int(evidence["starts"][quantile * units + k + 1])
        )
        areas = {int(evidence["image"][e]): int(evidence["activation"][e]) for e in masks}
        met = {}
        for e in masks:
            row = [0] * concepts
            for place, concept in enumerate(held):
                row[concept] = int(evidence["intersection"][e, place])
            met[int(evidence["image"][e])] = row
        _, won, best = resample(list(weights), areas, met, truths, counted, held, category_of)
        labels += [won] if best > threshold else []
    unique = set(labels)
    return (
        len(labels),
        len(unique),
        [sum(category_of[c] == g for c in unique) for g in range(max(category_of) + 1)],
    )


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
