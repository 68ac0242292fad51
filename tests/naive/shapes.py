"""Polygons pixel by pixel, in exact numbers, and run lengths letter by letter.

Slow on purpose, and importing nothing from the package.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]


def polygon(points: list[Point], height: int, width: int) -> NDArray[np.bool_]:
    """A pixel is inside where a ray from its centre to the left crosses an odd number of edges."""
    exact = [(Fraction(x), Fraction(y)) for x, y in points]
    inside = np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            cx, cy = column + Fraction(1, 2), row + Fraction(1, 2)
            crossings = 0
            for (x0, y0), (x1, y1) in zip(exact, exact[1:] + exact[:1], strict=True):
                if (y0 <= cy) != (y1 <= cy):
                    crossings += x0 + (cy - y0) / (y1 - y0) * (x1 - x0) <= cx
            inside[row, column] = crossings % 2 == 1
    return inside


def runs(text: str) -> list[int]:
    """Run lengths of the text that COCO packs them in."""
    found: list[int] = []
    number = shift = 0
    for letter in text:
        five = ord(letter) - 48
        number |= (five & 31) << shift
        shift += 5
        if five & 32:
            continue
        if five & 16:
            number -= 1 << shift
        found.append(number + (found[-2] if len(found) > 2 else 0))
        number = shift = 0
    return found
