"""Means over the seeds with intervals over the images, and what may be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from onnxdissect.statistics.paired_counts import interval_around
from page.evidence import Counted

__all__ = [
    "AGREES",
    "DISAGREES",
    "OPEN",
    "TOO_FEW",
    "UNDECIDED",
    "Estimate",
    "alike_verdict",
    "difference_of",
    "mean_of",
    "verdict_of",
]

AGREES, DISAGREES, OPEN = "agrees", "disagrees", "cannot be told apart"
UNDECIDED = "cannot be told"
"""Of numbers published as alike: whether they are. That they differ somewhat may well be told."""
TOO_FEW = "cannot be asked: too few detectors"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over the trainings.

    Attributes
    ----------
    value : float
    low, high : float
        95 % interval of it over resampled images, all trainings counted in the same resamples.
    seeds : tuple of float
        What each training gives.
    """

    value: float
    low: float
    high: float
    seeds: tuple[float, ...]


def mean_of(counted: Sequence[Counted], least: float = 0.0, most: float = inf) -> Estimate:
    """Average a number over the seeds.

    Parameters
    ----------
    counted : sequence of Counted
        One per seed.
    least, most : float
        No end of the interval goes beyond.

    Returns
    -------
    Estimate
    """
    values = tuple(one.value for one in counted)
    value = float(np.mean(values))
    resampled = np.mean([one.resampled for one in counted], axis=0)
    low, high = interval_around(value, resampled, least, most)
    return Estimate(value, low, high, values)


def difference_of(first: Sequence[Counted], second: Sequence[Counted], most: float = inf) -> Estimate:
    """Average over the seeds by how much the second number is larger than the first of the same seed.

    Parameters
    ----------
    first, second : sequence of Counted
        One per seed.
    most : float
        No end of the interval is further from 0: 1 for shares.

    Returns
    -------
    Estimate
    """
    return mean_of([b - a for a, b in zip(first, second, strict=True)], -most, most)


def verdict_of(difference: Estimate, published: int) -> str:
    """Compare the sign of a difference with the published one.

    Parameters
    ----------
    difference : Estimate
    published : {-1, 1}
        The published sign.

    Returns
    -------
    str
        `AGREES` if the interval leaves zero out on the published side and every seed lies on that side;
        `DISAGREES` if so on the other side; `OPEN` otherwise.
    """
    for sign, word in ((published, AGREES), (-published, DISAGREES)):
        end = difference.low if sign > 0 else difference.high
        if sign * end > 0 and all(sign * value > 0 for value in difference.seeds):
            return word
    return OPEN


def alike_verdict(differences: Sequence[Estimate], margin: float) -> str:
    """Say whether all differences are small.

    That an interval holds 0 does not show that two numbers are alike: a wide one always does. It has to lie
    where differences are small.

    Parameters
    ----------
    differences : sequence of Estimate
    margin : float
        What is small, on either side of 0.

    Returns
    -------
    str
        `AGREES` if all intervals lie between -margin and margin; `DISAGREES` if some interval lies beyond;
        `UNDECIDED` otherwise.
    """
    if all(-margin <= one.low and one.high <= margin for one in differences):
        return AGREES
    if any(one.low > margin or one.high < -margin for one in differences):
        return DISAGREES
    return UNDECIDED
