"""Shuffled labels against their twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import method as naive
from naive import statistics as naive_statistics
from support.drawn_counts import World, annotate, shuffled, worlds

from onnxdissect.core.kernels.labels.label_sample import SIDE
from onnxdissect.core.kernels.resampling.permute import CELLS
from onnxdissect.statistics import permutation_null as null


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
