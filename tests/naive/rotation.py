"""What is left of unique detectors along rotations, literally: lists, loops and fractions.

Imports nothing from the package: whatever both agree on was written twice.
"""

from __future__ import annotations

import math
import statistics
from fractions import Fraction


def spread(counts: list[int]) -> tuple[float, float, int, int]:
    """Mean, standard deviation of a sample, smallest and largest."""
    sd = statistics.stdev(counts) if len(counts) > 1 else 0.0
    return statistics.fmean(counts), sd, min(counts), max(counts)


def half_life(alphas: list[Fraction], means: list[Fraction]) -> Fraction | None:
    """The smallest alpha of the broken line at which it is at half of its first value."""
    if means[0] == 0:
        return None
    crossings = []
    for (a, one), (b, other) in zip(
        zip(alphas, means, strict=True), list(zip(alphas, means, strict=True))[1:], strict=False
    ):
        if min(one, other) <= means[0] / 2 <= max(one, other):
            slope = (other - one) / (b - a)
            crossings.append(a if slope == 0 else a + (means[0] / 2 - one) / slope)
    return min(crossings, default=None)


def interval(value: Fraction, resampled: list[Fraction], most: int) -> tuple[Fraction, Fraction]:
    """The middle 95 % of the resamples, moved from around their median to around a value."""
    ordered, last = sorted(resampled), len(resampled) - 1
    low = ordered[math.floor(Fraction(25, 1000) * last)]
    high = ordered[math.ceil(Fraction(975, 1000) * last)]
    middle = ordered[math.ceil(Fraction(len(ordered), 2)) - 1]
    return max(Fraction(0), value + low - middle), min(Fraction(most), value + high - middle)


def fall_interval(
    share: Fraction, first: list[Fraction], last: list[Fraction]
) -> tuple[Fraction, Fraction] | None:
    """The same for the share that is lost, resample by resample; None where one has nothing to lose."""
    if 0 in first:
        return None
    shares = [1 - b / a for a, b in zip(first, last, strict=True)]
    ordered, end = sorted(shares), len(shares) - 1
    low = ordered[math.floor(Fraction(25, 1000) * end)]
    high = ordered[math.ceil(Fraction(975, 1000) * end)]
    middle = ordered[math.ceil(Fraction(len(ordered), 2)) - 1]
    return share + low - middle, min(Fraction(1), share + high - middle)


def unique(
    winners: list[tuple[int, float]], threshold: float, category_of: list[int], categories: int
) -> list[int]:
    """Different winners of one resample whose IoU exceeds the threshold: all, then of each category."""
    found = {won for won, best in winners if best > threshold}
    return [len(found), *(sum(category_of[won] == g for won in found) for g in range(categories))]
