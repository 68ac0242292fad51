"""What the mean score of matched units is where there is nothing to find."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.statistics.matching.assignment import best_pairs, mean_score
from onnxdissect.statistics.matching.similarity import Similarity

__all__ = ["Baseline", "chance_scores", "default_draws", "random_scores"]

_LEVELS = (0.025, 0.975)
# Pairs cost next to nothing to draw, beside a shuffle.
_RANDOM_DRAWS = 1000
# Streams of the generator; resamples of a run take those from 0 on, its shuffles the last.
_CHANCE, _RANDOM = 2**64 - 2, 2**64 - 3
_MOST_DRAWS, _LEAST_DRAWS = 100, 10
# Multiplications of all shuffles together, about a minute on two cores.
_MULTIPLICATIONS = 10**12


@dataclass(frozen=True, slots=True)
class Baseline:
    """A mean score under chance.

    Attributes
    ----------
    mean : float
    low, high : float
        Middle 95 % of the draws.
    """

    mean: float
    low: float
    high: float


def default_draws(units: tuple[int, int], columns: int) -> int:
    """Say how many shuffles are made where nobody says.

    Parameters
    ----------
    units : tuple of int
        K1 and K2.
    columns : int
        Images or concepts.

    Returns
    -------
    int
        100, of large layers fewer, but never fewer than 10.
    """
    each = units[0] * units[1] * max(1, columns)
    return max(_LEAST_DRAWS, min(_MOST_DRAWS, _MULTIPLICATIONS // each))


def random_scores(scores: NDArray[np.float64], seed: int) -> Baseline:
    """Say what the mean score of pairs is that are drawn at random, one to one.

    Parameters
    ----------
    scores : ndarray of float64, shape (K1, K2)
    seed : int
        From 0 to 2**64 - 1.

    Returns
    -------
    Baseline
        Its mean is that of all pairs there are, which is what draws come to; the middle 95 % are of 1,000
        draws.
    """
    across = scores if scores.shape[0] <= scores.shape[1] else scores.T
    rows, columns = across.shape
    mean = math.fsum(math.fsum(row.tolist()) for row in across) / across.size
    units = np.arange(rows)
    drawn = [
        mean_score(across, np.stack([units, order[:rows]], axis=1))
        for order in _orders(columns, _RANDOM_DRAWS, seed, _RANDOM)
    ]
    return Baseline(mean, *_middle(drawn))


def chance_scores(
    similarity: Similarity, draws: int, seed: int, advance: Callable[[int], None] = lambda done: None
) -> Baseline:
    """Say what the mean score of the best pairs is when the columns of one side are shuffled.

    All units of a side are shuffled alike, so that those that are like each other stay so.

    Parameters
    ----------
    similarity : Similarity
    draws : int
        At least 1. The first ones are the same however many there are.
    seed : int
        From 0 to 2**64 - 1.
    advance : callable, optional
        Told of every draw that is done, as 1.

    Returns
    -------
    Baseline
        Mean and middle 95 % of the draws; of fewer than 40, the smallest and the largest.
    """
    drawn = []
    for order in _orders(similarity.columns, draws, seed, _CHANCE):
        scores = similarity.scores(order)
        drawn.append(mean_score(scores, best_pairs(scores)))
        advance(1)
    return Baseline(math.fsum(drawn) / draws, *_middle(drawn))


def _orders(size: int, draws: int, seed: int, stream: int) -> Iterator[NDArray[np.int64]]:
    words = np.random.Philox(key=np.array([seed, stream], np.uint64))
    for _ in range(draws):
        yield np.argsort(words.random_raw(size), kind="stable").astype(np.int64)


def _middle(drawn: Sequence[float]) -> tuple[float, float]:
    low = np.quantile(drawn, _LEVELS[0], method="lower").item()
    high = np.quantile(drawn, _LEVELS[1], method="higher").item()
    return low, high
