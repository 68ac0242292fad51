"""Two layers held against each other, literally: lists, loops, fractions, and every way to draw labels.

Imports nothing from the package: whatever both agree on was written twice.
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from naive.statistics import resample

Counts = tuple[int, int, list[int]]


def spread_below(place: Fraction, resampled: list[int]) -> Fraction:
    """How many lie below, each of them spread evenly over the step of a count around it."""
    found = Fraction(0)
    for one, often in Counter(resampled).items():
        start = one - Fraction(1, 2)
        if place >= start + 1:
            found += often
        elif place > start:
            found += often * (place - start)
    return found


def bends(resampled: list[int]) -> list[tuple[Fraction, Fraction]]:
    """All places where the number of those below begins or ends to grow, with that number."""
    places = {one + side for one in resampled for side in (Fraction(-1, 2), Fraction(1, 2))}
    return [(place, spread_below(place, resampled)) for place in sorted(places)]


def between(one: tuple[Fraction, Fraction], other: tuple[Fraction, Fraction], number: Fraction) -> Fraction:
    return one[0] + (other[0] - one[0]) * (number - one[1]) / (other[1] - one[1])


def first_place(number: Fraction, resampled: list[int]) -> Fraction:
    """The first place that so many lie below, along the line through the bends."""
    told = bends(resampled)
    return next(between(a, b, number) for a, b in itertools.pairwise(told) if a[1] < number <= b[1])


def last_place(number: Fraction, resampled: list[int]) -> Fraction:
    """The last place that no more than so many lie below: the first seen from the other end."""
    return -first_place(len(resampled) - number, [-one for one in resampled])


def middle(resampled: list[int]) -> Fraction:
    half = Fraction(len(resampled), 2)
    return (first_place(half, resampled) + last_place(half, resampled)) / 2


def p_value(difference: Fraction, value: int, resampled: list[int]) -> Fraction:
    """Two-sided, of the true difference being this one: as far on either side of the resamples' median."""
    below = spread_below(middle(resampled) - (value - difference), resampled)
    above = len(resampled) - below
    return min(Fraction(1), Fraction(2 * (1 + min(below, above))) / (1 + len(resampled)))


def difference(
    counted: tuple[int, int], first: list[int], second: list[int]
) -> tuple[int, Fraction, Fraction, Fraction]:
    """Value, interval and p-value: between the ends lies what the test does not reject at 0.05."""
    resampled = [b - a for a, b in zip(first, second, strict=True)]
    value = counted[1] - counted[0]
    if value == 0 and set(resampled) == {0}:
        return 0, Fraction(0), Fraction(0), Fraction(1)
    # twice one and so many of one more than all resamples is one in twenty
    beyond = Fraction(len(resampled) + 1, 40) - 1
    low = value - middle(resampled) + last_place(beyond, resampled)
    high = value - middle(resampled) + first_place(len(resampled) - beyond, resampled)
    return value, low, high, p_value(Fraction(0), value, resampled)


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
