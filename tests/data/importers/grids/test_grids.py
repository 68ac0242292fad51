"""Label grids and colour names against their naive twins."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import grids as naive

from onnxdissect.data.importers.grids.colors import COLORS, name_colors
from onnxdissect.data.importers.grids.resampling import majority, nearest_pixels
from onnxdissect.data.importers.grids.squares import cover, same_aspect, square_pixels

SIDES = st.integers(1, 13)
ASPECTS = st.sampled_from(["stretch", "crop", "pad"])


@settings(deadline=None, max_examples=150)
@given(
    size=st.tuples(SIDES, SIDES),
    shape=st.tuples(SIDES, SIDES),
    grid=st.tuples(SIDES, SIDES),
    aspect=ASPECTS,
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from([np.uint8, np.uint16, np.int64]),
)
def test_label_maps_on_grids_are_those_of_the_naive_twin(
    size: tuple[int, int],
    shape: tuple[int, int],
    grid: tuple[int, int],
    aspect: str,
    seed: int,
    kind: type[np.integer[Any]],
) -> None:
    label_map = np.random.default_rng(seed).choice([0, 0, 1, 2, 250], shape).astype(kind)
    before = label_map.copy()
    square = cover(size, aspect)
    assert np.array_equal(
        nearest_pixels(label_map, square, grid), naive.nearest(label_map, size, aspect, grid)
    )
    assert np.array_equal(majority(label_map, square, grid), naive.majority(label_map, size, aspect, grid))
    assert np.array_equal(label_map, before)


def test_a_small_part_survives_by_majority_and_not_by_nearest() -> None:
    label_map = np.zeros((64, 64), np.uint16)
    label_map[9, 11] = 5
    square = cover((64, 64), "stretch")
    assert not nearest_pixels(label_map, square, (8, 8)).any()
    kept = majority(label_map, square, (8, 8))
    assert kept[1, 1] == 5 and np.count_nonzero(kept) == 1


def test_of_as_many_pixels_the_lowest_number_is_taken() -> None:
    label_map = np.array([[7, 3], [3, 7]])
    assert majority(label_map, cover((2, 2), "stretch"), (1, 1)).tolist() == [[3]]


def test_majority_takes_little_more_memory_than_the_label_map() -> None:
    label_map = np.random.default_rng(0).integers(0, 65_536, (1024, 1024)).astype(np.uint16)
    tracemalloc.start()
    found = majority(label_map, cover((1024, 1024), "stretch"), (64, 64))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * label_map.nbytes
    # nearly all numbers are in a cell once: the lowest of them is taken, or of those there are more of
    assert found[5, 7] == naive.majority(label_map[80:96, 112:128], (16, 16), "stretch", (1, 1))[0, 0]


@pytest.mark.parametrize("size", [(6, 12), (12, 6), (7, 12), (12, 12)])
def test_squares_of_pixels_lie_where_label_grids_do(size: tuple[int, int]) -> None:
    """An image of the label numbers, resized by a whole factor, holds the labels of the grid."""
    numbers = np.arange(1, size[0] * size[1] + 1).reshape(size)
    pixels = np.stack([numbers] * 3, axis=-1).astype(np.uint8)
    for aspect in ("crop", "pad"):
        square = cover(size, aspect)
        side = square.extent[0]
        made = square_pixels(pixels, square, side)
        assert made.shape == (side, side, 3)
        assert np.array_equal(made[:, :, 0], nearest_pixels(numbers, square, (side, side)))
    stretched = square_pixels(pixels, cover(size, "stretch"), 3 * 4)
    assert stretched.shape == (12, 12, 3)


def test_images_are_shrunk_by_means_and_enlarged_between() -> None:
    pixels = np.array([[[0] * 3, [100] * 3], [[50] * 3, [250] * 3]], np.uint8)
    square = cover((2, 2), "stretch")
    assert square_pixels(pixels, square, 1).tolist() == [[[100] * 3]]
    assert square_pixels(pixels, square, 4)[0, :, 0].tolist() == [0, 25, 75, 100]


def test_margins_are_black() -> None:
    made = square_pixels(np.full((2, 4, 3), 200, np.uint8), cover((2, 4), "pad"), 4)
    assert made[:, 0, 0].tolist() == [0, 200, 200, 0]


@settings(deadline=None, max_examples=200)
@given(
    size=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    factor=st.floats(0.05, 4),
    seed=st.integers(0, 3),
)
def test_what_rounding_makes_of_an_aspect_is_the_same_aspect(
    size: tuple[int, int], factor: float, seed: int
) -> None:
    up = [seed & 1, seed >> 1]
    shape = tuple(max(1, int(side * factor) + more) for side, more in zip(size, up, strict=True))
    assert same_aspect((shape[0], shape[1]), size)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((24, 32), (32, 24)), ((24, 24), (24, 32)), ((375, 500), (375, 504)), ((1, 3), (100, 100))],
)
def test_another_aspect_is_told(shape: tuple[int, int], size: tuple[int, int]) -> None:
    assert not same_aspect(shape, size)


@settings(deadline=None, max_examples=300)
@given(pixel=st.tuples(*[st.integers(0, 255)] * 3))
def test_colours_are_those_of_the_naive_twin(pixel: tuple[int, int, int]) -> None:
    [found] = name_colors(np.array([pixel], np.uint8))
    assert COLORS[found] == naive.color(*pixel)


def test_every_colour_has_pixels_and_the_plain_ones_are_called_so() -> None:
    plain = {
        "black": (0, 0, 0),
        "blue": (0, 0, 255),
        "brown": (139, 69, 19),
        "green": (0, 128, 0),
        "grey": (128, 128, 128),
        "orange": (255, 140, 0),
        "pink": (255, 192, 203),
        "purple": (128, 0, 128),
        "red": (255, 0, 0),
        "white": (255, 255, 255),
        "yellow": (255, 255, 0),
    }
    found = name_colors(np.array([list(plain.values())], np.uint8))
    assert [COLORS[code] for code in found[0]] == list(plain)
