"""Right and wrong predictions counted one by one, and the statistics of shares from their formulas."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

Z = 1.959963984540054


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The shares p whose distance from the one seen is at most Z of their own standard errors."""
    # (seen - p)^2 = Z^2 p (1 - p) / n is a quadratic equation in p
    seen = hits / of
    a, b, c = 1 + Z * Z / of, -(2 * seen + Z * Z / of), seen * seen
    root = math.sqrt(max(b * b - 4 * a * c, 0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def newcombe(hits: int, of: int, base_hits: int, base_of: int) -> tuple[float, float]:
    one, other = hits / of, base_hits / base_of
    (low, high), (base_low, base_high) = wilson(hits, of), wilson(base_hits, base_of)
    return (
        one - other - math.sqrt((one - low) ** 2 + (base_high - other) ** 2),
        one - other + math.sqrt((high - one) ** 2 + (other - base_low) ** 2),
    )


def fisher(hits: int, of: int, base_hits: int, base_of: int) -> tuple[float, float]:
    """Of all ways to hand out the hits: the share with as many among the first or more, and or fewer."""
    all_hits, everyone = hits + base_hits, of + base_of
    ways = {
        k: math.comb(of, k) * math.comb(base_of, all_hits - k)
        for k in range(max(0, all_hits - base_of), min(of, all_hits) + 1)
    }
    whole = math.comb(everyone, all_hits)
    more = sum(count for k, count in ways.items() if k >= hits)
    fewer = sum(count for k, count in ways.items() if k <= hits)
    return float(Fraction(more, whole)), float(Fraction(fewer, whole))


def strongest(
    contribution: Sequence[float], fired: Sequence[bool], detectors: set[int], top: int
) -> list[int]:
    speaking = [k for k in sorted(detectors) if fired[k] and contribution[k] > 0]
    return sorted(speaking, key=lambda k: (-contribution[k], k))[:top]


def confused(
    shown: Sequence[int],
    told: Sequence[int],
    to_told: Array,
    to_shown: Array,
    fired: Array,
    pair: tuple[int, int],
) -> dict[str, Any]:
    """Rates of every unit in the images of one confusion, and what it contributed there; image by image."""
    t, p = pair
    images = range(len(shown))
    here = [i for i in images if (shown[i], told[i]) == (t, p)]
    base = [i for i in images if shown[i] == told[i] == t]
    other = [i for i in images if shown[i] == told[i] == p]
    units = range(fired.shape[1])

    def mean(values: list[float]) -> float:
        return sum(values) / len(values) if values else 0.0

    return {
        "fired": [sum(bool(fired[i, k]) for i in here) for k in units],
        "base": [sum(bool(fired[i, k]) for i in base) for k in units],
        "other": [sum(bool(fired[i, k]) for i in other) for k in units],
        "images": (len(here), len(base), len(other)),
        "for_wrong": [mean([float(to_told[i, k]) - float(to_shown[i, k]) for i in here]) for k in units],
        "missing": [
            mean([float(to_told[i, k]) for i in base]) - mean([float(to_shown[i, k]) for i in here])
            for k in units
        ],
    }


def random_share(held: Sequence[bool], among: Sequence[int], drawn: int) -> Fraction:
    """Mean of how many of `drawn` units hold, over all ways to draw them from some."""
    ways = list(itertools.combinations(among, drawn))
    return Fraction(sum(sum(bool(held[k]) for k in way) for way in ways), len(ways))


def held_share(images: Sequence[tuple[list[int], Sequence[bool], Sequence[int]]]) -> tuple[float, float]:
    """Of the strongest units of images the share that holds, and that of as many at random.

    Each image is (its strongest units, which units hold, those to draw from).
    """
    count = sum(len(units) for units, _, _ in images)
    own = sum(bool(held[k]) for units, held, _ in images for k in units)
    random = sum((random_share(held, among, len(units)) for units, held, among in images), Fraction(0))
    return own / count, float(random / count)


def meets(mask: Array, planes: Array, image_labels: Sequence[int], concept: int) -> bool:
    rows, columns = mask.shape
    inside = [(r, c) for r in range(rows) for c in range(columns) if mask[r, c]]
    if concept in image_labels:
        return bool(inside)
    return any(int(plane[r, c]) == concept + 1 for plane in planes for r, c in inside)


def share_of_resample(held: Array, units: Array, drawn: Array) -> float:
    """A ratio of sums over drawn images."""
    return float(np.sum(held * drawn) / np.sum(units * drawn))
