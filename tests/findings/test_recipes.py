"""The table of what is trained."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from typing import Any

import pytest
from training.recipes import IMAGES, RECIPES, SEEDS, Recipe, recipe_of, shipped, trainings

# What each variant has that `base` has not.
DIFFERS = {
    "dropout": {"dropout"},
    "batch-norm": {"batch_norm"},
    "objects": {"task"},
    "rotation": {"task"},
    "fine-tuned": {"task", "rate", "iterations", "start"},
    "parts": {"task"},
    "jigsaw": {"task"},
    "half-width": {"stages"},
    "shallower": {"stages"},
    "deeper": {"stages"},
    "strong-decay": {"decay"},
    "no-decay": {"decay"},
    "double-width": {"stages"},
}


def test_every_condition_is_there_with_three_seeds() -> None:
    assert [recipe.variant for recipe in RECIPES] == ["base", *DIFFERS]
    every = [(training.seed, training.recipe.variant) for training in trainings()]
    assert every == [(seed, recipe.variant) for seed in (0, 1, 2) for recipe in RECIPES]


@pytest.mark.parametrize("variant", DIFFERS)
def test_a_variant_differs_from_base_in_one_thing(variant: str) -> None:
    base, other = recipe_of("base"), recipe_of(variant)
    differing = {
        field.name for field in fields(Recipe) if getattr(base, field.name) != getattr(other, field.name)
    }
    assert differing - {"variant", "checkpoints"} == DIFFERS[variant]


def test_width_and_depth_are_what_their_names_say() -> None:
    plain = recipe_of("base").stages
    for variant, factor in (("double-width", 2), ("half-width", 0.5)):
        assert [stage[0] for stage in recipe_of(variant).stages] == [units * factor for units, _, _ in plain]
    for variant, more in (("deeper", 2), ("shallower", -1)):
        stages = recipe_of(variant).stages
        assert len(stages) == len(plain) + more
        assert stages[-1] == plain[-1]
    # counts of layers whose maps have other sizes would not compare
    for recipe in RECIPES:
        assert sum(stride == 2 for _, _, stride in recipe.stages) == 3


def test_checkpoints_are_log_spaced_from_untrained_to_finished() -> None:
    base = next(training for training in trainings() if training.recipe.variant == "base")
    kept = [iteration for _, iteration in base.networks()]
    assert len(kept) == 8
    assert kept[0] == 0
    assert kept[-1] == base.recipe.iterations
    assert all(later == 3 * earlier for earlier, later in itertools.pairwise(kept[1:]))


def test_names_of_networks_are_there_once() -> None:
    names = [name for training in trainings() for name, _ in training.networks()]
    assert len(set(names)) == len(names)
    assert {"base-s0-i0", "base-s2", "fine-tuned-s1-i27"} <= set(names)


def test_what_is_shipped() -> None:
    kept = {name for t in trainings() for name, _ in t.networks() if shipped(t, name)}
    assert {name for t in trainings((0,)) for name, _ in t.networks()} < kept
    assert {name for name in kept if "-s0" not in name} == {f"base-s{seed}" for seed in SEEDS[1:]}


@pytest.mark.parametrize("field", [field.name for field in fields(Recipe)])
def test_the_digest_notices_every_change_of_a_recipe(field: str) -> None:
    recipe = recipe_of("base")
    others: dict[str, Any] = {
        "variant": "x",
        "task": "parts",
        "stages": recipe.stages[1:],
        "dropout": 0.1,
        "batch_norm": True,
        "decay": 0.1,
        "rate": 0.1,
        "iterations": 7,
        "checkpoints": (0,),
        "start": "dropout",
    }
    assert replace(recipe, **{field: others[field]}).digest(IMAGES, None) != recipe.digest(IMAGES, None)


def test_the_digest_notices_fewer_images() -> None:
    recipe = recipe_of("base")
    digests = {recipe.digest(IMAGES, None), recipe.digest(64, None), recipe.digest(IMAGES, 40)}
    assert len(digests) == 3


def test_a_try_keeps_only_checkpoints_that_it_reaches() -> None:
    (training,) = trainings((1,), ("base",), steps=30)
    assert list(training.networks()) == [
        ("base-s1-i0", 0),
        ("base-s1-i7", 7),
        ("base-s1-i21", 21),
        ("base-s1", 30),
    ]
