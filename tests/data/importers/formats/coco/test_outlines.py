"""Polygons of COCO, beside COCO's own decoder and what it gave where that is not installed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.samples.coco import packed, runs

from onnxdissect.data.importers.drawing.rle import fill_runs, unpack_runs
from onnxdissect.data.importers.formats.coco.outlines import fill_outline
from onnxdissect.data.limits import MOST_OUTLINE

# Points, size of the image, and run lengths of the mask by pycocotools 2.0.11.
KNOWN = [
    (
        [2.5, 1.25, 20.75, 3.5, 18.0, 20.0, 4.5, 19.25],
        (12, 15),
        [37, 8, 4, 11, 2, 10, 2, 10, 2, 10, 2, 10, 2, 10, 2, 10, 2, 10, 2, 10, 3, 9, 3, 9],
    ),
    ([0, 0, 4, 0, 4, 4, 0, 4], (6, 7), [0, 4, 2, 4, 2, 4, 2, 4, 20]),
    # crosses itself
    ([1, 1, 7, 7, 7, 1, 1, 7], (8, 9), [9, 5, 4, 3, 6, 1, 7, 1, 6, 3, 4, 5, 18]),
    # leads out of the image on three sides
    ([-3, -3, 20, 4, 2, 30], (10, 9), [0, 80, 1, 9]),
    ([0.5, 0.5, 0.5, 6.5, 6.5, 6.5, 6.5, 0.5], (8, 8), [9, 6, 2, 6, 2, 6, 2, 6, 2, 6, 2, 6, 9]),
    # a point twice
    ([3.3, 2.2, 3.3, 2.2, 8.8, 2.2, 5.1, 7.7], (10, 10), [42, 4, 6, 5, 5, 4, 6, 2, 8, 1, 17]),
    # too thin to cover a pixel
    ([2, 2, 2, 6, 2.2, 6], (9, 9), [81]),
]


def drawn(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    patch = fill_outline(points, shape)
    found = np.zeros(shape, bool)
    height, width = patch.inside.shape
    found[patch.top : patch.top + height, patch.left : patch.left + width] = patch.inside
    return found


@pytest.mark.parametrize(("points", "shape", "counts"), KNOWN)
def test_known_polygons_cover_what_they_cover(
    points: list[float], shape: tuple[int, int], counts: list[int]
) -> None:
    assert runs(drawn(np.array(points).reshape(-1, 2), shape)) == counts


# pycocotools is older than NumPy's rule
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    corners=st.integers(3, 12),
    steps=st.sampled_from([1, 2, 5, 10, 100, 10**6]),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_polygons_are_those_of_cocos_decoder(
    seed: int, corners: int, steps: int, height: int, width: int
) -> None:
    mask = pytest.importorskip("pycocotools.mask")
    points = np.round(np.random.default_rng(seed).uniform(-10, 50, (corners, 2)) * steps) / steps
    want = mask.decode(mask.frPyObjects([points.ravel().tolist()], height, width))[:, :, 0]
    assert np.array_equal(drawn(points, (height, width)), want)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1))
def test_run_lengths_are_those_of_cocos_decoder(seed: int, share: float) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    mask = (np.random.default_rng(seed).random((37, 23)) < share).astype(np.uint8)
    encoded = coco.encode(np.asfortranarray(mask))["counts"].decode("ascii")
    assert encoded == packed(runs(mask))
    assert np.array_equal(fill_runs(unpack_runs(encoded), (37, 23), columns=True), mask)


def test_an_outline_that_would_take_all_memory_is_refused() -> None:
    points = np.array([[0, 0], [2.0**30, 0], [0, 2.0**30]])
    with pytest.raises(ValueError, match=f"at most {MOST_OUTLINE:,} are drawn"):
        fill_outline(points, (10, 10))
