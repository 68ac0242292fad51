"""Counts image by image against their twin, and how they are kept."""

from __future__ import annotations

import tempfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import method as naive
from naive import statistics as naive_statistics
from support.drawn_counts import World, annotate, joined, witnessed, worlds

from onnxdissect.core.kernels.resampling.gather import choose_top_concepts
from onnxdissect.core.per_image_counts import TOP_CONCEPTS
from onnxdissect.core.progress import Silent
from onnxdissect.core.scoring import iou
from onnxdissect.errors import OutputError, RunFormatError
from onnxdissect.pipeline.tally import tally
from onnxdissect.results.formats.arrays import Sizes
from onnxdissect.results.formats.per_image_counts import (
    read_per_image_counts,
    read_per_image_parts,
    read_truth,
    write_per_image_counts,
    write_truth,
)
from onnxdissect.statistics.per_image_collector import PerImageCollector


@given(worlds(), st.sampled_from([0, 200, 10**6]), st.integers(1, 3), st.sampled_from([1, 4, 10**6]))
@settings(max_examples=60, deadline=None)
def test_evidence_is_that_of_the_masks(world: World, memory: int, threads: int, part: int) -> None:
    per_image, truth = witnessed(world, memory=memory, threads=threads, part=part)
    expected = world.expected()
    masks = naive_statistics.masks(
        world.activations, world.images, expected.thresholds, world.pixels, world.field
    )
    concepts = range(len(world.category_of))
    covers = [[image.covers(c + 1) for c in concepts] for image in world.images]
    scores = iou(expected.intersection, expected.activation, expected.truth, np.array(world.category_of))
    room = min(TOP_CONCEPTS, len(world.category_of))
    at = 0
    for q in range(len(world.quantiles)):
        for k in range(world.activations.shape[1]):
            chosen = naive_statistics.top_concepts(scores[q, k].tolist(), room)
            assert per_image.top_concepts[q, k].tolist() == chosen
            row = q * world.activations.shape[1] + k
            assert per_image.starts[row] == at
            for x in range(len(world.images)):
                if (q, k, x) not in masks:
                    continue
                mask = masks[q, k, x]
                met = [int((mask & covers[x][c]).sum()) for c in concepts]
                assert per_image.image[at] == x
                assert per_image.activation[at] == mask.sum()
                assert per_image.intersection[at].tolist() == [met[c] if c >= 0 else 0 for c in chosen]
                hit = {world.category_of[c] for c in concepts if met[c]}
                bits = np.unpackbits(per_image.overlap[at], count=world.categories)
                assert set(np.flatnonzero(bits).tolist()) == hit
                at += 1
    assert per_image.starts[-1] == at == per_image.image.size
    for x in range(len(world.images)):
        span = slice(truth.starts[x], truth.starts[x + 1])
        held = {c: int(covers[x][c].sum()) for c in concepts if covers[x][c].any()}
        assert dict(zip(truth.concept[span].tolist(), truth.pixels[span].tolist(), strict=True)) == held
        assert truth.concept[span].tolist() == sorted(held)
        has_category = {world.category_of[c] for c in held}
        assert set(np.flatnonzero(truth.categories[x]).tolist()) == has_category


@given(worlds(), st.permutations(range(6)))
@settings(max_examples=40, deadline=None)
def test_evidence_adds_up_whatever_the_order(world: World, order: list[int]) -> None:
    per_image, truth = witnessed(world)
    other, again = witnessed(world, memory=0, threads=3, order=order)
    for one, two in ((per_image, other), (truth, again)):
        for field in fields(one):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name), strict=True)
    expected = world.expected()
    q, k, _ = per_image.top_concepts.shape
    for row in range(q * k):
        span = slice(per_image.starts[row], per_image.starts[row + 1])
        at = (row // k, row % k)
        assert per_image.activation[span].sum() == expected.activation_total[at]
        for slot, c in enumerate(per_image.top_concepts[at]):
            if c >= 0:
                assert per_image.intersection[span, slot].sum() == expected.intersection[at][c]


@given(st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3]), min_size=4, max_size=4), min_size=1))
@settings(deadline=None)
def test_contenders_are_the_best_concepts(scores: list[list[float]]) -> None:
    for most in range(5):
        chosen = choose_top_concepts(np.array(scores), most)
        assert chosen.tolist() == [naive_statistics.top_concepts(row, most) for row in scores]
    with pytest.raises(ValueError, match="5 of 4"):
        choose_top_concepts(np.array(scores), 5)


@given(world=worlds())
@settings(max_examples=20, deadline=None)
def test_evidence_reads_back(world: World) -> None:
    per_image, truth = witnessed(world)
    n, k = world.activations.shape[:2]
    concepts = len(world.category_of)
    sizes = Sizes(len(world.quantiles), k, concepts, world.categories, 0, n, 10**6)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        assert read_per_image_counts(folder, sizes) is None
        assert read_truth(folder, concepts, world.categories, n) is None
        write_per_image_counts(folder, per_image.starts, per_image.parts(10**6))
        write_truth(folder, truth)
        at_once = (folder / "evidence.npz").read_bytes()
        write_per_image_counts(folder, per_image.starts, per_image.parts(3))
        assert (folder / "evidence.npz").read_bytes() == at_once
        assert sorted(file.name for file in folder.iterdir()) == ["evidence.npz", "truth.npz"]
        with np.load(folder / "evidence.npz") as plain:
            # the name that this array has had in files from the first
            names = ["contenders" if f.name == "top_concepts" else f.name for f in fields(per_image)]
            assert plain.files == names
        found = read_per_image_counts(folder, sizes)
        counts = read_truth(folder, concepts, world.categories, n)
        assert found is not None and counts is not None
        for one, two in ((per_image, found), (truth, counts)):
            for field in fields(one):
                np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name), strict=True)
        for masks in (1, 10**6):
            parts = read_per_image_parts(folder, sizes, masks)
            assert parts is not None
            again = joined(list(parts), per_image.starts, len(world.quantiles))
            for field in fields(per_image):
                np.testing.assert_array_equal(getattr(again, field.name), getattr(per_image, field.name))
        for wrong in (replace(sizes, K=k + 1), replace(sizes, Q=sizes.Q + 1)):
            with pytest.raises(RunFormatError, match="does not belong"):
                read_per_image_counts(folder, wrong)
            with pytest.raises(RunFormatError, match="does not belong"):
                list(read_per_image_parts(folder, wrong) or ())
        for name_ in ("evidence.npz", "truth.npz"):
            whole = (folder / name_).read_bytes()
            (folder / name_).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(RunFormatError, match="damaged"):
            read_per_image_counts(folder, sizes)
        with pytest.raises(RunFormatError, match="damaged"):
            list(read_per_image_parts(folder, sizes) or ())
        with pytest.raises(RunFormatError, match="damaged"):
            read_truth(folder, concepts, world.categories, n)


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    activations = np.arange(32, dtype=np.float32).reshape(2, 1, 4, 4)
    image = naive.NaiveImage((4, 4), [np.ones((4, 4), np.int64)], [])
    world = World(
        activations, [annotate(image.grid, image.maps, [])] * 2, [image] * 2, [0], 1, [0.2], None, (4, 4), 0
    )
    plan = world.plan()
    passed, _ = world.dissect(plan, batch=1)
    collector = PerImageCollector(tmp_path / "nowhere", plan, masks=True, permutation_null=None, memory=0)
    with pytest.raises(OutputError, match="nowhere"):
        tally(plan, passed, Silent(), collector)
