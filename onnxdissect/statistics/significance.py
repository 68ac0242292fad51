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

# Added to all scores, so that those of 0 and nearly 0 do not decide the spread of the logarithms.
_SCORE = 1e-4
# How many fits to drawn samples tell how uncertain a fit is, and the seed of these samples.
_FITS = 10_000
_DRAWN_BY = 1711_05611
# The share of shuffled surprises that the tail is fitted to, and how many of them there should be.
_TAIL = 0.1
_FEWEST = 20


def pooled_p_values(observed: NDArray[np.float64], shuffled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the chance of so large a surprise for units that have nothing to do with what images show.

    Surprises can be compared from unit to unit. So those of all units of the layer after all shuffles are
    one sample of what chance does: N values, of which the largest tenth, m values, are its tail. Below the
    tail a p-value is the share of the sample that is at least as large. In the tail, excesses over the
    largest value below it, u, are taken to be exponential. Their mean b is estimated from the m excesses,
    and with an estimated mean the excess of a further value has a Lomax distribution:

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
    """P-values of a unit's best IoU from its own few shuffles: for runs whose shuffles kept nothing else.

    The best of many concepts is a largest value, and under shuffling IoUs spread in proportion to their
    size. So their logarithm is taken to follow Gumbel's distribution, with place and width fitted by moments.
    A fit to few shuffles is itself uncertain. Therefore a p-value is averaged over the fits that as many
    draws from one Gumbel distribution give. If the distribution is Gumbel's, that is exact, whatever its
    place and width.

    Parameters
    ----------
    shuffles : int
        How many there are, at least 2.

    Attributes
    ----------
    shuffles : int
        As it was given.
    """

    def __init__(self, shuffles: int) -> None:
        if shuffles < 2:
            raise ValueError(f"{shuffles} shuffles do not show a spread")
        self.shuffles = shuffles
        raw = np.random.Philox(key=np.array([_DRAWN_BY, shuffles], np.uint64)).random_raw(_FITS * shuffles)
        uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        sample = -np.log(-np.log(uniform)).reshape(_FITS, shuffles)
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
        if shuffled.shape != (self.shuffles, *observed.shape):
            raise ValueError(f"{shuffled.shape} is not {self.shuffles} times {observed.shape}")
        score, chance = np.log(observed + _SCORE), np.log(shuffled + _SCORE)
        mean, spread = chance.mean(axis=0), chance.std(axis=0, ddof=1)
        # Equal logarithms may differ from their mean by rounding.
        same = spread < 1e-12
        distance = np.where(same, np.where(score > mean + 1e-12, np.inf, -np.inf), score - mean)
        np.divide(distance, spread, out=distance, where=~same)
        p: NDArray[np.float64] = np.exp(np.interp(distance, self._distances, self._shares))
        return np.where(same & (distance < 0), 1.0, p)
