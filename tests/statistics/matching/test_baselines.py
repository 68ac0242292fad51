"""What chance gives: known where it can be computed, within bounds, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import matching as naive
from numpy.typing import NDArray

from onnxdissect.statistics.matching.assignment import best_pairs, mean_score
from onnxdissect.statistics.matching.baselines import chance_scores, default_draws, random_scores


class Drawn:
    """Products of two sides, which are no larger than 1."""

    def __init__(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> None:
        self.columns = first.shape[1]
        self.asked: list[list[int]] = []
        self._sides = first, second

    def scores(self, order: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        first, second = self._sides
        if order is not None:
            self.asked.append(order.tolist())
            second = second[:, order]
        return np.asarray(first @ second.T / self.columns, np.float64)


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_pairs_at_random_are_those_of_all_assignments(seed: int, rows: int, columns: int) -> None:
    scores = np.random.default_rng(seed).uniform(-1, 1, (rows, columns))
    found = random_scores(scores, seed)
    assert found.mean == pytest.approx(naive.random_mean(scores.tolist()), abs=1e-12)
    means = sorted(
        float(naive.total(scores.tolist(), pairs) / len(pairs)) for pairs in naive.assignments(rows, columns)
    )
    for end in (found.low, found.high):
        assert min(abs(end - mean) for mean in means) < 1e-12
    assert found.low <= found.high
    # 1,000 draws of at most 120 ways: the ends lie near those of all ways
    below = sum(mean < found.low - 1e-12 for mean in means) / len(means)
    above = sum(mean > found.high + 1e-12 for mean in means) / len(means)
    assert below <= 0.06
    assert above <= 0.06


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 4), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_chance_is_the_best_matching_of_shuffled_columns(
    seed: int, rows: int, columns: int, described: int
) -> None:
    random = np.random.default_rng(seed)
    measure = Drawn(
        random.integers(-2, 3, (rows, described)) / 2, random.integers(-2, 3, (columns, described)) / 2
    )
    done: list[int] = []
    found = chance_scores(measure, 7, seed, done.append)
    assert done == [1] * 7
    means = []
    for order in list(measure.asked):
        assert sorted(order) == list(range(described))
        scores = measure.scores(np.array(order))
        means.append(mean_score(scores, best_pairs(scores)))
    assert (found.low, found.high) == (min(means), max(means))
    assert found.mean == pytest.approx(np.mean(means), abs=1e-12)
    assert -1 <= found.low <= found.mean + 1e-12
    assert found.mean - 1e-12 <= found.high <= 1


def test_draws_follow_from_the_seed_and_more_of_them_begin_alike() -> None:
    random = np.random.default_rng(0)
    first, second = random.random((2, 3, 50))
    orders = {}
    for seed, draws in ((0, 5), (0, 9), (1, 5)):
        measure = Drawn(first, second)
        chance_scores(measure, draws, seed)
        orders[seed, draws] = measure.asked
    assert orders[0, 9][:5] == orders[0, 5]
    assert orders[1, 5] != orders[0, 5]
    assert len({tuple(order) for order in orders[0, 9]}) == 9


def test_the_ends_are_the_middle_of_many_draws_and_the_extremes_of_few() -> None:
    random = np.random.default_rng(0)
    measure = Drawn(*random.random((2, 4, 8)))
    many = chance_scores(measure, 200, 3)
    means = []
    for order in list(measure.asked):
        scores = measure.scores(np.array(order))
        means.append(mean_score(scores, best_pairs(scores)))
    assert min(means) < many.low < many.high < max(means)
    few = chance_scores(measure, 39, 3)
    assert (few.low, few.high) == (min(means[:39]), max(means[:39]))


def test_large_layers_are_shuffled_less_often() -> None:
    assert default_draws((128, 128), 2400) == 100
    assert default_draws((2048, 2048), 63_305) == 10
    assert 10 < default_draws((512, 512), 63_305) < 100
    assert default_draws((1, 1), 0) == 100
