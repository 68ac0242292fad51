"""Shapes that people draw, as pixels: one belongs to a shape when its centre lies inside.

Pixel (row, column) has its centre at y = row + 0.5, x = column + 0.5: 0 is the image's upper or left edge.
Outlines that cross themselves are filled by the even-odd rule. A centre that lies on an outline belongs to
what is right of or below it, so that shapes which share an edge share no pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.limits import MOST_OUTLINE

__all__ = ["Patch", "fill_ellipse", "fill_polygon", "read_points", "rectangle"]

_FARTHEST = 2.0**31


class Patch(NamedTuple):
    """Pixels of an image that belong to a shape.

    Attributes
    ----------
    top, left : int
        Where in the image it lies.
    inside : ndarray of bool, shape (height, width)
        As large as the shape; may have no pixel.
    """

    top: int
    left: int
    inside: NDArray[np.bool_]


def read_points(values: Sequence[Any]) -> NDArray[np.float64]:
    """Take coordinates from a file.

    Parameters
    ----------
    values : sequence
        x and y in turn; anything that such a file may hold.

    Returns
    -------
    ndarray of float64, shape (points, 2)

    Raises
    ------
    ValueError
        If they are no pairs of numbers, or none of an image.
    """
    if not all(type(value) in (int, float) for value in values):
        raise ValueError("its coordinates are not all numbers")
    if len(values) % 2:
        raise ValueError(f"it has {len(values):,} coordinates, which are not x and y in turn")
    # written such that what is not a number is refused as well
    far = [value for value in values if not -_FARTHEST <= value <= _FARTHEST]
    if far:
        raise ValueError(f"its coordinate {far[0]!r:.40} is of no pixel")
    return np.array(values, np.float64).reshape(-1, 2)


def rectangle(left: float, top: float, right: float, bottom: float, turned: float = 0) -> NDArray[np.float64]:
    """Give the corners of a rectangle.

    Parameters
    ----------
    left, top, right, bottom : float
    turned : float
        Degrees clockwise, about its middle.

    Returns
    -------
    ndarray of float64, shape (4, 2)
        x and y.
    """
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
    if not turned % 360:
        return corners
    middle = corners.mean(axis=0)
    sine, cosine = math.sin(math.radians(turned)), math.cos(math.radians(turned))
    turn = np.array([(cosine, sine), (-sine, cosine)])
    turned_corners: NDArray[np.float64] = (corners - middle) @ turn + middle
    return turned_corners


def fill_polygon(points: NDArray[np.float64], shape: tuple[int, int]) -> Patch:
    """Fill a polygon.

    Parameters
    ----------
    points : ndarray of float64, shape (points, 2)
        Finite x and y; may lie outside the image. The last is joined to the first.
    shape : (int, int)
        Height and width of the image.

    Returns
    -------
    Patch

    Raises
    ------
    ValueError
        If its edges cross more rows than the limit.
    """
    top, left, height, width = _extent(points.min(axis=0), points.max(axis=0), shape)
    toggles = np.zeros((height, width + 1), np.uint8)
    if height and width:
        (x0, y0), (x1, y1) = points.T, np.roll(points, -1, axis=0).T
        # rows whose centre is at or below the upper end of an edge, and above the lower
        first, last = (
            np.clip(np.ceil(y - 0.5), top, top + height).astype(np.int64)
            for y in (np.minimum(y0, y1), np.maximum(y0, y1))
        )
        crossed = last - first
        total = int(crossed.sum())
        if total > MOST_OUTLINE:
            raise ValueError(f"its edges cross {total:,} rows of pixels; at most {MOST_OUTLINE:,} are drawn")
        edge = np.repeat(np.arange(len(points)), crossed)
        row = np.arange(total) - np.repeat(np.cumsum(crossed) - crossed, crossed) + first[edge]
        # the same number whichever end comes first: what two polygons share is crossed at one place
        above, below = row + 0.5 - y0[edge], y1[edge] - (row + 0.5)
        x = (x0[edge] * below + x1[edge] * above) / (y1[edge] - y0[edge])
        column = np.clip(np.ceil(x - 0.5), left, left + width).astype(np.int64)
        # 256 crossings come to none, which is as even
        np.add.at(toggles, (row - top, column - left), 1)
    inside = np.cumsum(toggles[:, :width], axis=1, dtype=np.uint8) & 1
    return Patch(top, left, inside.astype(np.bool_))


def fill_ellipse(
    centre: tuple[float, float], radii: tuple[float, float], shape: tuple[int, int], turned: float = 0
) -> Patch:
    """Fill an ellipse; its outline belongs to it.

    Parameters
    ----------
    centre : (float, float)
        x and y.
    radii : (float, float)
        Along x and y before it is turned, above 0.
    shape : (int, int)
        Height and width of the image.
    turned : float
        Degrees clockwise, about its centre.

    Returns
    -------
    Patch
    """
    sine, cosine = math.sin(math.radians(turned)), math.cos(math.radians(turned))
    reach = np.array(
        [math.hypot(radii[0] * cosine, radii[1] * sine), math.hypot(radii[0] * sine, radii[1] * cosine)]
    )
    # a centre may lie on the outline
    reach = np.nextafter(reach, np.inf)
    top, left, height, width = _extent(np.array(centre) - reach, np.array(centre) + reach, shape)
    y = np.arange(top, top + height)[:, None] + 0.5 - centre[1]
    x = np.arange(left, left + width)[None, :] + 0.5 - centre[0]
    along, across = x * cosine + y * sine, y * cosine - x * sine
    return Patch(top, left, (along / radii[0]) ** 2 + (across / radii[1]) ** 2 <= 1)


def _extent(
    least: NDArray[np.float64], most: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Top, left, height and width of the pixels of the image that a shape may reach."""
    (left, top), (right, bottom) = (np.clip(np.round(at), 0, shape[::-1]) for at in (least - 1, most + 1))
    return int(top), int(left), int(bottom - top), int(right - left)
