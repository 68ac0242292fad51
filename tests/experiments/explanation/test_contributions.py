"""Contributions are what editing the file by hand gives, and add up where they are said to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
from naive import explanation as naive
from support import models
from support.explained import flattened_last, pooled_by_maximum, split_at
from support.transformers import transformer

from onnxdissect.experiments.class_scores.variants import (
    active_units,
    changed_units,
    score_of,
    score_without_units,
    set_to,
)
from onnxdissect.experiments.explanation.ablation import ablation_contributions
from onnxdissect.experiments.explanation.entries import signed_shares
from onnxdissect.experiments.explanation.linear import (
    ALLOWED_ERROR,
    linear_contributions,
    why_not_linear,
)

Make = Callable[[], onnx.ModelProto]
LINEAR: list[tuple[Make, str]] = [
    (models.plain, "relu3"),
    (models.residual, "block2"),
    (models.channels_last, "relu1"),
    (lambda: models.plain(dtype=np.float16), "relu3"),
    (pooled_by_maximum, "deep"),
    (flattened_last, "deep"),
    (models.squeeze_excite, "weighed"),
    (models.frozen_batch, "relu2"),
]
OTHERS: list[tuple[Make, str]] = [
    (models.plain, "relu1"),
    (models.residual, "block1"),
    (models.channels_last, "relu0"),
    (models.squeeze_excite, "relu1"),
]


def naive_contributions(network: Any, layer: Any, scores: Any, image: Any, number: int) -> Any:
    axis = layer.layout.index("C")
    return naive.contributions(network.path, layer.name, axis, layer.units, image, scores.value, number)


@pytest.mark.parametrize(("make", "name"), LINEAR, ids=range(len(LINEAR)))
def test_linear_contributions_are_those_of_single_units_and_add_up(
    tmp_path: Path, make: Make, name: str
) -> None:
    network, layer, scores, parts, image = split_at(make(), name, tmp_path)
    assert why_not_linear(network, parts) == ""
    activations = parts.activations(image)
    for number in (0, 3):
        found = linear_contributions(parts, activations, number)
        whole, nothing, alone, _ = naive_contributions(network, layer, scores, image, number)
        # the head of a float16 network is rounded to float16, which the file edited by hand is not
        allowed = 2e-3 if layer.dtype == "float16" else 1e-5
        scale = max(abs(whole), np.abs(alone).max())
        assert found.bias == pytest.approx(nothing, abs=allowed * scale)
        assert found.score == pytest.approx(whole, abs=allowed * scale)
        np.testing.assert_allclose(found.values, alone, atol=allowed * scale)
        assert found.error is not None and found.error < ALLOWED_ERROR == 1e-4
        assert found.bias + found.values.sum() == pytest.approx(found.score, rel=1e-4)


@pytest.mark.parametrize(("make", "name"), [*LINEAR, *OTHERS], ids=range(len(LINEAR) + len(OTHERS)))
def test_ablation_is_the_file_edited_by_hand(tmp_path: Path, make: Make, name: str) -> None:
    network, layer, scores, parts, image = split_at(make(), name, tmp_path)
    found = ablation_contributions(parts, parts.activations(image), 2)
    whole, _, _, removed = naive_contributions(network, layer, scores, image, 2)
    allowed = 2e-3 if layer.dtype == "float16" else 1e-5
    scale = max(abs(whole), np.abs(removed).max())
    assert found.bias is None and found.error is None
    assert found.score == pytest.approx(whole, abs=allowed * scale)
    np.testing.assert_allclose(found.values, removed, atol=allowed * scale)
    assert np.abs(found.values).max() > 0


@pytest.mark.parametrize(
    ("make", "name"),
    [*LINEAR, *OTHERS, (transformer, "block"), (lambda: transformer(2, 1, order="TNC"), "block")],
    ids=range(len(LINEAR) + len(OTHERS) + 2),
)
def test_many_at_once_are_one_by_one(tmp_path: Path, make: Make, name: str) -> None:
    network, _, _, parts, image = split_at(make(), name, tmp_path)
    activations = parts.activations(image)
    ways: list[Any] = [ablation_contributions]
    if not why_not_linear(network, parts):
        ways.append(linear_contributions)
    for way in ways:
        one = way(parts, activations, 1, batch=1)
        for batch in (3, 100, None):
            many = way(parts, activations, 1, batch=batch)
            np.testing.assert_allclose(many.values, one.values, atol=1e-5 * max(1, abs(one.score)))
            assert many.score == one.score


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (models.channels_last, "relu1"),
        (lambda: models.plain(dtype=np.float16), "relu3"),
        (lambda: transformer(2, 1, order="TNC"), "block"),
    ],
    ids=range(3),
)
def test_sets_of_units_are_removed_from_every_layout(tmp_path: Path, make: Make, name: str) -> None:
    """One unit at a time they are ablation; all of them, what is put in their place; none, nothing."""
    _, layer, _, parts, image = split_at(make(), name, tmp_path)
    activations = parts.activations(image)
    removed = set_to(parts, activations, np.linspace(-1, 1, layer.units))
    units = layer.units
    absent = np.concatenate(
        [np.eye(units, dtype=bool), np.ones((1, units), bool), np.zeros((1, units), bool)]
    )
    for batch in (1, 5, None):
        scores = score_without_units(parts, activations, removed, absent, 2, batch=batch)
        found = ablation_contributions(parts, activations, 2, removed=removed, batch=batch)
        allowed = 1e-5 * max(1, abs(found.score))
        np.testing.assert_allclose(found.score - scores[:units], found.values, atol=allowed)
        assert scores[units] == pytest.approx(score_of(parts, removed, 2), abs=allowed)
        assert scores[-1] == pytest.approx(found.score, abs=allowed)
    assert changed_units(parts, activations, activations).tolist() == []
    other = activations.copy()
    parts.units_first(other)[0, [0, 3]] += 1
    assert changed_units(parts, activations, other).tolist() == [0, 3]


def test_units_that_are_zero_are_not_run(tmp_path: Path) -> None:
    _, layer, _, parts, image = split_at(models.channels_last(), "bias1", tmp_path)
    activations = parts.activations(image)
    parts.units_first(activations)[0, [1, 4]] = 0
    assert active_units(parts, activations).tolist() == [k for k in range(layer.units) if k not in (1, 4)]
    run: list[int] = []

    class Counting:
        def __call__(self, feed: dict[str, Any], names: Any) -> Any:
            run.append(len(feed[layer.name]))
            return parts.tail(feed, names)

    counted = replace(parts, tail=cast(Any, Counting()))
    for way in (ablation_contributions, linear_contributions):
        run.clear()
        found = way(counted, activations, 0)
        assert found.values[[1, 4]].tolist() == [0, 0]
        assert sorted(run)[-1] == layer.units - 2 and sum(run) <= layer.units


def test_shares_keep_their_sign_and_come_to_one_on_each_side() -> None:
    assert signed_shares([3, -1, 1, 0, -3]) == [0.75, -0.25, 0.25, 0, -0.75]
    assert signed_shares([0.0, 0.0]) == [0, 0]
    assert signed_shares([-2.0]) == [-1]
