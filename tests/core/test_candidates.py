"""Concepts held by few images: counted, but no candidates for labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_counts import World, shuffled, witnessed, worlds
from support.small_runs import Convolution, broden, dissect, network

import onnxdissect
from onnxdissect.core.candidates import among, candidates, check_min_images, followed
from onnxdissect.data import open_dataset
from onnxdissect.errors import ParameterError
from onnxdissect.results import rescore
from onnxdissect.results.records import Unit


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(5, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 30, seed=2)
    return tmp_path


def middle(run: onnxdissect.Dissection) -> int:
    """A number of images that about half of the concepts are held by."""
    return int(np.median([concept.images for concept in run.concepts])) + 1


def labels(units: list[Unit]) -> list[tuple[str, float, object]]:
    return [(unit.label, unit.iou, unit.best) for unit in units]


def test_labels_are_the_best_of_the_candidates(world: Path) -> None:
    whole = dissect(world, out=world / "whole")
    least = middle(whole)
    run = dissect(world, min_images=least)
    scores = whole.iou("relu0")[0]
    held = [c for c, concept in enumerate(run.concepts) if concept.images >= least]
    assert 0 < len(held) < len(run.concepts)
    assert [unit.label for unit in run.units()] != [unit.label for unit in whole.units()]
    for unit in run.units():
        best = max(held, key=lambda c: (scores[unit.unit, c], -c))
        if scores[unit.unit, best] == 0:
            assert (unit.label, unit.iou, unit.iou_low) == ("", 0, None)
            continue
        assert (unit.label, unit.iou) == (run.concepts[best].name, scores[unit.unit, best])
        assert unit.iou_low is not None
        for category, (name, iou) in unit.best.items():
            inside = [c for c in held if run.concepts[c].category == category and scores[unit.unit, c] > 0]
            best = max(inside, key=lambda c: (scores[unit.unit, c], -c), default=-1)
            assert (name, iou) == (
                ("", 0) if best < 0 else (run.concepts[best].name, scores[unit.unit, best])
            )
    # Counts, and what concepts there are, stay as they were.
    assert run.concepts == whole.concepts
    np.testing.assert_array_equal(run.counts("relu0").intersection, whole.counts("relu0").intersection)
    per_image = run.per_image("relu0")
    assert per_image is not None
    assert set(per_image.top_concepts.ravel().tolist()) <= {-1, *held}


def test_a_run_is_rescored_with_other_candidates_and_back(world: Path) -> None:
    whole = dissect(world)
    least = middle(whole)
    fresh = dissect(world, min_images=least, out=world / "fresh")
    again = rescore(world / "run", min_images=least)
    assert labels(again.units()) == labels(fresh.units())
    assert again.manifest["parameters"]["min_images"] == least
    # The same resamples, as far as the run followed the same concepts; never a label that was not followed.
    for one, two in zip(again.units(), fresh.units(), strict=True):
        assert one.iou_low in (None, two.iou_low)
    assert any(unit.iou_low is not None for unit in again.units())
    # What all concepts reach by chance is no measure for some of them.
    assert {unit.p_value for unit in again.units()} == {None}
    assert again.summary()[0].detectors_fdr is None
    assert None not in {unit.p_value for unit in fresh.units()}
    assert rescore(world / "run", min_images=1).units() == whole.units()


def test_it_is_part_of_the_run(world: Path) -> None:
    dissect(world, min_images=2)
    with pytest.raises(onnxdissect.errors.RunMismatchError, match=r"min_images: 2 there, 3 asked for"):
        dissect(world, min_images=3)
    # A run of a version without it left no concept out.
    run = dissect(world, out=world / "older")
    manifest = json.loads((run.path / "manifest.json").read_text())
    del manifest["parameters"]["min_images"], manifest["made_with"]
    (run.path / "manifest.json").write_text(json.dumps(manifest))
    old = onnxdissect.load(run.path)
    assert old.min_images == 1 and old.units() == run.units()
    assert dissect(world, out=world / "older").units() == run.units()
    assert {unit.p_value for unit in rescore(run.path).units()} != {None}


def test_impossible_numbers_are_refused(world: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        dissect(world, min_images=0)
    assert caught.value.hint and not (world / "run").exists()
    run = dissect(world)
    with pytest.raises(ParameterError):
        rescore(run.path, min_images=-1)
    with pytest.raises(ParameterError):
        check_min_images(0)


def test_a_run_without_a_candidate_is_refused_before_it_starts(world: Path) -> None:
    held = sorted((concept.images, concept.name) for concept in dissect(world).concepts)
    most, images = held[-1][0], len(open_dataset(world / "data"))
    assert most < images, "a concept in every image leaves nothing to refuse"
    with pytest.raises(ParameterError) as caught:
        dissect(world, min_images=most + 1, out=world / "none")
    assert f"by {most + 1} of the {images} images" in caught.value.message
    assert caught.value.message.endswith(f"is held by {most}")
    assert any(f"commonest, {name!r}" in caught.value.message for count, name in held if count == most)
    assert caught.value.hint == f"--min-images {most} at most" and not (world / "none").exists()
    assert dissect(world, min_images=most, out=world / "some").min_images == most


@given(worlds(), st.lists(st.booleans(), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_what_is_followed_equals_a_filter(world: World, chosen: list[bool]) -> None:
    per_image, _ = witnessed(world)
    candidate = np.array([chosen[c % len(chosen)] for c in range(len(world.category_of))])
    kept = followed(per_image, candidate)
    q, k, room = per_image.top_concepts.shape
    for row in range(q * k):
        before, after = (e.top_concepts.reshape(-1, room)[row].tolist() for e in (per_image, kept))
        expected = [c for c in before if c >= 0 and candidate[c]]
        assert after == expected + [-1] * (room - len(expected))
        for mask in range(per_image.starts[row], per_image.starts[row + 1]):
            met = dict(zip(before, per_image.intersection[mask].tolist(), strict=True))
            assert kept.intersection[mask].tolist() == [met[c] for c in expected] + [0] * (
                room - len(expected)
            )
    np.testing.assert_array_equal(kept.activation, per_image.activation)


@given(worlds(), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_chance_is_measured_among_the_candidates(world: World, least: int) -> None:
    held = candidates(world.expected().concept_images, least)
    some, drawn = shuffled(world, 2, 3, min_images=least)
    every, all_drawn = shuffled(world, 2, 3)
    np.testing.assert_array_equal(drawn.permutations, all_drawn.permutations)
    assert (some.best <= every.best).all()
    if held.all():
        np.testing.assert_array_equal(some.best, every.best)
    if not held.any():
        assert not some.best.any()


def test_scores_of_others_are_nothing() -> None:
    iou = np.array([[0.3, 0.2, 0.1]])
    assert among(iou, np.array([False, True, True])).tolist() == [[0.0, 0.2, 0.1]]
    assert among(iou, np.ones(3, np.bool_)) is iou
    assert candidates(np.array([0, 1, 5]), 1).tolist() == [False, True, True]
