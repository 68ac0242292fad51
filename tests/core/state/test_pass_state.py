"""A pass divided among several, pickled and put together again, is the undivided pass."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_counts import COUNTS, World, worlds

from onnxdissect.core.plan import Plan
from onnxdissect.core.progress import Silent
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.intake import Intake
from onnxdissect.core.state.pass_state import PassState
from onnxdissect.errors import ImagesOverlapError, RunFormatError
from onnxdissect.pipeline.tally import tally


def part(world: World, plan: Plan, folder: Path, images: list[int]) -> PassState:
    """A pass over some images, one after another."""
    return taken(world, PassState(plan, folder), images)


def taken(world: World, state: PassState, images: list[int]) -> PassState:
    intake = Intake(state)
    for image in images:
        one = np.ascontiguousarray(world.activations[image : image + 1])
        intake.take(image, [[one]], world.annotations[image : image + 1], str)
    return intake.gathered()


def copied(state: PassState) -> PassState:
    copy: PassState = pickle.loads(pickle.dumps(state))
    return copy


@given(worlds(), st.data(), st.sampled_from([100, 10**6]))
@settings(max_examples=60, deadline=None)
def test_merged_is_whole(world: World, data: st.DataObject, spool_bytes: int) -> None:
    plan = world.plan(spool_bytes=spool_bytes)
    whole, counted = world.dissect(world.plan(), batch=1)
    images = len(world.annotations)
    owners = data.draw(st.lists(st.integers(0, 2), min_size=images, max_size=images))
    turns = data.draw(st.permutations(range(3)))
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(i) for i in range(3)]
        for folder in folders:
            folder.mkdir()
        parts = [
            part(world, plan, folders[i], [x for x in range(images) if owners[x] == i]) for i in range(3)
        ]
        first, second, third = (parts[i] for i in turns)
        # (a + b) + c or a + (b + c)
        if data.draw(st.booleans()):
            first.merge(second)
            first.merge(third)
        else:
            second.merge(third)
            first.merge(second)
        assert first.images == ImageRanges.of((0, images))
        passed = first.settle()
        assert first.layers[0].thresholds.nbytes == 0, "bins are not needed any more"
        (merged,) = tally(plan, passed, Silent()).layers
    np.testing.assert_array_equal(passed.thresholds[0], whole.thresholds[0])
    np.testing.assert_array_equal(passed.samples[0], whole.samples[0])
    np.testing.assert_array_equal(passed.truth, whole.truth)
    np.testing.assert_array_equal(passed.concept_images, whole.concept_images)
    np.testing.assert_array_equal(merged.top.images, counted.top.images)
    np.testing.assert_array_equal(merged.top.values, counted.top.values)
    for ours, theirs in zip(merged.top.maps(), counted.top.maps(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for field in (*COUNTS, "top_masks"):
        np.testing.assert_array_equal(getattr(merged.counts, field), getattr(counted.counts, field), field)


@given(worlds(), st.data(), st.sampled_from([1, 10**6]))
@settings(max_examples=40, deadline=None)
def test_a_pickled_state_goes_on_and_can_be_read_again(
    world: World, data: st.DataObject, spool_bytes: int
) -> None:
    plan = world.plan(spool_bytes=spool_bytes)
    whole, _ = world.dissect(world.plan(), batch=1)
    order = data.draw(st.permutations(range(len(world.annotations))))
    at = data.draw(st.integers(0, len(order)))
    with tempfile.TemporaryDirectory() as folder:
        state = part(world, plan, Path(folder), order[:at])
        pickled = pickle.dumps(state)
        for lost in range(2):
            # The first time, what came after the pickle is lost.
            loaded = pickle.loads(pickled)
            assert loaded.images == ImageRanges.of(*((image, image + 1) for image in order[:at]))
            passed = taken(world, loaded, order[at:]).settle()
            np.testing.assert_array_equal(passed.thresholds[0], whole.thresholds[0], err_msg=str(lost))
            assert sorted(chunk.start for chunk in passed.spool) == sorted(order)
        # Nor does the state that was pickled lose anything to its copies.
        again = taken(world, state, order[at:])
        assert sorted(chunk.start for chunk in again.spool) == sorted(order)


@given(worlds(), st.data())
@settings(max_examples=60, deadline=None)
def test_states_merge_in_any_order_and_grouping(world: World, data: st.DataObject) -> None:
    plan = world.plan()
    images = len(world.annotations)
    owners = data.draw(st.lists(st.integers(0, 3), min_size=images, max_size=images))
    with tempfile.TemporaryDirectory() as name:
        a, b, c = (
            part(world, plan, Path(name), [x for x in range(images) if owners[x] == i]) for i in range(3)
        )
        nothing = PassState(plan, Path(name))
        one, two, three, four = copied(a), copied(b), copied(b), copied(nothing)
        one.merge(copied(b))
        one.merge(copied(c))
        three.merge(copied(c))
        left, right = one, copied(a)
        right.merge(three)
        two.merge(copied(a))
        two.merge(copied(c))
        four.merge(copied(left))
        for other in (right, two, four):
            equal(left, other)
        if a.images:
            before = copied(left)
            with pytest.raises(ImagesOverlapError, match=rf"images {next(iter(a.images))}\b"):
                left.merge(a)
            equal(left, before)


def equal(one: PassState, other: PassState) -> None:
    """Everything but the order of chunks, and how far they are thinned."""
    assert one.images == other.images
    np.testing.assert_array_equal(one.truth, other.truth)
    np.testing.assert_array_equal(one.concept_images, other.concept_images)
    assert sorted(chunk.start for chunk in one.spool) == sorted(chunk.start for chunk in other.spool)
    for ours, theirs in zip(one.layers, other.layers, strict=True):
        np.testing.assert_array_equal(ours.thresholds.bounds, theirs.thresholds.bounds)
        for mine, yours in (
            (ours.thresholds.__getstate__(), theirs.thresholds.__getstate__()),
            (ours.top.__getstate__(), theirs.top.__getstate__()),
            ({"samples": ours.samples.values}, {"samples": theirs.samples.values}),
        ):
            assert mine.keys() == yours.keys()
            for key, value in mine.items():
                np.testing.assert_array_equal(value, yours[key], err_msg=key)


@given(worlds())
@settings(max_examples=5, deadline=None)
def test_a_merge_names_the_damaged_file_of_a_state_that_has_travelled(world: World) -> None:
    plan = world.plan()
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / place for place in ("here", "there")]
        for folder in folders:
            folder.mkdir()
        here = PassState(plan, folders[0])
        there = part(world, plan, folders[1], list(range(len(world.annotations))))
        there.save({})
        (damaged,) = folders[1].glob("spool-*.bin")
        content = bytearray(damaged.read_bytes())
        content[-1] ^= 1
        damaged.write_bytes(content)
        with pytest.raises(RunFormatError, match=rf"there/{damaged.name} is damaged"):
            here.merge(copied(there))
