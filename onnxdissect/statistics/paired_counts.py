"""Counts that lean high in every resample: their intervals, and whether two of them differ.

A resample holds fewer different images than there are. In it more units pass the threshold by luck, so that
counts of detectors lean high. Only how far they spread around their median is used, and laid around the
count in the images themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEWEST_RESAMPLES", "CountDifference", "count_difference", "interval_around"]

FEWEST_RESAMPLES = 39
"""With fewer, no two-sided p-value is as small as 0.05, and no interval of 95 % leaves anything out."""

_LEVELS = (0.025, 0.975)
# One in so many resamples lies beyond either end of an interval.
_BEYOND = 40
_HALF = Fraction(1, 2)


def interval_around(value: float, resampled: NDArray[Any], least: float, most: float) -> tuple[float, float]:
    """Lay the middle 95 % of the resamples around a value, from around their median.

    Parameters
    ----------
    value : float
        In the images themselves.
    resampled : ndarray, shape (B,)
        The same in each resample.
    least, most : float
        No end goes beyond.

    Returns
    -------
    (float, float)
    """
    low = np.quantile(resampled, _LEVELS[0], method="lower").item()
    middle = np.quantile(resampled, 0.5, method="inverted_cdf").item()
    high = np.quantile(resampled, _LEVELS[1], method="higher").item()
    return max(least, value + low - middle), min(most, value + high - middle)


@dataclass(frozen=True, slots=True)
class CountDifference:
    """How much larger the second of two counts is, and how certain that is.

    Attributes
    ----------
    value : int
        In the images themselves.
    low, high : float
        95 % interval, whose ends are where the p-value of the difference being that is 0.05.
    p_value : float
        Two-sided, of there being no difference. Above 0.05 only where the interval holds 0; at most 0.05
        wherever 0 lies outside, or on an end.
    """

    value: int
    low: float
    high: float
    p_value: float


def count_difference(
    counted: tuple[int, int], first: NDArray[np.int64], second: NDArray[np.int64]
) -> CountDifference:
    """Compare two counts that were made in the same resamples of the same images.

    A count is a whole number, and what it is on average over other images is not. So each of the B resampled
    differences stands for the whole step around it: S(x) is how many of them lie below x where each is spread
    evenly from half a count less to half a count more. At a whole number it holds those below and half of
    those that are equal, as a mid-p-value does (Lancaster 1961; quantiles: Ma, Genton and Parzen 2011).
    With d the difference in the images and m the median, S(m) = B / 2, the p-value is twice the smaller
    share, of the B resamples and the images themselves, that lies as far from m, on the one side or on the
    other, as no difference lies from d:

        p = 2 / (1 + B) * (1 + min(S(m - d), B - S(m - d))),  1 at most

    The interval holds the differences that this test does not reject. Exchanging the two counts changes signs
    and nothing else. Two counts that are the same in the images and in every resample differ by 0, from 0 to
    0; any other interval is 0.95 of a count wide or wider.

    Parameters
    ----------
    counted : (int, int)
        In the images themselves.
    first, second : ndarray of int64, shape (B,)
        In each resample. B is at least `FEWEST_RESAMPLES`.

    Returns
    -------
    CountDifference
    """
    value = counted[1] - counted[0]
    resampled = second - first
    if value == 0 and not resampled.any():
        return CountDifference(0, 0.0, 0.0, 1.0)
    spread = _SpreadCounts(resampled)
    size = resampled.size
    half = Fraction(size, 2)
    # where no resample lies around the middle, no side is preferred
    middle = (spread.reached(half) + spread.passed(half)) / 2
    below = spread.below(middle - value)
    # As many resamples beyond either end give a p-value of 0.05.
    beyond = Fraction(size + 1, _BEYOND) - 1
    return CountDifference(
        value,
        float(value + spread.passed(beyond) - middle),
        float(value + spread.reached(size - beyond) - middle),
        float(min(Fraction(1), 2 * (1 + min(below, size - below)) / (1 + size))),
    )


class _SpreadCounts:
    """Whole numbers, each spread evenly from half a unit less to half a unit more; reckoned exactly.

    Parameters
    ----------
    numbers : ndarray of int64, shape (B,)
    """

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        values, often = np.unique(numbers, return_counts=True)
        self._values: list[int] = values.tolist()
        self._often: list[int] = often.tolist()
        self._until: list[int] = often.cumsum().tolist()

    def below(self, place: Fraction) -> Fraction:
        """Tell how many lie below a place."""
        return sum(
            (
                often * min(Fraction(1), max(Fraction(0), place - value + _HALF))
                for value, often in zip(self._values, self._often, strict=True)
            ),
            Fraction(0),
        )

    def reached(self, number: Fraction) -> Fraction:
        """Find the first place that so many lie below; more than 0 of them."""
        return self._place(next(i for i, until in enumerate(self._until) if until >= number), number)

    def passed(self, number: Fraction) -> Fraction:
        """Find the last place that no more than so many lie below; fewer than all."""
        return self._place(next(i for i, until in enumerate(self._until) if until > number), number)

    def _place(self, i: int, number: Fraction) -> Fraction:
        before = self._until[i] - self._often[i]
        return self._values[i] - _HALF + (number - before) / self._often[i]
