"""Shuffled labels against their twin, and the p-values made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import method as naive
from naive import statistics as naive_statistics
from support.drawn_counts import World, annotate, shuffled, worlds

from onnxdissect.core.kernels.label_sample import SIDE
from onnxdissect.core.kernels.permute import CELLS
from onnxdissect.statistics import permutation_null as null
from onnxdissect.statistics.overlap import gamma_surprise
from onnxdissect.statistics.significance import GumbelNull, pooled_p_values


@given(worlds(), st.integers(0, 100), st.data())
@settings(max_examples=15, deadline=None)
def test_shuffles_equal_the_twin(world: World, seed: int, data: st.DataObject) -> None:
    n, units, concepts = len(world.images), world.activations.shape[1], len(world.category_of)
    groups = data.draw(st.none() | st.lists(st.integers(0, 2), min_size=n, max_size=n))
    null, permutation_null = shuffled(world, 2, seed, groups=groups)
    assert null.surprise is not None
    assert null.best.shape == null.surprise.shape == (3, len(world.quantiles), units)
    thresholds = world.expected().thresholds
    labels = naive_statistics.lattice_labels(world.images, concepts, SIDE)
    # Members are the images, group by group.
    sampled = sorted(range(n), key=lambda x: (0 if groups is None else groups[x], x))
    for q in range(len(world.quantiles)):
        for k in range(units):
            masks = naive_statistics.lattice_masks(
                world.activations[:, k], thresholds[q, k], world.pixels, world.field, SIDE
            )
            for p in range(3):
                row = permutation_null.permutations[p].tolist()
                moved = int(permutation_null.shifts[p, k])
                permutations = [0] * n
                for place, image in enumerate(sampled):
                    permutations[image] = sampled[row[(place + moved) % n]]
                assert sorted(permutations) == list(range(n))
                assert p > 0 or permutations == list(range(n))
                best, concept, overlap = naive_statistics.lattice_best(
                    masks, labels, world.images, permutations, world.category_of
                )
                assert null.best[p, q, k] == best
                surprise = 0.0
                if concept >= 0:
                    held = [shown[concept] for shown in labels]
                    mean, variance = naive_statistics.overlap_moments(masks, held, CELLS)
                    if variance > 1e-9 * mean**2:
                        surprise = naive_statistics.gamma_surprise(overlap, mean, variance)
                assert null.surprise[p, q, k] == pytest.approx(surprise, rel=1e-3, abs=1e-5)


@given(worlds(), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_shuffles_depend_on_the_seed_alone(world: World, seed: int) -> None:
    null, permutation_null = shuffled(world, 3, seed)
    again, drawn = shuffled(world, 3, seed, threads=3, backwards=True)
    np.testing.assert_array_equal(null.best, again.best)
    np.testing.assert_array_equal(null.surprise, again.surprise)
    np.testing.assert_array_equal(permutation_null.permutations, drawn.permutations)


def test_images_of_a_group_travel_together() -> None:
    groups = [2, 0, 1, 1, 0, 2, 2, 0]
    _, permutation_null = shuffled(random_world(images=8, units=3), 40, 0, groups=groups)
    of = np.sort(groups)
    seen = set()
    for row in permutation_null.permutations[1:]:
        # Each group is met whole and in its own order.
        cuts = np.flatnonzero(np.diff(of[row])) + 1
        blocks = np.split(row, cuts)
        assert sorted(int(of[block[0]]) for block in blocks) == [0, 1, 2]
        assert all((np.diff(block) == 1).all() for block in blocks)
        seen.add(tuple(int(of[block[0]]) for block in blocks))
    assert len(seen) == 6


def test_rounds_cover_every_unit_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = random_world(images=9, units=7)
    once, _ = shuffled(world, 4, 0)
    monkeypatch.setattr(null, "_COUNT_BYTES", 200)
    again, _ = shuffled(world, 4, 0)
    np.testing.assert_array_equal(once.best, again.best)
    np.testing.assert_array_equal(once.surprise, again.surprise)
    assert (once.best > 0).all()


def test_few_members_stand_for_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    world = random_world(images=9, units=3)
    monkeypatch.setattr(null, "_SAMPLED", 4)
    few, permutation_null = shuffled(world, 4, 0)
    assert permutation_null.permutations.shape == (5, 4)
    assert few.best.shape == (5, 1, 3) and (few.best > 0).any()


def random_world(*, images: int, units: int) -> World:
    random = np.random.default_rng(0)
    maps = [random.integers(0, 4, (8, 8)) for _ in range(images)]
    return World(
        activations=random.normal(size=(images, units, 4, 4)).astype(np.float32),
        annotations=[annotate((8, 8), [m], []) for m in maps],
        images=[naive.NaiveImage((8, 8), [m], []) for m in maps],
        category_of=[0, 0, 1],
        categories=2,
        quantiles=[0.2],
        field=None,
        pixels=(8, 8),
        top=0,
    )


def test_p_values_are_uniform_where_the_model_holds() -> None:
    random = np.random.default_rng(7)
    units, permutation_null = 20_000, 6
    # Scores of any size and spread whose logarithms are Gumbel's.
    drawn = np.exp(random.gumbel(random.uniform(-6, -2, units), random.uniform(0.1, 0.4, units), (7, units)))
    p = GumbelNull(permutation_null).p_values(drawn[0], drawn[1:])
    assert ((p > 0) & (p <= 1)).all()
    for level in (0.001, 0.01, 0.05, 0.2, 0.5, 0.9):
        expected = np.sqrt(level * (1 - level) / units)
        assert (p <= level).mean() == pytest.approx(level, abs=4 * expected)


def test_p_values_of_units_that_meet_nothing() -> None:
    chance = GumbelNull(3)
    observed = np.array([0.0, 0.2, 0.0, 0.1])
    flat = np.zeros((3, 4))
    flat[:, 3] = 0.1
    p = chance.p_values(observed, flat)
    assert p[0] == p[2] == p[3] == 1 and p[1] < 1e-3
    with pytest.raises(ValueError, match="3 times"):
        chance.p_values(observed, flat[:2])
    with pytest.raises(ValueError, match="spread"):
        GumbelNull(1)


def test_p_values_fall_as_scores_rise() -> None:
    chance = GumbelNull(10)
    scores = np.linspace(0.001, 0.9, 500)
    around = np.exp(np.random.default_rng(1).normal(-4, 0.3, 10))
    p = chance.p_values(scores, np.repeat(around[:, None], 500, axis=1))
    assert (np.diff(p) <= 0).all() and p[-1] < 1e-4 < 0.9 < p[0]


@given(st.floats(-3, 7), st.floats(0.05, 20), st.floats(-8, 15))
@settings(max_examples=150, deadline=None)
def test_surprises_equal_the_twin(size: float, times: float, deviates: float) -> None:
    shape = 10**size
    # Anywhere for a wide distribution, and where there is something to see for a narrow one.
    at = times if shape < 100 else 1 + deviates / np.sqrt(shape)
    found = gamma_surprise(np.array([at]), np.array([1.0]), np.array([1 / shape]))
    expected = naive_statistics.gamma_surprise(at, 1.0, 1 / shape)
    assert found[0] == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_surprises_do_not_depend_on_what_is_beside_them() -> None:
    random = np.random.default_rng(6)
    overlap, mean = random.uniform(0, 50, 300), random.uniform(0.01, 20, 300)
    variance = random.uniform(0.001, 30, 300)
    together = gamma_surprise(overlap, mean, variance)
    alone = [
        gamma_surprise(*(np.array([value]) for value in row))
        for row in zip(overlap, mean, variance, strict=True)
    ]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_surprises_of_what_does_not_vary_or_is_not_there() -> None:
    found = gamma_surprise(np.array([0.0, 5.0, 3.0]), np.array([2.0, 5.0, 0.0]), np.array([1.0, 0.0, 0.0]))
    assert found.tolist() == [0, 0, 0]


@given(
    st.lists(st.integers(0, 40), min_size=30, max_size=60),
    st.lists(st.floats(0.1, 80), min_size=1, max_size=1),
)
@settings(deadline=None)
def test_pooled_p_values_equal_the_twin(shuffled: list[int], observed: list[float]) -> None:
    p = pooled_p_values(np.array(observed), np.array(shuffled, float)[:, None])
    expected = naive_statistics.pooled_p_value(observed[0], [float(s) for s in shuffled], 20)
    assert p[0] == pytest.approx(expected, rel=1e-9)


def test_pooled_p_values_are_uniform_under_chance() -> None:
    random = np.random.default_rng(3)
    # Many small layers of three units: what the fit does not know is counted in.
    p = np.concatenate(
        [pooled_p_values(drawn[0], drawn[1:]) for drawn in random.exponential(2.0, (20_000, 21, 3))]
    )
    for level in (0.001, 0.01, 0.05, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) / p.size)
        assert (p <= level).mean() == pytest.approx(level, abs=6 * error + 0.02 * level)


def test_units_that_meet_nothing_say_nothing_of_others() -> None:
    random = np.random.default_rng(4)
    drawn = random.exponential(1.0, (11, 8))
    idle = np.zeros((11, 30))
    both = np.concatenate([drawn, idle], axis=1)
    p = pooled_p_values(both[0], both[1:])
    np.testing.assert_array_equal(p[:8], pooled_p_values(drawn[0], drawn[1:]))
    assert (p[8:] == 1).all()
    with pytest.raises(ValueError, match="shuffles of"):
        pooled_p_values(drawn[0], drawn[1:, :4])
