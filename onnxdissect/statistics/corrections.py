"""What becomes of p-values when there are many of them: Holm's correction, Benjamini's and Hochberg's rates.

SciPy has no Holm. Its `scipy.stats.false_discovery_control` gives the rates of Benjamini and Hochberg, but in
every third case rounds the last bit otherwise than the rates that runs have on file. A test compares both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["FALSE_DISCOVERIES", "false_discovery_rates", "holm"]

FALSE_DISCOVERIES = 0.05
"""Of the detectors that are counted as found beyond chance, this share may be false."""


def holm(p: NDArray[np.float64] | Sequence[float]) -> NDArray[np.float64]:
    """Adjust p-values so that even one false alarm among all tests is as rare as the level says (Holm 1979).

    With the p-values in ascending order, p_1 to p_m, the i-th becomes the largest of (m - j + 1) p_j over all
    j up to i, and 1 at most.

    Parameters
    ----------
    p : ndarray of float64 or sequence of float, shape (tests,)

    Returns
    -------
    ndarray of float64, shape (tests,)
        Adjusted, in the order of `p`.
    """
    raw = np.asarray(p, np.float64)
    order = np.argsort(raw, kind="stable")
    scaled = raw[order] * np.arange(raw.size, 0, -1)
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def false_discovery_rates(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values so that few of the tests that pass a level do so by chance (Benjamini, Hochberg 1995).

    With the p-values in ascending order, p_1 to p_m, the i-th becomes the smallest of m p_j / j over all j
    from i on, and 1 at most.

    Parameters
    ----------
    p : ndarray of float64, shape (tests,)

    Returns
    -------
    ndarray of float64, shape (tests,)
        The smallest share of false discoveries at which each test is still one, in the order of `p`.
    """
    order = np.argsort(-p, kind="stable")
    scaled = p[order] * p.size / np.arange(p.size, 0, -1)
    rates = np.empty_like(p)
    rates[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return rates
