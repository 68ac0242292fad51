"""A spool file whose checksums are right is taken up only if all it points to is there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from support.drawn_counts import World, annotate, worlds

from onnxdissect.core.spool.chunk import Chunk
from onnxdissect.core.spool.spool_files import SpoolFiles
from onnxdissect.core.state.intake import Intake
from onnxdissect.core.state.pass_state import PassState

Array = NDArray[Any]
TAG = {"batch": 1}


def world() -> World:
    """Three images of two units and a 4 x 5 map, with two concepts in planes and a third of whole images."""
    planes = [np.array([[1, 1, 0], [0, 2, 2]]), np.array([[2, 2, 2], [2, 1, 1]])]
    return World(
        activations=np.random.default_rng(0).random((3, 2, 4, 5), np.float32),
        annotations=[annotate((2, 3), planes, [3]) for _ in range(3)],
        images=[],
        category_of=[0, 0, 0],
        categories=1,
        quantiles=[0.5],
        field=None,
        pixels=(8, 8),
        top=1,
    )


def saved(drawn: World, folder: Path) -> PassState:
    """A pass over all images, saved; given as it was before it began."""
    state = PassState(drawn.plan(), folder)
    intake = Intake(state)
    for image in range(len(drawn.annotations)):
        one = np.ascontiguousarray(drawn.activations[image : image + 1])
        intake.take(image, [[one]], drawn.annotations[image : image + 1], str)
    intake.gathered().save(TAG)
    return PassState(drawn.plan(), folder)


def written_anew(folder: Path, change: Callable[[Chunk], Chunk]) -> None:
    """Put another chunk of the same size into the saved file, with the checksums that it has."""
    (path,) = folder.glob("spool-*.bin")
    files = SpoolFiles(folder)
    assert files.restore([(int(path.stem[-6:]), path.stat().st_size)], lambda _: True)
    (held,) = files
    files.write([change(held)])
    (other,) = set(folder.glob("spool-*.bin")) - {path}
    assert other.stat().st_size == path.stat().st_size
    other.replace(path)


def activations(name: str, at: int, value: int) -> Callable[[Chunk], Chunk]:
    def change(chunk: Chunk) -> Chunk:
        (held,) = chunk.layers
        changed: dict[str, Any] = {name: put(getattr(held, name), at, value)}
        return replace(chunk, layers=(replace(held, **changed),))

    return change


def labels(name: str, at: int, value: int) -> Callable[[Chunk], Chunk]:
    def change(chunk: Chunk) -> Chunk:
        held = chunk.annotations
        return replace(chunk, annotations=replace(held, **{name: put(getattr(held, name), at, value)}))

    return change


def put(array: Array, at: int, value: int) -> Array:
    changed = array.copy()
    changed[at] = value
    return changed


CHANGES = {
    "a unit beyond the layer": activations("units", 1, 2),
    "a unit below zero": activations("units", 0, -1),
    "a unit twice": activations("units", 1, 0),
    "a cell beyond the map": activations("cells", -1, 20),
    "cells out of order": activations("cells", 0, 19),
    "a map that begins behind the next": activations("starts", 1, 10**6),
    "a map that begins below zero": activations("starts", 1, -1),
    "the first map not at the beginning": activations("starts", 0, 1),
    "an image whose maps are beyond the end": activations("image_starts", -1, 7),
    "a label beyond the vocabulary": labels("run_labels", 0, 4),
    "a run of no pixels": labels("run_lengths", 0, 0),
    "runs of more pixels than the planes": labels("run_lengths", -1, 2**32 - 1),
    "an image that ends within a run": labels("plane_starts", 1, 11),
    "an image without an end": labels("plane_starts", -1, 10**12),
    "a grid that is none": labels("grid_of", 1, 1),
    "a grid below zero": labels("grid_of", 1, -1),
    "a concept of the whole image beyond the vocabulary": labels("image_labels", 0, 3),
    "a concept of the whole image below zero": labels("image_labels", 2, -1),
    "concepts of images out of order": labels("image_label_starts", 1, 9),
    "an image that was not taken in": lambda chunk: replace(chunk, start=1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_indices_out_of_range_are_not_taken_up(change: Callable[[Chunk], Chunk], tmp_path: Path) -> None:
    fresh = saved(world(), tmp_path)
    written_anew(tmp_path, change)
    assert not fresh.restore(TAG)
    assert not fresh.images


def test_the_same_file_written_anew_is_taken_up(tmp_path: Path) -> None:
    fresh = saved(world(), tmp_path)
    written_anew(tmp_path, lambda chunk: chunk)
    assert fresh.restore(TAG)
    assert len(fresh.images) == 3


@given(worlds())
@settings(max_examples=60, deadline=None)
def test_whatever_a_pass_saves_is_taken_up(drawn: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fresh = saved(drawn, Path(folder))
        assert fresh.restore(TAG)
        assert len(fresh.images) == len(drawn.annotations)
