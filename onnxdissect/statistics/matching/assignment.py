"""The pairs of units, one to one, whose scores have the largest sum."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_pairs", "mean_score"]

# Whole numbers below 2^53 are exact in float64; the search adds and subtracts weights along its paths.
_BITS = 51


def best_pairs(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pair the units of two sides one to one, so that the sum of scores is as large as it can be.

    The Hungarian method, on whole numbers: scores count in multiples of 2^-(51 - 2b), where the smaller side
    has fewer than 2^b units, so that nothing is rounded on the way. For 2,048 units that is 7e-9. Of
    assignments that are equally good, one with as many pairs of equal numbers as possible is taken, so that
    a layer is matched with itself unit by unit though some units be alike, or dead.

    Parameters
    ----------
    scores : ndarray of float64, shape (K1, K2)
        From -1 to 1, not NaN.

    Returns
    -------
    ndarray of int64, shape (min(K1, K2), 2)
        Unit of the first side and unit of the second, by the first. If the sides change places, so do the
        columns, unless the scores read the same both ways.
    """
    # imported here: it takes a fifth of a second, and most commands match nothing
    from scipy.optimize import linear_sum_assignment

    weights = _weights(scores)
    turned = _turned(weights)
    found = linear_sum_assignment(weights.T if turned else weights, maximize=True)
    pairs = np.stack(found[::-1] if turned else found, axis=1).astype(np.int64)
    return pairs[np.argsort(pairs[:, 0])]


def mean_score(scores: NDArray[np.float64], pairs: NDArray[np.int64]) -> float:
    """Average the scores of pairs.

    Parameters
    ----------
    scores : ndarray of float64, shape (K1, K2)
    pairs : ndarray of int64, shape (P, 2)
        P is not 0.

    Returns
    -------
    float
        Rounded once, whatever order the pairs are in.
    """
    return math.fsum(scores[pairs[:, 0], pairs[:, 1]].tolist()) / len(pairs)


def _weights(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole numbers in which one step of any score outweighs all equal numbers together."""
    pairs = min(scores.shape)
    bits = pairs.bit_length()
    weights: NDArray[np.float64] = np.rint(scores * 2.0 ** (_BITS - 2 * bits)) * 2.0**bits
    same = np.arange(pairs)
    weights[same, same] += 1
    return weights


def _turned(weights: NDArray[np.float64]) -> bool:
    """Tell which of a square matrix and its transpose is solved: the same one, whichever of them is given."""
    if weights.shape[0] != weights.shape[1]:
        return False  # the search lays the longer side across by itself
    rows, columns = np.nonzero(weights != weights.T)
    return bool(rows.size) and bool(weights[rows[0], columns[0]] > weights[columns[0], rows[0]])
