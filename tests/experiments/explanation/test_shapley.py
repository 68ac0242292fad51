"""Shapley values are those of the definition, and of the orders that were drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import explanation as naive
from naive import shapley as naive_shapley
from numpy.typing import NDArray
from support.explained import split_at
from support.models import Builder

from onnxdissect.experiments.explanation.ablation import ablation_contributions
from onnxdissect.experiments.explanation.shapley import (
    Game,
    shapley_values,
    standard_errors,
    strongest_units,
)

CLASS = 1
UNITS = 8


@dataclass(frozen=True)
class Played:
    game: Game
    score: naive_shapley.Score


def bent(folder: Path, units: int = UNITS) -> tuple[Any, ...]:
    """Units that meet in two nonlinear layers, so that what one adds depends on the others."""
    b = Builder(("N", 3, 8, 8), seed=2)
    deep = b.relu(b.conv(b.image, units, stride=2), name="deep")
    b.units[deep] = units
    flat = b.node("Flatten", b.node("GlobalAveragePool", deep))
    for width in (6, 5):
        flat = b.node("Tanh", b.node("Gemm", flat, b.constant(b.rng.normal(0, 2, (units, width)))))
        units = width
    return split_at(b.model(b.node("Gemm", flat, b.weight((5, 3)), name="logits")), "deep", folder)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    network, _, scores, parts, image = bent(tmp_path_factory.mktemp("bent"))
    activations = parts.activations(image)
    removed = np.zeros_like(activations)

    @cache
    def score(joined: frozenset[int]) -> float:
        factors = np.array([float(unit in joined) for unit in range(UNITS)])
        return naive.score_with_factors(network.path, "deep", 1, factors, image, scores.value, CLASS)

    players = tuple((unit,) for unit in range(UNITS))
    return Played(Game(parts, activations, removed, CLASS, players), score)


def table(played: Played) -> naive_shapley.Score:
    """Scores of all subsets as the tail gives them, so that float32 rounds no other way."""
    numbers = np.arange(2**UNITS)
    joined = (numbers[:, None] >> np.arange(UNITS) & 1).astype(bool)
    found = played.game.scores(joined)
    return lambda players: float(found[sum(1 << player for player in players)])


def test_few_players_are_taken_in_all_orders(played: Played) -> None:
    """The definition over all 8! orders, of files that were edited by hand."""
    expected = naive_shapley.of_all_orders(played.score, UNITS)
    found = shapley_values(played.game, permutations=64, seed=0)
    assert found.samples is None
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    # what units add depends on which others there are: neither alone nor last is the same
    assert (
        np.abs(
            found.values - ablation_contributions(played.game.parts, played.game.activations, CLASS).values
        ).max()
        > 0.01
    )
    assert found.bias == pytest.approx(played.score(frozenset()), abs=1e-5)
    assert found.error is not None and found.error < 1e-12


def test_orders_drawn_are_averaged_with_their_reverses(played: Played) -> None:
    rng = np.random.default_rng(5)
    orders = [rng.permutation(UNITS).tolist() for _ in range(16)]
    mean, error = naive_shapley.of_orders(table(played), orders)
    found = shapley_values(played.game, permutations=16, seed=5)
    assert found.samples is not None and found.samples.shape == (16, UNITS)
    np.testing.assert_allclose(found.values, mean, atol=1e-6)
    errors = standard_errors(found.samples, [[player] for player in range(UNITS)])
    np.testing.assert_allclose(np.array(errors, float), error, atol=1e-6)
    # in each order what players add comes to the whole
    whole = played.score(frozenset(range(UNITS))) - played.score(frozenset())
    np.testing.assert_allclose(found.samples.sum(axis=1), whole, atol=1e-5)
    assert found.error is not None and found.error < 1e-12


def test_orders_drawn_are_as_far_off_as_their_standard_errors_say(played: Played) -> None:
    exact = shapley_values(played.game, permutations=64, seed=0).values
    off = []
    for seed in range(30):
        found = shapley_values(played.game, permutations=16, seed=seed)
        errors = np.array(standard_errors(found.samples, [[k] for k in range(UNITS)]), float)
        off.append((found.values - exact)[errors > 1e-6] / errors[errors > 1e-6])
    told = np.concatenate(off)
    # Student's t of 15 degrees of freedom: a standard deviation of 1.07, and 95 % within 2.13
    assert 0.8 < told.std() < 1.4
    assert np.mean(np.abs(told) < 2.13) > 0.88
    assert abs(told.mean()) < 0.3


def test_what_is_summed_is_as_uncertain_as_the_sum() -> None:
    samples = np.array([[1.0, -1.0, 3.0], [2.0, -2.0, 5.0], [0.0, 0.0, 4.0]])
    assert standard_errors(samples, [[0, 1], [2]]) == [0, pytest.approx(1 / 3**0.5)]
    assert standard_errors(samples[:1], [[0]]) == standard_errors(None, [[0]]) == [None]


@pytest.mark.parametrize("permutations", [3, 64])
def test_many_subsets_at_once_are_one_by_one(played: Played, permutations: int) -> None:
    one = shapley_values(played.game, permutations, 0, batch=1)
    for batch in (7, None):
        many = shapley_values(played.game, permutations, 0, batch=batch)
        np.testing.assert_allclose(many.values, one.values, atol=1e-6)


def test_groups_join_as_one_and_others_stay(played: Played) -> None:
    groups = ((0, 3), (5,), (1, 2))
    expected = naive_shapley.of_all_orders(
        lambda joined: played.score(frozenset({4, 6, 7}).union(*(groups[player] for player in joined))),
        len(groups),
    )
    found = shapley_values(replace(played.game, players=groups), permutations=10, seed=0)
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    assert found.bias == pytest.approx(played.score(frozenset({4, 6, 7})), abs=1e-5)
    for few in ((), ((2, 5),)):
        found = shapley_values(replace(played.game, players=few), permutations=10, seed=0)
        assert len(found.values) == len(few) and found.samples is None
        assert (found.bias or 0) + found.values.sum() == pytest.approx(found.score)


def test_the_strongest_by_ablation_take_part(played: Played) -> None:
    game = played.game
    changes = np.abs(ablation_contributions(game.parts, game.activations, CLASS).values)
    chosen = strongest_units(game.parts, game.activations, game.removed, CLASS, 3)
    assert chosen == tuple(np.argsort(-changes)[:3])
    # units that are zero already are no players
    silent = game.activations.copy()
    game.parts.units_first(silent)[0, [2, 5]] = 0
    assert set(strongest_units(game.parts, silent, game.removed, CLASS, 100)) == {0, 1, 3, 4, 6, 7}


class _Table:
    """A game whose scores are numbers of a table."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self.values, self.players = values, [()] * int(np.log2(len(values)))

    def scores(self, joined: NDArray[np.bool_], batch: int | None = None) -> NDArray[np.float64]:
        return np.asarray(self.values[joined @ (1 << np.arange(len(self.players)))])


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(2, 6))
def test_any_game_is_divided_as_the_definition_divides_it(data: st.DataObject, players: int) -> None:
    numbers = st.floats(-100, 100, allow_subnormal=False)
    values = np.array(data.draw(st.lists(numbers, min_size=2**players, max_size=2**players)))
    game = cast(Any, _Table(values))
    score = lambda joined: float(values[sum(1 << one for one in joined)])  # noqa: E731
    found = shapley_values(game, 100, 0, score=float(values[-1]))
    np.testing.assert_allclose(found.values, naive_shapley.of_all_orders(score, players), atol=1e-9)
    few = shapley_values(game, 1, 3, score=float(values[-1]))
    assert few.values.sum() == pytest.approx(values[-1] - values[0], abs=1e-9)
