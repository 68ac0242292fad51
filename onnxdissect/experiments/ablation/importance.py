"""Which units a class needs most: those whose removal alone costs it the most accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.ablation.accuracy import ClassRates, mean_ranks
from onnxdissect.experiments.ablation.records import NEEDED

__all__ = ["RANK_BY", "Importance", "rank_correlation", "rank_units"]

RANK_BY = ("accuracy", "log-loss")
"""What units are ranked by."""

# Accuracies are quotients of counts: what differs by less is equal.
_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Importance:
    """How much classes need units; C classes, K units.

    Attributes
    ----------
    drop : ndarray of float64, shape (C, K)
        Accuracy that is lost without the unit.
    rise : ndarray of float64, shape (C, K)
        By how much the log-loss rises without it.
    order : ndarray of int64, shape (C, K)
        Units, the most important one first.
    by : str
        What they are ranked by, one of `RANK_BY`.
    """

    drop: NDArray[np.float64]
    rise: NDArray[np.float64]
    order: NDArray[np.int64]
    by: str = RANK_BY[0]

    def needed(self) -> NDArray[np.bool_]:
        """Tell which classes need which units.

        Returns
        -------
        ndarray of bool, shape (C, K)
            Whether the unit is among the `NEEDED` most important ones, and the class loses by what units are
            ranked by.
        """
        first = np.zeros(self.drop.shape, np.bool_)
        np.put_along_axis(first, self.order[:, :NEEDED], True, axis=1)
        return first & ((self.drop if self.by == RANK_BY[0] else self.rise) > 0)


def rank_units(rates: ClassRates, by: str = RANK_BY[0]) -> Importance:
    """Order units by what classes lose without them.

    Parameters
    ----------
    rates : ClassRates
        With nothing removed, and then with each unit removed by itself.
    by : str
        "accuracy": by what is lost of it; among equals by how much the log-loss rises, and then by number.
        "log-loss": the other way round.

    Returns
    -------
    Importance
    """
    drop = np.round((rates.accuracy[0] - rates.accuracy[1:]).T, _DECIMALS)
    rise = (rates.log_loss[1:] - rates.log_loss[0]).T
    numbers = np.broadcast_to(np.arange(drop.shape[1]), drop.shape)
    keys = (-rise, -drop) if by == RANK_BY[0] else (-drop, -rise)
    order = np.lexsort((numbers, *keys), axis=1)
    return Importance(drop, rise, order.astype(np.int64), by)


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Correlate ranks (Spearman); equal values share the mean of their ranks.

    Parameters
    ----------
    one, other : ndarray of float64, shape (n,)

    Returns
    -------
    float or None
        None where all of either are equal.
    """
    ranks = [mean_ranks(values) - (len(values) - 1) / 2 for values in (one, other)]
    lengths = [float(np.sqrt(np.square(found).sum())) for found in ranks]
    if not all(lengths):
        return None
    return float((ranks[0] * ranks[1]).sum() / (lengths[0] * lengths[1]))
