"""P-values of what units score, made of what they score after shuffles.

The distributions are SciPy's `lomax` and `gumbel_r`. Their formulas stand here all the same: SciPy rounds the
last bit otherwise than the p-values that runs have on file, and `scipy.stats` takes most of a second to load.
Tests compare both.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["GumbelNull", "pooled_p_values"]

# Scores below it are as good as none: the logarithm of 0 must not set the spread.
_SCORE = 1e-4
# Fits to drawn samples, by which the uncertainty of a fit is known, and what they are drawn by.
_FITS = 10_000
_DRAWN_BY = 1711_05611
# The share of shuffled surprises that the tail is fitted to, and how many of them there should be.
_TAIL = 0.1
_FEWEST = 20


def pooled_p_values(observed: NDArray[np.float64], shuffled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell how often units that have nothing to do with what images show are as surprising.

    Surprises are alike from unit to unit, so all units of the layer at all shuffles are one sample of what
    chance does: N values. Up to the largest tenth of them, m values, a p-value is the share of the sample
    that is as large. Beyond, excesses over the m+1-th largest, u, follow an exponential distribution, whose
    mean b the m excesses give. That is an estimate, so that another value exceeds it as often as a ratio of
    two gamma variables says, not an exponential one:

        p(s) = m / N * (1 + (s - u) / (m b)) ** -m

    Parameters
    ----------
    observed : ndarray of float64, shape (units,)
        Surprise of each unit, at least 0.
    shuffled : ndarray of float64, shape (shuffles, units)
        The same after each shuffle.

    Returns
    -------
    ndarray of float64, shape (units,)
        Units that are never surprising are left out of the sample, and are given 1.
    """
    if shuffled.ndim != 2 or shuffled.shape[1:] != observed.shape:
        raise ValueError(f"{shuffled.shape} is not shuffles of {observed.shape}")
    met = (observed > 0) | (shuffled > 0).any(axis=0)
    p = np.ones(observed.shape, np.float64)
    if not met.any():
        return p
    sample = np.sort(shuffled[:, met], axis=None)
    size = sample.size
    reached = size - np.searchsorted(sample, observed[met], side="left")
    shares = (1 + reached) / (1 + size)
    tail = min(max(math.ceil(_TAIL * size), _FEWEST), size - 1)
    start = sample[size - 1 - tail]
    excess = float((sample[size - tail :] - start).mean())
    if excess > 0:
        beyond = observed[met] > start
        distance = (observed[met][beyond] - start) / (tail * excess)
        shares[beyond] = tail / size * np.exp(-tail * np.log1p(distance))
    p[met] = np.maximum(shares, np.finfo(np.float64).tiny)
    return p


class GumbelNull:
    """How often chance alone would reach a score, judged from a few shuffles: for runs that kept IoUs alone.

    The best of many concepts is a largest value, and scores under shuffling spread in proportion to their
    size: their logarithm is taken to follow Gumbel's distribution, whose place and width are fitted by
    moments. A fit to few shuffles is itself uncertain. So a p-value is averaged over the fits that equally
    many draws from one Gumbel distribution give, which makes it exact if the distribution is Gumbel's,
    whatever its place and width.

    Parameters
    ----------
    permutation_null : int
        How many, at least 2.

    Attributes
    ----------
    permutation_null : int
        How many.
    """

    def __init__(self, permutation_null: int) -> None:
        if permutation_null < 2:
            raise ValueError(f"{permutation_null} shuffles do not show a spread")
        self.permutation_null = permutation_null
        raw = np.random.Philox(key=np.array([_DRAWN_BY, permutation_null], np.uint64)).random_raw(
            _FITS * permutation_null
        )
        uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        sample = -np.log(-np.log(uniform)).reshape(_FITS, permutation_null)
        means, spreads = sample.mean(axis=1), sample.std(axis=1, ddof=1)
        # Between these distances the logarithm of the share is close to straight.
        self._distances = np.concatenate([np.linspace(-6, 12, 37), np.geomspace(12.5, 4000, 24)])
        shares = [-np.expm1(-np.exp(-(means + at * spreads))).mean() for at in self._distances]
        self._shares = np.log(np.maximum(shares, np.finfo(np.float64).tiny))

    def p_values(self, observed: NDArray[np.float64], shuffled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the p-value of each unit.

        Parameters
        ----------
        observed : ndarray of float64, any shape
            Best score of each unit.
        shuffled : ndarray of float64, shape (shuffles, ...)
            The same after each shuffle.

        Returns
        -------
        ndarray of float64, same shape as `observed`
            1 where the score is no better than that of every shuffle, and they are all alike.
        """
        if shuffled.shape != (self.permutation_null, *observed.shape):
            raise ValueError(f"{shuffled.shape} is not {self.permutation_null} times {observed.shape}")
        score, chance = np.log(observed + _SCORE), np.log(shuffled + _SCORE)
        mean, spread = chance.mean(axis=0), chance.std(axis=0, ddof=1)
        # Equal logarithms may differ from their mean by rounding.
        same = spread < 1e-12
        distance = np.where(same, np.where(score > mean + 1e-12, np.inf, -np.inf), score - mean)
        np.divide(distance, spread, out=distance, where=~same)
        p: NDArray[np.float64] = np.exp(np.interp(distance, self._distances, self._shares))
        return np.where(same & (distance < 0), 1.0, p)
