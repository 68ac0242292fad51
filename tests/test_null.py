"""Shuffled labels against their twin, and the p-values made of them."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import naive
import naive_statistics
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_core import Quiet, World, annotate, worlds

from onnxdissect.core import null
from onnxdissect.core.kernels.lattice import SIDE
from onnxdissect.core.null import Shuffles
from onnxdissect.core.pipeline import tally
from onnxdissect.core.significance import Chance, false_discovery_rates
from onnxdissect.core.spool import Spool
from onnxdissect.core.witness import Witness


def shuffled(
    world: World,
    count: int,
    seed: int,
    *,
    threads: int = 2,
    backwards: bool = False,
    min_images: int = 1,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    plan = replace(world.plan(threads=threads, block=2), min_images=min_images)
    passed, _ = world.dissect(plan, batch=2)
    if backwards:
        spool = Spool(Path(), 10**9)
        for chunk in reversed(list(passed.spool)):
            spool.append(chunk, [np.full(world.activations.shape[1], -np.inf, np.float32)])
        passed = replace(passed, spool=spool)
    shuffles = Shuffles(plan, count, seed)
    with tempfile.TemporaryDirectory() as folder:
        tally(plan, passed, Quiet(), Witness(Path(folder), plan, masks=False, shuffles=shuffles))
    (best,) = shuffles.scores(passed, Quiet())
    return best, shuffles.donors


@given(worlds(), st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_shuffles_equal_the_twin(world: World, seed: int) -> None:
    best, donors = shuffled(world, 2, seed)
    thresholds = world.expected().thresholds
    assert best.shape == (3, len(world.quantiles), world.activations.shape[1])
    assert donors[0].tolist() == list(range(len(world.images)))
    for p in range(3):
        assert sorted(donors[p].tolist()) == list(range(len(world.images)))
        for q in range(len(world.quantiles)):
            for k in range(world.activations.shape[1]):
                assert best[p, q, k] == naive_statistics.lattice_best(
                    world.activations[:, k],
                    world.images,
                    donors[p].tolist(),
                    thresholds[q, k],
                    world.category_of,
                    world.pixels,
                    world.field,
                    SIDE,
                )


@given(worlds(), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_shuffles_depend_on_the_seed_alone(world: World, seed: int) -> None:
    best, donors = shuffled(world, 3, seed)
    again, drawn = shuffled(world, 3, seed, threads=3, backwards=True)
    np.testing.assert_array_equal(best, again)
    np.testing.assert_array_equal(donors, drawn)


def test_rounds_cover_every_unit_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = random_world(images=9, units=7)
    best, _ = shuffled(world, 4, 0)
    monkeypatch.setattr(null, "_COUNT_BYTES", 200)
    again, _ = shuffled(world, 4, 0)
    np.testing.assert_array_equal(best, again)
    assert (best > 0).all()


def test_few_members_stand_for_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    world = random_world(images=9, units=3)
    monkeypatch.setattr(null, "_MEMBERS", 4)
    best, donors = shuffled(world, 4, 0)
    assert donors.shape == (5, 4)
    assert best.shape == (5, 1, 3) and (best > 0).any()


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
    units, shuffles = 20_000, 6
    # Scores of any size and spread whose logarithms are Gumbel's.
    drawn = np.exp(random.gumbel(random.uniform(-6, -2, units), random.uniform(0.1, 0.4, units), (7, units)))
    p = Chance(shuffles).p_values(drawn[0], drawn[1:])
    assert ((p > 0) & (p <= 1)).all()
    for level in (0.001, 0.01, 0.05, 0.2, 0.5, 0.9):
        expected = np.sqrt(level * (1 - level) / units)
        assert (p <= level).mean() == pytest.approx(level, abs=4 * expected)


def test_p_values_of_units_that_meet_nothing() -> None:
    chance = Chance(3)
    observed = np.array([0.0, 0.2, 0.0, 0.1])
    flat = np.zeros((3, 4))
    flat[:, 3] = 0.1
    p = chance.p_values(observed, flat)
    assert p[0] == p[2] == p[3] == 1 and p[1] < 1e-3
    with pytest.raises(ValueError, match="3 times"):
        chance.p_values(observed, flat[:2])
    with pytest.raises(ValueError, match="spread"):
        Chance(1)


def test_p_values_fall_as_scores_rise() -> None:
    chance = Chance(10)
    scores = np.linspace(0.001, 0.9, 500)
    around = np.exp(np.random.default_rng(1).normal(-4, 0.3, 10))
    p = chance.p_values(scores, np.repeat(around[:, None], 500, axis=1))
    assert (np.diff(p) <= 0).all() and p[-1] < 1e-4 < 0.9 < p[0]


@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=30))
@settings(deadline=None)
def test_false_discovery_rates_equal_the_twin(p: list[float]) -> None:
    rates = false_discovery_rates(np.array(p))
    np.testing.assert_allclose(rates, naive_statistics.false_discovery_rates(p), rtol=1e-12)
    assert (rates >= np.array(p) - 1e-15).all() and (rates <= 1).all()
