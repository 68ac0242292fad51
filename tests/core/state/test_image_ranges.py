"""Ranges of images against sets of numbers."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.errors import ImagesMissingError, ImagesOverlapError

SETS = st.frozensets(st.integers(0, 20), max_size=12)


def ranges(images: frozenset[int]) -> ImageRanges:
    return ImageRanges.of(*((image, image + 1) for image in images))


@given(SETS, SETS, SETS)
def test_ranges_are_sets_that_refuse_to_hold_an_image_twice(
    one: frozenset[int], two: frozenset[int], three: frozenset[int]
) -> None:
    a, b = ranges(one), ranges(two)
    assert list(a) == sorted(one)
    assert len(a) == len(one)
    assert bool(a) == bool(one)
    assert list(a.missing(25)) == sorted(set(range(25)) - one)
    assert pickle.loads(pickle.dumps(a)) == a
    if one & two:
        with pytest.raises(ImagesOverlapError, match=rf"images {min(one & two)}\b"):
            a | b
        return
    assert a | b == b | a == ranges(one | two)
    if not (one | two) & three:
        c = ranges(three)
        assert (a | b) | c == a | (b | c)


def test_images_held_twice_are_named() -> None:
    with pytest.raises(ImagesOverlapError, match=r"images 3 to 4, 9 were taken in twice"):
        ImageRanges.of((0, 5), (8, 10)) | ImageRanges.of((3, 6), (9, 12))
    many = ImageRanges.of(*((i, i + 1) for i in range(0, 40, 2)))
    with pytest.raises(ImagesOverlapError, match=r"12, 14, and 12 others"):
        many | many


def test_neighbouring_ranges_are_one() -> None:
    assert ImageRanges.of((4, 6), (0, 4), (9, 9)).ranges == ((0, 6),)


def test_counts_of_too_few_images_are_refused() -> None:
    ImageRanges.of((0, 4), (4, 9)).expect_counted(9)
    with pytest.raises(ImagesMissingError, match="of 9 images 2 have not been counted: numbers 4 to 5"):
        ImageRanges.of((0, 4), (6, 9)).expect_counted(9)
