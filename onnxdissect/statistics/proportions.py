"""Shares of images: Wilson's interval of one, Newcombe's of the difference of two, Fisher's exact tails."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["difference_interval", "tail_probabilities", "wilson_interval"]

_DEVIATIONS = 1.959963984540054  # 97.5 % of a normal distribution lie below


def wilson_interval(hits: ArrayLike, of: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the 95 % score interval of shares (Wilson 1927), which holds its level where counts are small.

    Parameters
    ----------
    hits : array_like of int
        How many there are.
    of : array_like of int
        Of how many, at least 1.

    Returns
    -------
    low, high : ndarray of float64
        With the shares within them.
    """
    n = np.asarray(of, np.float64)
    share = np.asarray(hits, np.float64) / n
    z = _DEVIATIONS
    centre = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    whole = 1 + z * z / n
    # rounding must not leave the share of none, or of all, outside
    low = np.minimum((centre - half) / whole, share)
    high = np.maximum((centre + half) / whole, share)
    return np.maximum(low, 0.0), np.minimum(high, 1.0)


def difference_interval(
    hits: ArrayLike, of: ArrayLike, base_hits: ArrayLike, base_of: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the 95 % interval of the difference of two shares of different images (Newcombe 1998, method 10).

    Parameters
    ----------
    hits, of : array_like of int
        Of the one, as `wilson_interval` takes them.
    base_hits, base_of : array_like of int
        Of the other, which is taken from it.

    Returns
    -------
    low, high : ndarray of float64
    """
    first = np.asarray(hits, np.float64) / np.asarray(of, np.float64)
    second = np.asarray(base_hits, np.float64) / np.asarray(base_of, np.float64)
    low, high = wilson_interval(hits, of)
    base_low, base_high = wilson_interval(base_hits, base_of)
    difference = first - second
    return (
        difference - np.hypot(first - low, base_high - second),
        difference + np.hypot(high - first, second - base_low),
    )


def tail_probabilities(
    hits: ArrayLike, of: ArrayLike, base_hits: ArrayLike, base_of: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tell how often chance gives as many hits, or as few, were both shares the same (Fisher 1935, exact).

    Given how many hits there are in both together, hits among the first are hypergeometric.

    Parameters
    ----------
    hits, of : array_like of int
        Of the one.
    base_hits, base_of : array_like of int
        Of the other.

    Returns
    -------
    more, fewer : ndarray of float64
        Probability of as many hits or more among the first, and of as many or fewer.
    """
    found, n, other, m = np.broadcast_arrays(
        *(np.asarray(one, np.int64)[..., None] for one in (hits, of, base_hits, base_of))
    )
    all_hits = found + other
    k = np.arange(n.max(initial=0) + 1)
    possible = (k <= n) & (k <= all_hits) & (all_hits - k <= m)
    kept = np.where(possible, k, np.maximum(all_hits - m, 0))
    log_ways = _log_ways(n, kept) + _log_ways(m, all_hits - kept) - _log_ways(n + m, all_hits)
    chances = np.where(possible, np.exp(log_ways), 0.0)
    more, fewer = ((chances * which).sum(axis=-1) for which in (k >= found, k <= found))
    return np.minimum(more, 1.0), np.minimum(fewer, 1.0)


def _log_ways(of: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Logarithm of the ways to choose some of a number of things."""
    # Imported here: finished runs are read without. scipy.stats has the distribution, and takes a second.
    from scipy.special import gammaln

    ways: NDArray[np.float64] = gammaln(of + 1) - gammaln(chosen + 1) - gammaln(of - chosen + 1)
    return ways
