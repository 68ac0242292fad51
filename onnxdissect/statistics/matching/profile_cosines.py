"""Cosine of the IoUs of two units with the same concepts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ProfileCosines"]

# Whole numbers up to it are exact in float64, and so are their sums in whatever order they are added.
_EXACT_BITS = 53


class ProfileCosines:
    """Cosines of all pairs of units of two layers, by their IoUs with C concepts.

    With u and v the IoUs of two units, the cosine is sum u_c v_c / sqrt(sum u_c^2 * sum v_c^2). Each unit's
    are divided by the largest of them, and rounded to multiples of a power of two, 2^-20 for 1,197 concepts:
    so sums are exact, and the same on every machine. A unit that meets no concept has a cosine of 0 with all.

    Parameters
    ----------
    first : ndarray of float64, shape (K1, C)
        IoUs, none below 0.
    second : ndarray of float64, shape (K2, C)
        With the same concepts.

    Attributes
    ----------
    columns : int
        The concepts, C.
    """

    def __init__(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> None:
        self.columns = first.shape[1]
        self._first, self._second = _whole_numbers(first), _whole_numbers(second)
        self._squares = (self._first**2).sum(axis=1), (self._second**2).sum(axis=1)

    def scores(self, order: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Find the cosines of all pairs.

        Parameters
        ----------
        order : ndarray of int64, shape (columns,), optional
            Which concept of the second side meets the first's concept 0, 1, ...

        Returns
        -------
        ndarray of float64, shape (K1, K2)
            From 0 to 1; exactly 1 for units of equal IoUs, 0 for a unit that meets no concept.
        """
        second = self._second if order is None else self._second[:, order]
        products = self._first @ second.T
        scale = np.sqrt(self._squares[0][:, None] * self._squares[1])
        found = np.zeros(products.shape)
        np.divide(products, scale, out=found, where=scale > 0)
        return np.minimum(found, 1.0, out=found)


def _whole_numbers(iou: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make whole numbers of rows: their products, summed over all concepts, stay below 2^53."""
    largest = iou.max(axis=1, keepdims=True, initial=0.0)
    scale = 2.0 ** ((_EXACT_BITS - 1 - iou.shape[1].bit_length()) // 2)
    shares = np.divide(iou, largest, out=np.zeros(iou.shape), where=largest > 0)
    return np.asarray(np.rint(shares * scale), np.float64)
