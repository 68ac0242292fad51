"""Shapes by pixel centres, beside exact arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import shapes as naive
from numpy.typing import NDArray

from onnxdissect.data.importers.drawing.polygons import (
    Patch,
    fill_ellipse,
    fill_polygon,
    read_points,
    rectangle,
)
from onnxdissect.data.limits import MOST_OUTLINE

# halves and quarters are exact, lie on centres and on edges, and make edges that cross and that coincide
QUARTERS = st.integers(-12, 60).map(lambda quarters: quarters / 4)
POINTS = st.lists(st.tuples(QUARTERS, QUARTERS), min_size=3, max_size=9)
SIDES = st.integers(1, 12)


def whole(patch: Patch, shape: tuple[int, int]) -> NDArray[np.bool_]:
    found = np.zeros(shape, bool)
    height, width = patch.inside.shape
    found[patch.top : patch.top + height, patch.left : patch.left + width] = patch.inside
    return found


@settings(max_examples=150, deadline=None)
@given(points=POINTS, height=SIDES, width=SIDES)
def test_a_polygon_holds_the_pixels_whose_centres_lie_inside(
    points: list[tuple[float, float]], height: int, width: int
) -> None:
    patch = fill_polygon(np.array(points), (height, width))
    assert np.array_equal(whole(patch, (height, width)), naive.polygon(points, height, width))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_polygons_that_share_an_edge_share_no_pixel_and_leave_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    middle, corners = rng.uniform(1, 11, 2), np.array([[0, 0], [12, 0], [12, 12], [0, 12]], float)
    drawn = [
        whole(fill_polygon(np.array([corners[i], corners[(i + 1) % 4], middle]), (12, 12)), (12, 12))
        for i in range(4)
    ]
    assert (np.sum(drawn, axis=0) == 1).all()


def test_a_rectangle_covers_what_it_covers() -> None:
    patch = fill_polygon(rectangle(2, 1, 7, 4), (6, 9))
    assert whole(patch, (6, 9)).sum() == 15 and whole(patch, (6, 9))[1:4, 2:7].all()


def test_a_rectangle_is_turned_about_its_middle() -> None:
    upright = whole(fill_polygon(rectangle(2, 4, 12, 8), (12, 14)), (12, 14))
    turned = whole(fill_polygon(rectangle(2, 4, 12, 8, 90), (12, 14)), (12, 14))
    assert turned.sum() == upright.sum() == 40
    # 4 wide and 10 high, about (7, 6)
    assert turned[1:11, 5:9].all()
    half = fill_polygon(rectangle(2, 4, 12, 8, 180), (12, 14))
    assert np.array_equal(whole(half, (12, 14)), upright)


@pytest.mark.parametrize("turned", [0, 30, 90, 200])
def test_an_ellipse_holds_the_pixels_whose_centres_lie_inside(turned: float) -> None:
    centre, radii, shape = (9.25, 7.5), (6.5, 3.25), (16, 20)
    found = whole(fill_ellipse(centre, radii, shape, turned), shape)
    angle = complex(np.cos(np.radians(-turned)), np.sin(np.radians(-turned)))
    for row in range(shape[0]):
        for column in range(shape[1]):
            at = complex(column + 0.5 - centre[0], row + 0.5 - centre[1]) * angle
            far = (at.real / radii[0]) ** 2 + (at.imag / radii[1]) ** 2
            assert abs(far - 1) < 1e-9 or found[row, column] == (far < 1)


def test_a_circle_outside_the_image_covers_nothing() -> None:
    assert not fill_ellipse((-50, -50), (3, 3), (8, 8)).inside.any()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, 2.0, 3.0], "3 coordinates, which are not x and y in turn"),
        ([1.0, "2"], "not all numbers"),
        ([1.0, None], "not all numbers"),
        ([True, 2.0], "not all numbers"),
        ([float("nan"), 2.0], "nan is of no pixel"),
        ([float("inf"), 2.0], "inf is of no pixel"),
        ([1e300, 2.0], "of no pixel"),
        ([10**400, 2], "of no pixel"),
    ],
)
def test_coordinates_that_are_none_are_refused(values: list[object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_points(values)


def test_a_polygon_that_would_take_all_memory_is_refused() -> None:
    zigzag = np.zeros((9000, 2))
    zigzag[::2, 1] = 1000
    with pytest.raises(ValueError, match=f"at most {MOST_OUTLINE:,} are drawn"):
        fill_polygon(zigzag, (1000, 4))
