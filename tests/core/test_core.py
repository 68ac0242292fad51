"""The core against `naive/method.py`: every count, threshold and mask, bit for bit."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from naive import method as naive
from numpy.typing import NDArray
from support.drawn_counts import COUNTS, World, annotate, worlds

from onnxdissect.core.kernels.activations.encode import SparseEncoder
from onnxdissect.core.kernels.activations.rank import bin_edges, order
from onnxdissect.core.kernels.activations.refilter import refilter
from onnxdissect.core.plan import LayerPlan
from onnxdissect.core.progress import Silent
from onnxdissect.core.quantiles import check_quantiles, quantile_warnings, tail_size
from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.spool.arena import Arena
from onnxdissect.core.spool.spool import Spool
from onnxdissect.core.state.samples import Samples
from onnxdissect.core.state.thresholds import Thresholds
from onnxdissect.core.state.top_images import TopImages
from onnxdissect.errors import NonFiniteError, ParameterError
from onnxdissect.pipeline.tally import tally


@given(
    worlds(), st.integers(1, 4), st.integers(1, 3), st.sampled_from([1, 2, 5]), st.sampled_from([0, 10**6])
)
@settings(max_examples=80, deadline=None)
def test_pass_and_tally_equal_the_formulas(
    world: World, batch: int, lanes: int, threads: int, spool_bytes: int
) -> None:
    plan = world.plan(threads=threads, spool_bytes=spool_bytes, block=2 if batch < 3 else 4)
    passed, counted = world.dissect(plan, batch, lanes)
    expected = world.expected()
    np.testing.assert_array_equal(counted.thresholds, expected.thresholds)
    np.testing.assert_array_equal(passed.truth, expected.truth)
    np.testing.assert_array_equal(passed.concept_images, expected.concept_images)
    np.testing.assert_array_equal(counted.top.images, expected.top_images)
    np.testing.assert_array_equal(counted.top.values, expected.top_values)
    for name in COUNTS:
        np.testing.assert_array_equal(getattr(counted.counts, name), getattr(expected, name), err_msg=name)


@given(worlds(), st.data())
@settings(max_examples=40, deadline=None)
def test_chunks_are_tallied_in_any_order(world: World, data: st.DataObject) -> None:
    plan = world.plan()
    passed, counted = world.dissect(plan, batch=1)
    shuffled = Spool(Path(), 10**9)
    bounds = [np.full(world.activations.shape[1], -np.inf, np.float32)]
    for chunk in data.draw(st.permutations(list(passed.spool))):
        shuffled.append(chunk, bounds)
    (again,) = tally(plan, replace(passed, spool=shuffled), Silent()).layers
    for name in (*COUNTS, "top_masks"):
        np.testing.assert_array_equal(
            getattr(again.counts, name), getattr(counted.counts, name), err_msg=name
        )


@given(worlds())
@settings(max_examples=50, deadline=None)
def test_masks_of_top_images_are_the_masks_counted(world: World) -> None:
    _, counted = world.dissect(world.plan(), batch=2)
    for q in range(len(world.quantiles)):
        for unit, images in enumerate(counted.top.images):
            for rank, image in enumerate(images):
                sh, sw = world.annotations[image].grid
                bits = np.unpackbits(counted.counts.top_masks[q, unit, rank])
                upsampled = naive.upsample(
                    world.activations[image, unit], (sh, sw), world.pixels, world.field
                )
                np.testing.assert_array_equal(
                    bits[: sh * sw].reshape(sh, sw), upsampled > counted.thresholds[q, unit]
                )
                assert not bits[sh * sw :].any()


@given(
    hnp.arrays(np.float32, (3, 4, 5, 7), elements=st.floats(-10, 10, width=32)),
    st.sampled_from([np.nan, -np.nan, np.inf, -np.inf]),
    st.integers(0, 3 * 4 * 35 - 1),
)
@settings(deadline=None)
def test_sieve_finds_maxima_and_what_is_not_finite(
    activations: NDArray[np.float32], bad: float, place: int
) -> None:
    encoder = SparseEncoder(6, 4, (5, 7))
    assert encoder.add(activations, np.zeros(4, np.float32)) == -1
    np.testing.assert_array_equal(encoder.maxima[:3], activations.max(axis=(2, 3)))
    activations.reshape(-1)[place] = bad
    assert encoder.add(activations, np.zeros(4, np.float32)) == place // 35


def settled(levels: Thresholds, spooled: list[SparseMaps]) -> NDArray[np.float32]:
    bins = levels.deciding_bins()
    while not bins.settled:
        counts = bins.zeros()
        for sparse_maps in spooled:
            for unit in range(levels.bounds.size):
                bins.count(sparse_maps, slice(unit, unit + 1), counts)
        bins = bins.narrow(counts)
    return bins.thresholds()


def settle(
    batches: list[NDArray[np.float32]], quantiles: list[float], bits: int | None = None
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Thresholds of some batches and the bounds on the way there."""
    units = batches[0].shape[1]
    positions = sum(batch[:, 0].size for batch in batches)
    levels = Thresholds(units, positions, quantiles, bits=bits)
    bounds, spooled = [levels.bounds], []
    for batch in batches:
        encoder = SparseEncoder(len(batch), units, (batch.shape[2], batch.shape[3]))
        encoder.add(batch, levels.bounds)
        levels.update(encoder.sparse_maps(), batch[:, 0].size)
        bounds.append(levels.bounds)
        spooled.append(refilter(encoder.drain(Arena()), levels.bounds))
    return settled(levels, spooled), bounds


@given(
    hnp.arrays(
        np.float32,
        (12, 2, 3, 3),
        elements=st.one_of(
            st.integers(-3, 3).map(float),
            st.floats(allow_nan=False, allow_infinity=False, width=32),
            st.sampled_from([0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38]),
        ),
    ),
    st.lists(st.floats(0.01, 0.99), min_size=1, max_size=3, unique=True),
    st.permutations(range(12)),
    st.sampled_from([9, 10, 14]),
)
@settings(deadline=None)
def test_thresholds_do_not_depend_on_order_and_bounds_never_exceed_them(
    activations: NDArray[np.float32], quantiles: list[float], turns: list[int], bits: int
) -> None:
    batches = [np.ascontiguousarray(activations[image : image + 1]) for image in turns]
    thresholds, bounds = settle(batches, quantiles, bits)
    for unit in range(2):
        for q, quantile in enumerate(quantiles):
            assert thresholds[q, unit] == naive.threshold(activations[:, unit], quantile)
    for previous, later in itertools.pairwise(bounds):
        assert (later >= previous).all()
    assert (bounds[-1] <= thresholds.min(axis=0)).all()


def test_bounds_come_within_three_per_cent_of_the_thresholds() -> None:
    values = np.random.default_rng(0).normal(size=(40, 3, 30, 30)).astype(np.float32)
    values[:, 1] = np.maximum(values[:, 1], 0)
    values[:, 1].reshape(-1)[::3] = 1.5  # runs of equal values around a threshold
    values[:, 2] = 0
    values[0, 2, 0, 0] = 7
    batches = [np.ascontiguousarray(values[start : start + 4]) for start in range(0, 40, 4)]
    thresholds, bounds = settle(batches, [0.005, 0.3])
    for unit in range(3):
        for q, quantile in enumerate((0.005, 0.3)):
            assert thresholds[q, unit] == naive.threshold(values[:, unit], quantile)
    (tight,), bounds = settle(batches, [0.005])
    assert (bounds[-1][:2] > 0.96 * tight[:2]).all()


def test_thresholds_of_half_a_pass_are_refused() -> None:
    with pytest.raises(RuntimeError, match="100 positions were announced, 0 were seen"):
        settled(Thresholds(1, 100, [0.5]), [])


@given(st.lists(st.floats(allow_nan=False, width=32), min_size=1), st.integers(1, 14))
@settings(deadline=None)
def test_bins_are_in_the_order_of_the_floats(values: list[float], bits: int) -> None:
    edges = bin_edges(bits)
    assert (edges[1:] >= edges[:-1]).all()
    array = np.array(values, np.float32)
    keys = order(array)
    for i, j in itertools.pairwise(range(len(values))):
        assert (keys[i] < keys[j]) == (array[i] < array[j])
    assert (edges[keys >> np.uint32(32 - bits)] <= array).all()


@given(
    hnp.arrays(np.float32, (4, 3, 5, 18), elements=st.integers(0, 40).map(float)),
    hnp.arrays(np.float32, 3, elements=st.integers(-1, 40).map(float)),
    hnp.arrays(np.float32, 3, elements=st.sampled_from([-np.inf, 0, 1, 5, 30])),
    st.sampled_from([1, 2, 4]),
)
@settings(deadline=None)
def test_sieve_keeps_hot_cells_and_their_neighbours(
    activations: NDArray[np.float32], bounds: NDArray[np.float32], lower: NDArray[np.float32], batch: int
) -> None:
    kept = sift(activations, bounds, batch)
    for m in range(12):
        image, unit = divmod(m, 3)
        hot = np.argwhere(activations[image, unit] > bounds[unit])
        expected = {
            i * 18 + j: float(activations[image, unit, i, j])
            for i in range(5)
            for j in range(18)
            if any(max(abs(i - y), abs(j - x)) <= 1 for y, x in hot)
        }
        found = cells(kept, image, unit)
        # Where it is nearly everything, it may as well be everything.
        assert found == expected or (len(found) == 90 and len(expected) >= 67)
    early = refilter(sift(activations, np.minimum(lower, bounds), batch), bounds)
    for field in fields(SparseMaps):
        np.testing.assert_array_equal(getattr(early, field.name), getattr(kept, field.name))


def sift(activations: NDArray[np.float32], bounds: NDArray[np.float32], batch: int) -> SparseMaps:
    n, units, h, w = activations.shape
    encoder = SparseEncoder(n, units, (h, w))
    for start in range(0, n, batch):
        encoder.add(activations[start : start + batch], bounds)
    return encoder.drain(Arena())


def cells(sparse_maps: SparseMaps, image: int, unit: int) -> dict[int, float]:
    for record in range(sparse_maps.image_starts[image], sparse_maps.image_starts[image + 1]):
        if sparse_maps.units[record] == unit:
            kept = slice(sparse_maps.starts[record], sparse_maps.starts[record + 1])
            return dict(zip(sparse_maps.cells[kept].tolist(), sparse_maps.values[kept].tolist(), strict=True))
    return {}


@given(worlds(), st.data())
@settings(max_examples=40, deadline=None)
def test_records_thinned_to_higher_bounds_count_the_same(world: World, data: st.DataObject) -> None:
    whole = world.dissect(world.plan(spool_bytes=10**6), batch=1)[1].counts
    # A budget of a few hundred bytes thins at nearly every batch.
    budget = data.draw(st.integers(1, 2000))
    tight = world.dissect(world.plan(spool_bytes=budget), batch=1)[1].counts
    for name in (*COUNTS, "top_masks"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(tight, name), err_msg=name)


@given(
    hnp.arrays(np.float32, (9, 2, 3, 2), elements=st.integers(-3, 3).map(float)),
    st.integers(0, 9),
    st.permutations(range(9)),
)
@settings(deadline=None)
def test_top_images_do_not_depend_on_order(
    activations: NDArray[np.float32], count: int, order: list[int]
) -> None:
    top = TopImages(2, count, (3, 2))
    maxima = activations.max(axis=(2, 3))
    for image in order:
        top.update(image, activations[image : image + 1], maxima[image : image + 1])
    maps, low, high = top.maps()
    for unit in range(2):
        best = sorted(range(9), key=lambda x: (-maxima[x, unit], x))[:count]
        assert top.images[unit].tolist() == best
        assert top.values[unit].tolist() == [maxima[x, unit] for x in best]
        for rank, image in enumerate(best):
            shown = low[unit, rank] + maps[unit, rank] / 255 * (high[unit, rank] - low[unit, rank])
            np.testing.assert_allclose(shown, activations[image, unit], atol=6 / 255)


def test_large_maps_of_top_images_are_kept_as_the_largest_of_squares() -> None:
    top = TopImages(4, 15, (1001, 1000))
    activations = np.random.default_rng(0).random((1, 4, 1001, 1000), np.float32)
    top.update(0, activations, activations.max(axis=(2, 3)))
    maps, low, high = top.maps()
    assert maps.shape == (4, 15, 501, 500)
    padded = np.pad(activations[0], ((0, 0), (0, 1), (0, 0)), mode="edge")
    squares = padded.reshape(4, 501, 2, 500, 2).max(axis=(2, 4))
    scaled = (squares - low[:, 0, None, None]) / (high - low)[:, 0, None, None] * 255
    np.testing.assert_allclose(maps[:, 0], scaled, atol=0.51)


@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 50), st.integers(1, 7))
@settings(deadline=None)
def test_samples_are_spread_over_all_positions(images: int, cells: int, count: int, batch: int) -> None:
    positions = np.arange(images * cells, dtype=np.float32).reshape(images, 1, 1, cells)
    samples = Samples(1, images, cells, count)
    for start in range(0, images, batch):
        samples.update(start, positions[start : start + batch])
    (found,) = samples.sorted()
    edges = np.arange(len(found) + 1) * images * cells // len(found)
    assert len(found) == min(count, images * cells)
    assert (found >= edges[:-1]).all()
    assert (found < edges[1:]).all()


def test_activations_that_are_not_finite_name_layer_unit_and_image() -> None:
    activations = np.zeros((5, 3, 2, 2), np.float32)
    activations[3, 1, 0, 1] = np.nan
    annotation = annotate((2, 2), [np.ones((2, 2), np.int64)], [])
    image = naive.NaiveImage((2, 2), [], [])
    world = World(activations, [annotation] * 5, [image] * 5, [0], 1, [0.1], None, (4, 4), 2)
    with pytest.raises(NonFiniteError, match=r"'layer', unit 1, image 3"):
        world.dissect(world.plan(), batch=2)


@pytest.mark.parametrize(
    ("quantile", "positions", "size"), [(0.005, 1000, 5), (0.29, 100, 29), (0.07, 100, 7), (0.005, 199, 0)]
)
def test_tail_size_reads_the_quantile_as_written(quantile: float, positions: int, size: int) -> None:
    assert tail_size(quantile, positions) == size


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.1, 7.0, float("nan")])
def test_quantiles_outside_the_open_interval_are_refused(quantile: float) -> None:
    with pytest.raises(ParameterError, match="strictly between 0 and 1"):
        check_quantiles([0.005, quantile])


# ------------------------------------------------------------------------------------- too few activations


@given(st.integers(1, 400), st.integers(1, 9), st.sampled_from([0.5, 0.1, 0.02, 0.005, 0.0003]))
def test_what_a_warning_offers_would_do(images: int, cells: int, quantile: float) -> None:
    layers = [LayerPlan("logits", 4, (1, cells), None)]
    (*said,) = quantile_warnings(layers, [quantile], images)
    assert bool(said) == (tail_size(quantile, images * cells) == 0)
    for text in said:
        level = float(text.split("--quantile ")[1].split()[0])
        enough = int(text.split("or more, or ")[1].split()[0])
        assert tail_size(level, images * cells) >= 1
        assert tail_size(quantile, (enough - 1) * cells) == 0 < tail_size(quantile, enough * cells)


def test_a_quantile_that_leaves_nothing_is_told() -> None:
    layers = [LayerPlan("logits", 10, (1, 1), None), LayerPlan("relu", 10, (7, 7), None)]
    assert quantile_warnings(layers, [0.005], 100) == [
        "logits has 100 activations per unit; at quantile 0.005 none lies above the threshold; "
        "take --quantile 0.01 or more, or 200 images"
    ]
