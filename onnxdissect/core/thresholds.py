"""Exact top-tau thresholds from one pass over the activations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.tail import extend_tails, settle_tails
from onnxdissect.errors import ParameterError

__all__ = ["Tail", "check_quantiles", "tail_size"]


def check_quantiles(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Check quantile levels and drop repeats.

    Parameters
    ----------
    quantiles : sequence of float
        Levels tau.

    Returns
    -------
    tuple of float
        In the order given.

    Raises
    ------
    ParameterError
        If there is none, or one is not strictly between 0 and 1.
    """
    if not quantiles:
        raise ParameterError("no quantile was given", hint="--quantile 0.005")
    for quantile in quantiles:
        if not 0.0 < quantile < 1.0:
            raise ParameterError(
                f"the quantile must lie strictly between 0 and 1, and {quantile!r} does not",
                hint="--quantile 0.005 keeps the top half per cent, as the paper does",
            )
    return tuple(dict.fromkeys(float(q) for q in quantiles))


def tail_size(quantile: float, positions: int) -> int:
    """How many values may lie strictly above a threshold: m = floor(tau * n) (paper section 3.2).

    Parameters
    ----------
    quantile : float
        tau, read as the decimal it is written as: 0.29 of 100 is 29, though the nearest double is less.
    positions : int
        n, spatial positions of all images together.

    Returns
    -------
    int
    """
    return math.floor(Fraction(repr(quantile)) * positions)


class Tail:
    """The largest activations of every unit of a layer, and so its exact thresholds.

    The threshold T_k is the (m+1)-th largest of a unit's n values, and n is known before the pass starts.
    Each unit keeps its m+1 largest values so far; the smallest of them is a lower bound on T_k that only
    rises.

    Parameters
    ----------
    units : int
        Units of the layer.
    positions : int
        n, spatial positions of all images together.
    quantiles : sequence of float
        Levels tau, each strictly between 0 and 1. The largest one decides how much is kept.
    threads : int
        Threads the kernels may use.

    Attributes
    ----------
    bounds : ndarray of float32, shape (units,)
        Lower bound on the lowest threshold of each unit, ``-inf`` until enough values were seen.
    """

    def __init__(self, units: int, positions: int, quantiles: Sequence[float], threads: int) -> None:
        self._sizes = [tail_size(q, positions) for q in quantiles]
        self._keep = max(self._sizes) + 1
        self._threads = threads
        # Room beyond what is kept: selection costs the whole tail, so it must be rare.
        capacity = min(self._keep + max(self._keep // 4, 1024), positions + 1)
        self._values = np.empty((units, max(capacity, self._keep + 1)), np.float32)
        self._fill = np.zeros(units, np.int64)
        self.bounds: NDArray[np.float32] = np.full(units, -np.inf, np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes held; constant over the pass."""
        return self._values.nbytes

    def update(self, activations: NDArray[np.float32], maxima: NDArray[np.float32]) -> None:
        """Take in a batch.

        Parameters
        ----------
        activations : ndarray of float32, shape (n, units, h, w)
            Finite activations.
        maxima : ndarray of float32, shape (n, units)
            Largest value of each map.
        """
        extend_tails(activations, maxima, self._values, self._fill, self.bounds, self._keep, self._threads)

    def thresholds(self) -> NDArray[np.float32]:
        """Exact thresholds of everything taken in.

        Returns
        -------
        ndarray of float32, shape (quantiles, units)

        Raises
        ------
        RuntimeError
            If fewer positions were taken in than announced, so that no threshold is decided.
        """
        if (self._fill < self._keep).any():
            raise RuntimeError("thresholds were asked for before the pass was complete")
        settle_tails(self._values, self._fill, self.bounds, self._keep, self._threads)
        kept = -np.sort(-self._values[:, : self._keep], axis=1)
        return np.ascontiguousarray(kept[:, self._sizes].T)
