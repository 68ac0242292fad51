"""Counts that lean high in every resample: their intervals, and whether two of them differ.

A resample holds fewer different images than there are. In it more units pass the threshold by luck, so that
counts of detectors lean high. Only how far they spread around their median is used, and laid around the
count in the images themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEWEST_RESAMPLES", "CountDifference", "count_difference", "interval_around"]

FEWEST_RESAMPLES = 39
"""With fewer, no two-sided p-value is as small as 0.05, and no interval of 95 % leaves anything out."""

_LEVELS = (0.025, 0.975)
# One in so many resamples lies beyond either end of an interval.
_BEYOND = 40


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
        95 % interval: whole or half numbers.
    p_value : float
        Two-sided, of there being no difference. At most 0.05 exactly where the interval does not hold 0.
    """

    value: int
    low: float
    high: float
    p_value: float


def count_difference(
    counted: tuple[int, int], first: NDArray[np.int64], second: NDArray[np.int64]
) -> CountDifference:
    """Compare two counts that were made in the same resamples of the same images.

    With d the difference in the images, d_1 to d_B those in the resamples and m their median, the p-value is
    twice the smaller share, of the B resamples and the images themselves, that lies as far from m, on the one
    side or on the other, as no difference lies from d: of d_b <= m - d, or of d_b >= m - d. The ends of the
    interval are the outermost differences that this test does not reject. Exchanging the two counts changes
    signs and nothing else.

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
    resampled = np.sort(second - first)
    size = resampled.size
    value = counted[1] - counted[0]
    # Of an even number both middle ones count, so that no side is preferred.
    middle = int(resampled[(size - 1) // 2] + resampled[size // 2]) / 2
    none = middle - value
    below = int(np.searchsorted(resampled, none, side="right"))
    above = size - int(np.searchsorted(resampled, none, side="left"))
    beyond = (size + 1) // _BEYOND - 1
    return CountDifference(
        value,
        value + int(resampled[beyond]) - middle,
        value + int(resampled[size - 1 - beyond]) - middle,
        min(1.0, 2 * (1 + min(below, above)) / (1 + size)),
    )
