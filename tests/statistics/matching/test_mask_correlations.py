"""Correlations of masks from sparse counts are those of full ones, exactly where they must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import matching as naive
from numpy.typing import NDArray

from onnxdissect.statistics.matching import mask_correlations
from onnxdissect.statistics.matching.mask_correlations import MaskCorrelations, MaskPixels


def sparse(counts: NDArray[np.int64]) -> MaskPixels:
    """Counts of shape (units, images) as a run keeps them."""
    unit, image = np.nonzero(counts)
    starts = np.searchsorted(unit, np.arange(len(counts) + 1)).astype(np.int64)
    pixels = counts[unit, image].astype(np.int32)
    return MaskPixels(starts, image.astype(np.int32), pixels, counts.shape[1])


def scores(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    return MaskCorrelations(sparse(first), sparse(second)).scores()


@st.composite
def layers(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    images = draw(st.integers(1, 12))
    most = draw(st.sampled_from([1, 3, 12_544, 2**22 - 1]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    found = []
    for _ in range(2):
        shape = draw(st.integers(1, 5)), images
        counts = random.integers(0, most + 1, shape) * (
            random.random(shape) < draw(st.sampled_from([0.2, 1]))
        )
        constant = random.random(shape[0]) < 0.2
        counts[constant] = random.integers(0, most + 1, (int(constant.sum()), 1))
        found.append(counts)
    return found[0], found[1]


@given(layers(), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_correlations_are_those_of_the_twin(
    sides: tuple[NDArray[np.int64], NDArray[np.int64]], seed: int
) -> None:
    first, second = sides
    order = np.random.default_rng(seed).permutation(first.shape[1])
    measure = MaskCorrelations(sparse(first), sparse(second))
    for found, met in ((measure.scores(), second), (measure.scores(order), second[:, order])):
        expected = [[naive.correlation(a.tolist(), b.tolist()) for b in met] for a in first]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
        constant = (first == first[:, :1]).all(axis=1)[:, None] | (met == met[:, :1]).all(axis=1)
        assert (found[constant] == 0).all()
        assert (abs(found) <= 1).all()
    np.testing.assert_array_equal(
        MaskCorrelations(sparse(second), sparse(first)).scores(), measure.scores().T
    )


@given(layers())
@settings(max_examples=100, deadline=None)
def test_equal_counts_correlate_with_exactly_1(sides: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    first = sides[0]
    changing = np.flatnonzero((first != first[:, :1]).any(axis=1))
    assert (np.diag(scores(first, first))[changing] == 1).all()


@pytest.mark.parametrize("rows", [1, 3])
def test_blocks_change_nothing(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    first = random.integers(0, 500, (7, 50)) * (random.random((7, 50)) < 0.4)
    second = random.integers(0, 500, (5, 50)) * (random.random((5, 50)) < 0.4)
    order = random.permutation(50)
    at_once = MaskCorrelations(sparse(first), sparse(second))
    expected = at_once.scores(), at_once.scores(order)
    monkeypatch.setattr(mask_correlations, "_ROWS", rows)
    monkeypatch.setattr(mask_correlations, "_PRODUCT_ROWS", rows + 1)
    monkeypatch.setattr(mask_correlations, "_BLOCK_BYTES", 8 * 12 * rows)
    in_blocks = MaskCorrelations(sparse(first), sparse(second))
    np.testing.assert_array_equal(in_blocks.scores(), expected[0])
    np.testing.assert_array_equal(in_blocks.scores(order), expected[1])


def test_masks_of_more_than_22_bits_lose_no_more_than_their_last_ones() -> None:
    random = np.random.default_rng(2)
    first, second = random.integers(0, 2**27, (2, 1, 9000))  # about 2^63 around their mean
    expected = [[naive.correlation(a.tolist(), b.tolist()) for b in second] for a in first]
    np.testing.assert_allclose(scores(first, second), expected, atol=1e-6)


def test_a_large_mean_takes_nothing_from_a_small_spread() -> None:
    """What a difference of large sums would lose."""
    random = np.random.default_rng(3)
    first, second = 4_000_000 + random.integers(0, 2, (2, 4, 3000))
    expected = [[naive.correlation(a.tolist(), b.tolist()) for b in second] for a in first]
    np.testing.assert_allclose(scores(first, second), expected, rtol=1e-12)


def test_images_without_masks_count() -> None:
    """They agree: units that are silent in the same images are the more alike."""
    first, second = np.array([[5, 9, 1]]), np.array([[4, 2, 7]])
    assert scores(first, second)[0, 0] < 0
    silent = np.zeros((1, 60), np.int64)
    padded = np.concatenate([first, silent], axis=1), np.concatenate([second, silent], axis=1)
    assert scores(*padded)[0, 0] > 0.3
    assert scores(*padded)[0, 0] == pytest.approx(
        naive.correlation(padded[0][0].tolist(), padded[1][0].tolist()), rel=1e-12
    )


def test_images_that_show_the_same_to_all_units_change_no_pairs_of_equal_units() -> None:
    """A constant image moves means, and neither the 1 of equal units nor the 0 of a constant one."""
    random = np.random.default_rng(4)
    counts = random.integers(0, 9, (6, 30))
    counts[2] = 3
    more = np.concatenate([counts, np.full((6, 20), 3)], axis=1)
    found = scores(more, more)
    assert (np.delete(np.diag(found), 2) == 1).all()
    assert not found[2].any()
    assert not found[:, 2].any()
