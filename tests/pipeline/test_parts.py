"""Settling, tallying and the null, asked of parts of a spool in any order, add up to those of the whole."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from dataclasses import fields, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_counts import COUNTS, World, joined, worlds

from onnxdissect.core.per_image_counts import PerImageCounts, TruthCounts
from onnxdissect.core.plan import Plan
from onnxdissect.core.progress import Silent
from onnxdissect.core.scoring import iou
from onnxdissect.core.spool.spool import Chunk, Spool
from onnxdissect.core.state.deciding_bins import count_bins, narrow_bins
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.intake import Intake
from onnxdissect.core.state.pass_state import PassResult, PassState
from onnxdissect.errors import ImagesMissingError, ImagesOverlapError, RunMismatchError
from onnxdissect.pipeline.tally import tally
from onnxdissect.statistics.per_image_collector import PerImageCollector
from onnxdissect.statistics.permutation_null import PermutationNull


def travelled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def merged(values: list[Any], pairwise: bool) -> Any:
    """One after another, or the last two first."""

    def merge(one: Any, other: Any) -> Any:
        one.merge(other)
        return one

    values = list(map(travelled, values))
    return reduce(merge, values if pairwise else [values[0], reduce(merge, values[1:])])


def spool_of(chunks: list[Chunk]) -> Spool:
    spool = Spool(Path(), 10**9)
    for chunk in chunks:
        spool.append(chunk, [])
    return spool


def a_pass(world: World, plan: Plan, folder: Path) -> PassState:
    intake = Intake(PassState(plan, folder))
    for image in range(len(world.annotations)):
        one = np.ascontiguousarray(world.activations[image : image + 1])
        intake.take(image, [[one]], world.annotations[image : image + 1], str)
    return intake.gathered()


@given(worlds(), st.data(), st.sampled_from([0, 10**6]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_parts_add_up(world: World, data: st.DataObject, memory: int, pairwise: bool) -> None:
    plan = world.plan(threads=1)
    owners = data.draw(st.lists(st.integers(0, 2), min_size=plan.images, max_size=plan.images))
    order = data.draw(st.permutations(range(3)))
    with tempfile.TemporaryDirectory() as name:
        state = a_pass(world, plan, Path(name))
        chunks = list(state.spool)
        parts = [[chunk for chunk in chunks if owners[chunk.start] == part] for part in order]
        held = [ImageRanges.of(*((c.start, c.start + len(c)) for c in part)) for part in parts]

        bins = travelled(state.deciding_bins())
        while not all(layer.settled for layer in bins):
            counted = [count_bins(plan, bins, part) for part in parts]
            bins = travelled(narrow_bins(bins, merged(counted, pairwise)))
        passed = state.settle()
        np.testing.assert_array_equal(state.result(bins).thresholds[0], passed.thresholds[0])

        def counting(place: str, passed: PassResult) -> tuple[Any, PerImageCollector]:
            folder = Path(name) / place
            folder.mkdir()
            null = PermutationNull(plan, 2, 0)
            collector = PerImageCollector(folder, plan, masks=True, permutation_null=null, memory=memory)
            return tally(plan, passed, Silent(), collector), collector

        whole, collector = counting("whole", passed)
        found = [counting(str(i), replace(passed, spool=spool_of(part))) for i, part in enumerate(parts)]
        assert [part.images for part, _ in found] == held == [seen.images for _, seen in found]
        again = merged([part for part, _ in found], pairwise)
        assert again.images == whole.images
        for field in (*COUNTS, "top_masks"):
            ours, theirs = (getattr(counted.layers[0].counts, field) for counted in (again, whole))
            np.testing.assert_array_equal(ours, theirs, field)

        gathered = merged([seen for _, seen in found], pairwise)
        assert gathered.images == collector.images
        counts = whole.layers[0].counts
        scores = iou(counts.intersection, counts.activation, passed.truth, plan.vocabulary.category_of)
        (masks, truth), (all_masks, all_truth) = (per_image(c, plan, scores) for c in (gathered, collector))
        for field in (f.name for f in fields(PerImageCounts)):
            np.testing.assert_array_equal(getattr(masks, field), getattr(all_masks, field), field)
        for field in (f.name for f in fields(TruthCounts)):
            np.testing.assert_array_equal(getattr(truth, field), getattr(all_truth, field), field)

        null, expected = gathered.permutation_null, collector.permutation_null
        assert null is not None and expected is not None
        sample = travelled(null.label_sample())

        def in_parts(shares: list[tuple[int, slice]]) -> Any:
            passes = [replace(passed, spool=spool_of(part)) for part in parts]
            return merged([null.count(part, sample, shares, Silent()) for part in passes], pairwise)

        rounds = map(in_parts, null.rounds())
        (ours,), (theirs,) = null.score(passed, sample, rounds), expected.scores(passed, Silent())
        np.testing.assert_array_equal(ours.best, theirs.best)
        np.testing.assert_array_equal(ours.surprise, theirs.surprise)


def per_image(
    collector: PerImageCollector, plan: Plan, scores: np.ndarray[Any, np.dtype[np.float64]]
) -> tuple[PerImageCounts, TruthCounts]:
    parts = list(collector.per_image(0, scores))
    return joined(parts, collector.starts(0), len(plan.quantiles)), collector.truth()


@given(worlds())
@settings(max_examples=5, deadline=None)
def test_the_same_images_are_never_added_twice(world: World) -> None:
    plan = world.plan(threads=1)
    with tempfile.TemporaryDirectory() as name:
        state = a_pass(world, plan, Path(name))
        bins = state.deciding_bins()
        passed = state.settle()
        null = PermutationNull(plan, 2, 0)
        collector = PerImageCollector(Path(name), plan, masks=True, permutation_null=null)
        counted = tally(plan, passed, Silent(), collector)
        shares = null.rounds()[0]
        values: list[tuple[Any, Callable[[Any], Any]]] = [
            (count_bins(plan, bins, state.spool), lambda value: value.layers[0]),
            (counted, lambda value: value.layers[0].counts.intersection),
            (collector, lambda value: value.starts(0)),
            (null, lambda value: value.label_sample().labels),
            (
                null.count(passed, null.label_sample(), shares, Silent()),
                lambda value: value.shares[0].counts.points,
            ),
        ]
        for value, looked_at in values:
            before = looked_at(travelled(value))
            with pytest.raises(ImagesOverlapError, match=r"images 0\b"):
                value.merge(travelled(value))
            np.testing.assert_array_equal(looked_at(value), before)


@given(worlds())
@settings(max_examples=5, deadline=None)
def test_counts_of_other_runs_are_never_added(world: World) -> None:
    plan = world.plan(threads=1)
    others = {
        "top": replace(plan, top=plan.top + 1),
        "quantiles": replace(plan, quantiles=(*plan.quantiles[:-1], 0.37)),
        "model": replace(plan, inputs={"model": "another file"}),
        "null": plan,
        "seed": plan,
    }
    with tempfile.TemporaryDirectory() as name:

        def values(plan: Plan, shuffles: int = 2, seed: int = 0) -> list[Any]:
            state = a_pass(world, plan, Path(name))
            passed = state.settle()
            null = PermutationNull(plan, shuffles, seed)
            collector = PerImageCollector(Path(name), plan, masks=True, permutation_null=null)
            counted = tally(plan, passed, Silent(), collector)
            shuffled = null.count(passed, null.label_sample(), null.rounds()[0], Silent())
            bins = count_bins(plan, state.deciding_bins(), state.spool)
            return [collector, null, shuffled, state, counted, bins]

        ours = values(plan)
        for part, other in others.items():
            theirs = values(other, 2 + (part == "null"), int(part == "seed"))
            for one, more in zip(ours[: 3 if part in ("null", "seed") else None], theirs, strict=False):
                before = pickle.dumps(one.images)
                with pytest.raises(RunMismatchError, match=rf"differ in .*\b{part}: "):
                    one.merge(travelled(more))
                assert pickle.dumps(one.images) == before
        # Bins that another walk has narrowed are others, even of the same pass.
        state = a_pass(world, plan, Path(name))
        bins = state.deciding_bins()
        later = narrow_bins(bins, count_bins(plan, bins, state.spool))
        with pytest.raises(RunMismatchError, match="bins of layer 0"):
            count_bins(plan, bins, []).merge(count_bins(plan, later, state.spool))


@given(worlds())
@settings(max_examples=5, deadline=None)
def test_a_pass_that_lacks_images_is_not_settled(world: World) -> None:
    plan = replace(world.plan(threads=1), images=len(world.annotations) + 2)
    with tempfile.TemporaryDirectory() as name:
        state = a_pass(world, plan, Path(name))
        with pytest.raises(ImagesMissingError, match=f"2 have not .* {plan.images - 2} to {plan.images - 1}"):
            state.settle()
