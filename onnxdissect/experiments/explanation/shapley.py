"""*shapley*: what a unit, or a concept, adds to the score on average over all orders of joining."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import factorial

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.class_scores.variants import (
    Contributions,
    changed_units,
    score_of,
    score_without_units,
)
from onnxdissect.experiments.explanation.ablation import ablation_contributions
from onnxdissect.model.runtime.parts.network_parts import NetworkParts

__all__ = [
    "PERMUTATIONS",
    "PLAYERS",
    "Game",
    "shapley_values",
    "standard_errors",
    "strongest_units",
]

PLAYERS = 32
"""Units that take part, unless another number is asked for."""

PERMUTATIONS = 64
"""Orders that are drawn, each to be taken with its reverse, unless another number is asked for."""

_ROWS = 4096
"""Subsets that are held at once."""


@dataclass(frozen=True, slots=True)
class Game:
    """A score, and groups of units that join or stay away.

    Attributes
    ----------
    parts : NetworkParts
        With the scores as first output.
    activations : ndarray
        Of one image, in the file's own layout.
    removed : ndarray
        What the units of a player that stays away are, of the same shape.
    number : int
        The class.
    players : tuple of tuple of int
        The units of each; no unit is of two. All other units stay as they are.
    """

    parts: NetworkParts
    activations: NDArray[np.floating]
    removed: NDArray[np.floating]
    number: int
    players: tuple[tuple[int, ...], ...]

    def scores(self, joined: NDArray[np.bool_], batch: int | None = None) -> NDArray[np.float64]:
        """Score subsets of the players.

        Parameters
        ----------
        joined : ndarray of bool, shape (subsets, players)
            Who takes part.
        batch : int, optional
            Subsets a batch.

        Returns
        -------
        ndarray of float64, shape (subsets,)
        """
        absent = np.zeros((len(joined), self.parts.layer.units), np.bool_)
        for player, units in enumerate(self.players):
            absent[:, list(units)] = ~joined[:, player, None]
        return score_without_units(
            self.parts, self.activations, self.removed, absent, self.number, batch=batch
        )


def strongest_units(
    parts: NetworkParts,
    activations: NDArray[np.floating],
    removed: NDArray[np.floating],
    number: int,
    most: int,
    *,
    score: float | None = None,
) -> tuple[int, ...]:
    """Find the units whose removal changes the score most.

    Parameters
    ----------
    parts : NetworkParts
        With the scores as first output.
    activations : ndarray
        Of one image, in the file's own layout.
    removed : ndarray
        What units are when they are removed.
    number : int
        The class.
    most : int
        How many, at most.
    score : float, optional
        That of the activations, where it is known.

    Returns
    -------
    tuple of int
        The largest change first. Units that are already what they would be set to are left out; others that
        change nothing by themselves may do so once units are missing that stand in for them.
    """
    found = ablation_contributions(parts, activations, number, removed=removed, score=score)
    able = changed_units(parts, activations, removed)
    order = np.argsort(-np.abs(found.values[able]), kind="stable")[:most]
    return tuple(able[order].tolist())


def shapley_values(
    game: Game, permutations: int, seed: int, *, score: float | None = None, batch: int | None = None
) -> Contributions:
    """Average what every player adds when it joins, over orders of joining.

    Where scoring all subsets takes no more than the orders would, that is done, and values are exact.

    Parameters
    ----------
    game : Game
    permutations : int
        Orders that are drawn. Each is taken with its reverse: who comes early in one comes late in the other.
    seed : int
        Of the orders.
    score : float, optional
        That of the activations, where it is known.
    batch : int, optional
        Subsets a batch.

    Returns
    -------
    Contributions
        Of the players; the bias is the score with none of them, and in each order what they add comes to the
        score with all less that. Of each order drawn there is a sample, of it and its reverse together; none
        where all subsets were scored.
    """
    players = len(game.players)
    whole = score_of(game.parts, game.activations, game.number) if score is None else score
    if not players:
        return Contributions(np.zeros(0), whole, whole)
    without = float(game.scores(np.zeros((1, players), np.bool_), batch)[0])
    if players == 1:
        return Contributions(np.array([whole - without]), whole, without)
    scores = partial(game.scores, batch=batch)
    if 2**players - 2 <= 2 * permutations * (players - 1):
        return Contributions(_over_subsets(scores, players, whole, without), whole, without)
    samples = np.concatenate(list(_sampled(scores, players, (whole, without), permutations, seed)))
    return Contributions(samples.mean(axis=0), whole, without, samples)


_Scores = Callable[[NDArray[np.bool_]], NDArray[np.float64]]


def _over_subsets(scores: _Scores, players: int, whole: float, without: float) -> NDArray[np.float64]:
    """Sum over the subsets S without a player: |S|! (n - |S| - 1)! / n! times what it adds to S."""
    numbers = np.arange(2**players)
    joined = (numbers[:, None] >> np.arange(players) & 1).astype(np.bool_)
    found = np.empty(len(numbers), np.float64)
    found[0], found[-1] = without, whole
    for first in range(1, len(numbers) - 1, _ROWS):
        last = min(first + _ROWS, len(numbers) - 1)
        found[first:last] = scores(joined[first:last])
    sizes = joined.sum(axis=1)
    weights = np.array(
        [factorial(size) * factorial(players - size - 1) / factorial(players) for size in range(players)]
    )
    values = np.empty(players, np.float64)
    for player in range(players):
        staying = numbers[~joined[:, player]]
        gains = found[staying | 1 << player] - found[staying]
        values[player] = (weights[sizes[staying]] * gains).sum()
    return values


def _sampled(
    scores: _Scores, players: int, ends: tuple[float, float], permutations: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Give what players add in each order drawn, averaged with its reverse, some orders at a time."""
    whole, without = ends
    rng = np.random.default_rng(seed)
    at_once = max(1, _ROWS // (2 * (players - 1)))
    for first in range(0, permutations, at_once):
        count = min(at_once, permutations - first)
        orders = np.array([rng.permutation(players) for _ in range(count)])
        both = np.concatenate([orders, orders[:, ::-1]])
        places = np.argsort(both, axis=1)
        # row i of an order: who has joined after i + 1 steps
        joined = places[:, None, :] <= np.arange(players - 1)[None, :, None]
        found = np.empty((len(both), players + 1), np.float64)
        found[:, 0], found[:, -1] = without, whole
        found[:, 1:-1] = scores(joined.reshape(-1, players)).reshape(len(both), -1)
        gains = np.take_along_axis(np.diff(found, axis=1), places, axis=1)
        yield (gains[:count] + gains[count:]) / 2


def standard_errors(
    samples: NDArray[np.float64] | None, groups: Sequence[Sequence[int]]
) -> list[float | None]:
    """Say how far means of samples may be from what they estimate.

    Parameters
    ----------
    samples : ndarray of float64, shape (samples, columns), or None
    groups : sequence of sequence of int
        Columns that are summed, of each.

    Returns
    -------
    list of float or None
        The standard deviation of a group's sum over the samples, divided by the square root of their
        number; None where there are no samples, or only one.
    """
    if samples is None or len(samples) < 2:
        return [None] * len(groups)
    count = len(samples)
    return [float(samples[:, list(group)].sum(axis=1).std(ddof=1) / count**0.5) for group in groups]
