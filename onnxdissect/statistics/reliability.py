"""Which detectors other images of the same kind may be expected to show again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.groups import FEW_GROUPS
from onnxdissect.statistics.corrections import false_discovery_rates

__all__ = ["FALSE_RELIABLE", "RARE", "STABLE", "SampleSize", "fewest_resamples", "reliable_units"]

STABLE = 0.99
"""A label is stable if it wins in more than this share of the resamples.

It is to win on other images of the same kind, and that asks for more: not only these deviate by chance from
what is true of all such images, but those at hand do too. A label that is ahead of its rival by z standard
errors wins in Phi(z) of the resamples, but only in Phi(z / sqrt(2)) of other samples. So 99 % of the
resamples stand for 95 % of other samples. 90 % would stand for 82 %, and reliable detectors are to keep their
label in nine cases of ten.
"""

FALSE_RELIABLE = 0.05
"""Of the reliable detectors of a layer, this share may have a true IoU that is not above the threshold."""

RARE = 10
"""A concept is rare if fewer images than this hold it."""

# Between the ends of a 95 % interval of a normal distribution.
_DEVIATIONS = 2 * 1.96

# An end of a 95 % interval is passed by one resample in forty.
_FOR_AN_INTERVAL = 40


@dataclass(frozen=True, slots=True)
class SampleSize:
    """How much resampling had to go by.

    Attributes
    ----------
    resamples : int
        How many were drawn.
    drawn_from : float
        How many images each is drawn from; where whole groups are drawn, how many groups of equal size would
        be as good.
    grouped : bool
        Whether groups were drawn.
    """

    resamples: int
    drawn_from: float
    grouped: bool = False

    def lack(self, stable: float = STABLE) -> str:
        """Say what there is too little of for any detector to be reliable.

        Parameters
        ----------
        stable : float
            What stabilities must exceed.

        Returns
        -------
        str
            With what would help; empty if there is enough.
        """
        if self.drawn_from < FEW_GROUPS:
            what = (
                f"groups worth {self.drawn_from:.3g} of equal size cannot show what other groups"
                if self.grouped
                else f"{self.drawn_from:.0f} images cannot show what others"
            )
            more = "groups" if self.grouped else "images"
            return f"{what} would give, and it takes {FEW_GROUPS}: more {more} would help"
        if self.resamples < fewest_resamples(stable):
            return (
                f"a label that wins in less than {100 * stable:.4g} % of many resamples can win in all of "
                f"{self.resamples:,} by luck, and it takes {fewest_resamples(stable)}: --bootstrap 1000 tells"
            )
        return ""


def fewest_resamples(stable: float = STABLE) -> int:
    """Tell how many resamples show that a label is stable.

    If a label won in the share `stable` of all possible resamples, it would win in all of B with the
    probability ``stable ** B``. With fewer than so many that this is 5 %, not even a label that always wins
    is known to be stable. And the ends of a 95 % interval take 40.

    Parameters
    ----------
    stable : float
        What stabilities must exceed.

    Returns
    -------
    int
        299 for 0.99.
    """
    if not 0 < stable < 1:
        return _FOR_AN_INTERVAL
    return max(_FOR_AN_INTERVAL, math.ceil(math.log(0.05) / math.log(stable)))


def reliable_units(
    iou: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    stability: NDArray[np.float64],
    iou_threshold: float,
    stable: float = STABLE,
    *,
    size: SampleSize,
) -> NDArray[np.bool_]:
    """Tell which units of a layer are reliable detectors.

    The IoU of a reliable detector exceeds the threshold, as the paper asks of a detector, and so does the
    lower end of its interval. Its label wins in so many resamples that it can be expected to win on other
    images. And since among many units some exceed a threshold by luck, each detector is tested for a true
    IoU that does not, with a correction for the number of tests (Benjamini and Hochberg 1995).
    ``benchmarks/replication.py`` measures how many of these detectors other images show again.

    Parameters
    ----------
    iou : ndarray of float64, shape (K,)
        Of the labels of a layer's units at one quantile.
    low, high : ndarray of float64, shape (K,)
        Ends of the 95 % intervals; NaN where they are not known.
    stability : ndarray of float64, shape (K,)
        Share of resamples in which the label wins; NaN where it is not known.
    iou_threshold : float
        What the IoU and the lower end must exceed.
    stable : float
        What the stability must exceed.
    size : SampleSize
        What intervals and stabilities were made of. Of too few images, groups or resamples they are better
        than they should be, so that then nothing is reliable.

    Returns
    -------
    ndarray of bool, shape (K,)
        False where something is not known.
    """
    if size.lack(stable):
        return np.zeros(iou.shape, np.bool_)
    detectors = iou > iou_threshold
    rates = np.ones(iou.shape)
    rates[detectors] = false_discovery_rates(
        _p_values(iou[detectors], low[detectors], high[detectors], iou_threshold)
    )
    certain = (low > iou_threshold) & (rates <= FALSE_RELIABLE)
    return np.asarray(detectors & certain & (stability > stable), np.bool_)


def _p_values(
    iou: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], iou_threshold: float
) -> NDArray[np.float64]:
    """Test for each detector that its true IoU is at most the threshold.

    The logarithm of an IoU is taken to be normal, with a standard error that follows from the interval. If
    the interval is not known, or reaches down to 0, there is none, and the p-value is 1. If it has no width,
    there is no doubt, and the p-value is 0.
    """
    known = (low > 0) & (high >= low)
    p = np.ones(iou.size)
    error = (np.log(high[known]) - np.log(low[known])) / _DEVIATIONS
    with np.errstate(divide="ignore"):
        # The logarithm of a threshold of 0 lies infinitely far below that of any IoU.
        distance = np.log(iou[known]) - np.log(iou_threshold)
        deviate = distance / error
    # Imported here: it takes a tenth of a second, and finished runs are read without.
    from scipy.special import ndtr

    p[known] = ndtr(-deviate)
    return p
