"""Shapley values from the definition: every order of the players, one after another."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Score = Callable[[frozenset[int]], float]


def gains(score: Score, order: Sequence[int]) -> Array:
    """What each player adds when they join in this order."""
    found = np.zeros(len(order))
    joined: frozenset[int] = frozenset()
    for player in order:
        found[player] = score(joined | {player}) - score(joined)
        joined = joined | {player}
    return found


def of_all_orders(score: Score, players: int) -> Array:
    """The mean over all n! orders."""
    total, count = np.zeros(players), 0
    for order in itertools.permutations(range(players)):
        total += gains(score, order)
        count += 1
    return total / count


def of_orders(score: Score, orders: Iterable[Sequence[int]]) -> tuple[Array, Array]:
    """Mean and standard error over orders, each averaged with its reverse."""
    pairs = np.array([(gains(score, order) + gains(score, order[::-1])) / 2 for order in orders])
    mean = pairs.sum(axis=0) / len(pairs)
    variance = ((pairs - mean) ** 2).sum(axis=0) / (len(pairs) - 1)
    return mean, np.sqrt(variance / len(pairs))
