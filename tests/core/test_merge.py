"""A pass divided among several, and put together again, is the undivided pass."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_counts import COUNTS, Quiet, World, worlds

from onnxdissect.core.image_ranges import ImageRanges
from onnxdissect.core.intake import Intake
from onnxdissect.core.pass_state import PassState
from onnxdissect.core.plan import Plan
from onnxdissect.pipeline.tally import tally


def part(world: World, plan: Plan, folder: Path, images: list[int]) -> PassState:
    """A pass over some images, one after another."""
    state = PassState(plan, folder)
    intake = Intake(state)
    for image in images:
        one = np.ascontiguousarray(world.activations[image : image + 1])
        intake.take(image, [[one]], world.annotations[image : image + 1], str)
    return state


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
        (merged,) = tally(plan, passed, Quiet())
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
