"""How far activations moved from one network to another: their quantiles, and image by image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ActivationSums", "quantile_shift"]

# The spread of a constant unit is not always exactly zero, but no more than this share of its values.
_CONSTANT = 1e-6


def quantile_shift(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how far each unit's distribution of activations moved.

    Parameters
    ----------
    before, after : ndarray of float64, shape (K, L)
        Activations at the same quantiles.

    Returns
    -------
    ndarray of float64, shape (K,)
        Root mean square of the differences over the standard deviation of `before`; NaN for units that
        were constant.
    """
    spread = before.std(axis=1)
    steady = spread <= _CONSTANT * np.abs(before).max(axis=1)
    moved = np.sqrt(np.square(after - before).mean(axis=1))
    shift = np.full(len(spread), np.nan)
    np.divide(moved, spread, out=shift, where=~steady)
    return shift


class ActivationSums:
    """How far the activations of one layer in two networks lie apart, summed over the same images.

    Parameters
    ----------
    units : int
        How many the layer has, K.

    Attributes
    ----------
    largest : float
        Largest absolute difference.
    highest : float
        Largest absolute activation of the first.
    """

    def __init__(self, units: int) -> None:
        self._difference = np.zeros(units)
        self._first = np.zeros(units)
        self._second = np.zeros(units)
        self._product = np.zeros(units)
        self.largest = self.highest = 0.0

    def add(self, one: NDArray[np.float32], two: NDArray[np.float32]) -> None:
        """Take in some images.

        Parameters
        ----------
        one, two : ndarray of float32, shape (n, K, h, w)
        """
        a, b = one.astype(np.float64), two.astype(np.float64)
        over = (0, 2, 3)
        self._difference += np.square(a - b).sum(axis=over)
        self._first += np.square(a).sum(axis=over)
        self._second += np.square(b).sum(axis=over)
        self._product += (a * b).sum(axis=over)
        self.largest = max(self.largest, float(np.abs(a - b).max(initial=0.0)))
        self.highest = max(self.highest, float(np.abs(a).max(initial=0.0)))

    @property
    def relative_rms(self) -> float:
        """Root of the summed squared differences over that of the summed squares of the first."""
        return _relative(self._difference.sum(), self._first.sum())

    @property
    def relative_rms_of_units(self) -> NDArray[np.float64]:
        """The same of each unit by itself, shape (K,)."""
        return np.array([_relative(d, f) for d, f in zip(self._difference, self._first, strict=True)])

    @property
    def cosine(self) -> float:
        """Of the two layers' activations taken as one long vector each; 1 if both are zero, 0 if one is."""
        if not self._first.any() and not self._second.any():
            return 1.0
        norm = float(np.sqrt(self._first.sum() * self._second.sum()))
        return float(self._product.sum()) / norm if norm else 0.0


def _relative(difference: float, reference: float) -> float:
    """Root of a ratio of sums of squares; infinite where something differs from nothing."""
    if reference > 0:
        return float(np.sqrt(difference / reference))
    return 0.0 if difference == 0 else float("inf")
