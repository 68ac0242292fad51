"""Unique detectors against the share of a rotation: means and spreads over seeds, fall and half-life."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.rotation.records import (
    CurveValue,
    Fall,
    FollowedConcept,
    RotationCurve,
    RotationPoint,
    Spread,
)
from onnxdissect.statistics.paired_counts import interval_around

__all__ = [
    "NO_INTERVALS",
    "CurveIntervals",
    "Interval",
    "ValueIntervals",
    "curve_intervals",
    "half_life",
    "make_curve",
]

Interval = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ValueIntervals:
    """95 % intervals of the means over seeds of one curve value.

    Attributes
    ----------
    unique : (float, float) or None
        Of all categories together; None without a bootstrap.
    by_category : mapping of str to ((float, float) or None)
        Categories that are missing have none.
    """

    unique: Interval
    by_category: Mapping[str, Interval]


NO_INTERVALS = ValueIntervals(None, {})
"""Of a run without a bootstrap."""


@dataclass(frozen=True, slots=True)
class CurveIntervals:
    """95 % intervals of a curve.

    Attributes
    ----------
    values : sequence of ValueIntervals
        One per alpha.
    directions : ValueIntervals
        Of the random directions.
    fall : (float, float) or None
        Of the share that is lost; None without a bootstrap, or where a resample has nothing to lose.
    """

    values: Sequence[ValueIntervals]
    directions: ValueIntervals
    fall: Interval


def make_curve(
    points: Sequence[RotationPoint],
    alphas: Sequence[float],
    intervals: CurveIntervals,
    permutation_differences: Sequence[str],
    concepts: Sequence[FollowedConcept],
) -> RotationCurve:
    """Bring the points of one layer at one quantile together.

    Parameters
    ----------
    points : sequence of RotationPoint
        All of the layer at the quantile.
    alphas : sequence of float
        Ascending from 0 to 1.
    intervals : CurveIntervals
        Of what is made of them.
    permutation_differences : sequence of str
    concepts : sequence of FollowedConcept

    Returns
    -------
    RotationCurve
    """
    values = []
    for alpha, found in zip(alphas, intervals.values, strict=True):
        at = [p for p in points if p.kind in ("own", "rotation") and p.alpha == alpha]
        values.append(_value(alpha, at, found))
    means = [value.unique.mean for value in values]
    share = 1 - means[-1] / means[0] if means[0] else None
    low, high = intervals.fall or (None, None)
    return RotationCurve(
        layer=points[0].layer,
        quantile=points[0].quantile,
        values=tuple(values),
        fall=None if share is None else Fall(share, low, high),
        half_life=half_life(alphas, means),
        permutation_differences=tuple(permutation_differences),
        directions=_value(None, [p for p in points if p.kind == "directions"], intervals.directions),
        concepts=tuple(concepts),
    )


def half_life(alphas: Sequence[float], means: Sequence[float]) -> float | None:
    """Find the smallest alpha at which half of what there is at the first is gone.

    Parameters
    ----------
    alphas : sequence of float
        Ascending.
    means : sequence of float
        Unique detectors at each; straight lines between them.

    Returns
    -------
    float or None
        None if that never happens, or there is nothing at the first.
    """
    half = means[0] / 2
    if not half:
        return None
    for i in range(1, len(means)):
        if means[i] <= half:
            passed = (means[i - 1] - half) / (means[i - 1] - means[i])
            return alphas[i - 1] + passed * (alphas[i] - alphas[i - 1])
    return None


def curve_intervals(
    turned: NDArray[np.int64],
    directions: NDArray[np.int64],
    counted: tuple[NDArray[np.int64], NDArray[np.int64]],
    units: int,
    categories: Sequence[str],
) -> CurveIntervals:
    """Find the intervals of a curve in resampled counts of unique detectors.

    A resample holds fewer different images than there are. In it more units pass the threshold by luck, so
    counts lean high; as in the run's own intervals only how far they spread around their median is used. The
    seeds are counted in the same resamples, and so are both ends of the fall: what resampling does to all of
    them alike does not widen the interval.

    Parameters
    ----------
    turned : ndarray of int64, shape (alphas, seeds, 1 + G, B)
        Unique detectors in each of B resamples: first of all categories together, then of each.
    directions : ndarray of int64, shape (seeds, 1 + G, B)
        Likewise, of the random directions.
    counted : (ndarray of int64, ndarray of int64)
        The same in the images themselves, without the last axis.
    units : int
        How many the layer has; no interval goes beyond.
    categories : sequence of str
        G.

    Returns
    -------
    CurveIntervals
    """
    seeds = turned.shape[1]
    values = [
        _intervals(resampled.sum(axis=0), own.sum(axis=0), seeds, units, categories)
        for resampled, own in zip(turned, counted[0], strict=True)
    ]
    baseline = _intervals(directions.sum(axis=0), counted[1].sum(axis=0), seeds, units, categories)
    first, last = turned[0, :, 0].sum(axis=0), turned[-1, :, 0].sum(axis=0)
    own, left = int(counted[0][0, :, 0].sum()), int(counted[0][-1, :, 0].sum())
    fall = None
    if own and first.all():
        fall = interval_around(1 - left / own, 1 - last / first, -math.inf, 1.0)
    return CurveIntervals(values, baseline, fall)


def _intervals(
    resampled: NDArray[np.int64], own: NDArray[np.int64], seeds: int, units: int, categories: Sequence[str]
) -> ValueIntervals:
    """Find intervals of means from sums over the seeds, shapes (1 + G, B) and (1 + G,)."""
    # Whole numbers are divided last: the mean of equal counts has the interval that each of them has.
    ends = [
        interval_around(int(count), of_resamples, 0, units * seeds)
        for count, of_resamples in zip(own, resampled, strict=True)
    ]
    found = [(low / seeds, high / seeds) for low, high in ends]
    return ValueIntervals(found[0], dict(zip(categories, found[1:], strict=True)))


def _value(alpha: float | None, points: Sequence[RotationPoint], intervals: ValueIntervals) -> CurveValue:
    by_category = {
        category: _spread([p.unique[category] for p in points], intervals.by_category.get(category))
        for category in points[0].unique
    }
    return CurveValue(alpha, _spread([p.unique_detectors for p in points], intervals.unique), by_category)


def _spread(counts: Sequence[int], interval: Interval) -> Spread:
    # In whole numbers as long as possible: the same on every machine.
    n, total = len(counts), sum(counts)
    variance = (n * sum(count * count for count in counts) - total * total) / (n * (n - 1)) if n > 1 else 0.0
    low, high = interval or (None, None)
    return Spread(total / n, math.sqrt(variance), min(counts), max(counts), low, high)
