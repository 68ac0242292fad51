"""Polygons: filled with the same pixels by every release of OpenCV.

Of OpenCV's ways to fill a shape only ``fillConvexPoly`` gives the same pixels in releases 4 and 5. It takes
any outline that no horizontal line crosses more than twice; others are cut into triangles first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.libraries import import_cv2

__all__ = ["Filler", "Point", "bar_corners", "filler", "pieces"]

Point = tuple[int, int]
Filler = Callable[[NDArray[np.uint8], Sequence[Point], Any], None]


def bar_corners(start: Point, end: Point, half: float) -> list[Point]:
    """Corners of a straight bar.

    Parameters
    ----------
    start, end : (int, int)
        Middle of its two ends.
    half : float
        Half its width.

    Returns
    -------
    list of (int, int)
        Four corners, rounded.
    """
    (x0, y0), (x1, y1) = start, end
    dx, dy = x1 - x0, y1 - y0
    # division and square root are exact to the last bit by IEEE 754, unlike hypot
    length = math.sqrt(dx * dx + dy * dy) or 1.0
    nx, ny = math.floor(-dy * half / length + 0.5), math.floor(dx * half / length + 0.5)
    return [(x0 + nx, y0 + ny), (x1 + nx, y1 + ny), (x1 - nx, y1 - ny), (x0 - nx, y0 - ny)]


def _crossed_twice(corners: Sequence[Point]) -> bool:
    turns, last, first = 0, 0, 0
    above = corners[-1][1]
    for _, y in corners:
        if y != above:
            way = 1 if y > above else -1
            first = first or way
            turns += way == -last
            last, above = way, y
    return turns + (first == -last) <= 2


def _turn(a: Point, b: Point, c: Point) -> int:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def pieces(corners: Sequence[Point]) -> list[Sequence[Point]]:
    """Cut a simple polygon into pieces that no horizontal line crosses more than twice.

    Parameters
    ----------
    corners : sequence of (int, int)
        In order, clockwise or not.

    Returns
    -------
    list of sequences of (int, int)
        The polygon itself where it is one such piece, else triangles.
    """
    if _crossed_twice(corners):
        return [corners]
    rest = list(corners)
    area = sum(_turn((0, 0), a, b) for a, b in zip(rest, rest[1:] + rest[:1], strict=True))
    if area < 0:
        rest.reverse()
    triangles: list[Sequence[Point]] = []
    while len(rest) > 3:
        for i, tip in enumerate(rest):
            before, after = rest[i - 1], rest[(i + 1) % len(rest)]
            turn = _turn(before, tip, after)
            if turn == 0 or (turn > 0 and not _any_inside(rest, before, tip, after)):
                if turn:
                    triangles.append((before, tip, after))
                del rest[i]
                break
        else:
            break  # it crosses itself: what is left is filled as it is
    return [*triangles, rest]


def _any_inside(corners: Sequence[Point], a: Point, b: Point, c: Point) -> bool:
    return any(
        p not in (a, b, c) and _turn(a, b, p) >= 0 and _turn(b, c, p) >= 0 and _turn(c, a, p) >= 0
        for p in corners
    )


def filler() -> Filler:
    """Get the function that fills a polygon in a plane.

    Returns
    -------
    callable
        Takes an image of uint8, shape (h, w) or (h, w, channels), the corners, which may lie outside, and
        the value or values to fill with.
    """
    fill_convex = import_cv2().fillConvexPoly

    def fill(plane: NDArray[np.uint8], corners: Sequence[Point], value: object) -> None:
        for piece in pieces(corners):
            fill_convex(plane, np.array(piece, np.int32), value)

    return fill
