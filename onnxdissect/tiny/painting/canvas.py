"""The canvas: colours and labels drawn by the same strokes, at twice the size of the finished image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from onnxdissect.libraries import import_cv2
from onnxdissect.tiny.concepts import MATERIALS, NESTED_PARTS, OBJECTS, PARTS, PARTS_OF
from onnxdissect.tiny.painting.polygons import bar_corners, pieces

__all__ = ["GRID", "SIDE", "SIZE", "Canvas", "Color", "Pen", "sine"]

Color = tuple[int, int, int]

SIZE = 112
"""Height and width of an image in pixels."""
GRID = 56
"""Height and width of a label map."""
SIDE = 2 * SIZE
"""Height and width of the canvas."""

_OBJECT = {name: code for code, name in enumerate(OBJECTS, 1)}
_PART = {name: code for code, name in enumerate(PARTS, 1)}
_MATERIAL = {name: code for code, name in enumerate(MATERIALS, 1)} | {"": 0}


# Rounded to integers once, so that no machine's last bit of a sine can move a pixel.
_SINE = tuple(round(1024 * math.sin(2 * math.pi * step / 360)) for step in range(360))
_CIRCLE = tuple((_SINE[(step * 15 + 90) % 360], _SINE[step * 15]) for step in range(24))


def sine(degrees: int) -> int:
    """1024 times the sine of whole degrees, as an integer."""
    return _SINE[degrees % 360]


class Canvas:
    """Four planes of paint and four of marks that every stroke writes together.

    Because a stroke writes every plane, what lies on top in the picture lies on top in the labels.

    Attributes
    ----------
    paint : ndarray of uint8, shape (224, 224, 4)
        Red, green, blue, and the object's code.
    marks : ndarray of uint8, shape (224, 224, 4)
        The codes of part, nested part and material, and 1 where the paint glows in the dark.
        Code 0 is none; code i is the i-th name of its category in `concepts`, counted from 1.
    """

    __slots__ = ("_fill", "marks", "paint")

    def __init__(self) -> None:
        self.paint: NDArray[np.uint8] = np.zeros((SIDE, SIDE, 4), np.uint8)
        self.marks: NDArray[np.uint8] = np.zeros((SIDE, SIDE, 4), np.uint8)
        self._fill = import_cv2().fillConvexPoly

    def polygon(
        self,
        points: Iterable[tuple[int, int]],
        color: Color,
        thing: str,
        part: str = "",
        material: str = "",
        glow: bool = False,
    ) -> None:
        """Fill a polygon.

        Parameters
        ----------
        points : iterable of (int, int)
            Corners (x, y) in canvas pixels; they may lie outside.
        color : (int, int, int)
            Red, green, blue.
        thing : str
            Name of the object.
        part : str
            Name of one of the object's parts, or empty. A nested part is written with the part it belongs to.
        material : str
            Name of the material, or empty.
        glow : bool
            Whether the colour stays as it is when the picture is lit.
        """
        outer, inner = 0, 0
        if part:
            if part not in PARTS_OF[thing]:
                raise KeyError(f"{part} is no part of {thing}")
            holder = NESTED_PARTS.get(part, "")
            if holder in PARTS_OF[thing]:
                outer, inner = _PART[holder], _PART[part]
            else:
                outer = _PART[part]
        paint, mark = (*color, _OBJECT[thing]), (outer, inner, _MATERIAL[material], int(glow))
        for piece in pieces(list(points)):
            corners = np.array(piece, np.int32)
            self._fill(self.paint, corners, paint)
            self._fill(self.marks, corners, mark)

    def rows(self, top: int, bottom: int, color: Color, other: Color, thing: str, material: str = "") -> None:
        """Fill whole rows with a vertical gradient.

        Parameters
        ----------
        top, bottom : int
            First row, and the one after the last.
        color, other : (int, int, int)
            Colours of the first and of the last row.
        thing, material : str
            Names of object and material.
        """
        top, bottom = max(top, 0), min(bottom, SIDE)
        if bottom <= top:
            return
        step = np.arange(bottom - top, dtype=np.int32)[:, None]
        span = max(bottom - top - 1, 1)
        first, last = np.array(color, np.int32), np.array(other, np.int32)
        ramp = first + (last - first) * step // span
        self.paint[top:bottom, :, :3] = ramp[:, None, :]
        self.paint[top:bottom, :, 3] = _OBJECT[thing]
        self.marks[top:bottom] = (0, 0, _MATERIAL[material], 0)


class Pen:
    """Draws one object in its own coordinates.

    ``u`` runs to the right (to the left when mirrored) and ``v`` upwards from the foot of the object,
    both in hundredths of its size.

    Parameters
    ----------
    canvas : Canvas
        Where to draw.
    thing : str
        Name of the object.
    x, y : int
        The object's foot in canvas pixels.
    size : int
        Canvas pixels that 100 units span.
    material : str
        What strokes are made of unless they say otherwise.
    mirror : bool
        Whether left and right are swapped.
    """

    __slots__ = ("canvas", "flip", "material", "size", "thing", "x", "y")

    def __init__(
        self, canvas: Canvas, thing: str, x: int, y: int, size: int, material: str = "", mirror: bool = False
    ) -> None:
        self.canvas = canvas
        self.thing = thing
        self.x, self.y, self.size = x, y, size
        self.material = material
        self.flip = -1 if mirror else 1

    def at(self, u: int, v: int) -> tuple[int, int]:
        """Canvas pixel (x, y) of a point of the object."""
        return self.x + self.flip * (u * self.size // 100), self.y - v * self.size // 100

    def poly(
        self,
        points: Sequence[tuple[int, int]],
        color: Color,
        part: str = "",
        material: str | None = None,
        glow: bool = False,
    ) -> None:
        """Fill a polygon of points (u, v)."""
        corners = [self.at(u, v) for u, v in points]
        self.canvas.polygon(
            corners, color, self.thing, part, self.material if material is None else material, glow
        )

    def box(
        self,
        left: int,
        bottom: int,
        right: int,
        top: int,
        color: Color,
        part: str = "",
        material: str | None = None,
        glow: bool = False,
    ) -> None:
        """Fill an upright rectangle."""
        self.poly(((left, bottom), (right, bottom), (right, top), (left, top)), color, part, material, glow)

    def oval(
        self,
        u: int,
        v: int,
        across: int,
        up: int,
        color: Color,
        part: str = "",
        material: str | None = None,
        glow: bool = False,
    ) -> None:
        """Fill an ellipse of half axes `across` and `up` around (u, v)."""
        x, y = self.at(u, v)
        a, b = across * self.size, up * self.size
        corners = [(x + c * a // 102400, y + s * b // 102400) for c, s in _CIRCLE]
        self.canvas.polygon(
            corners, color, self.thing, part, self.material if material is None else material, glow
        )

    def disc(
        self,
        u: int,
        v: int,
        radius: int,
        color: Color,
        part: str = "",
        material: str | None = None,
        glow: bool = False,
    ) -> None:
        """Fill a circle around (u, v)."""
        self.oval(u, v, radius, radius, color, part, material, glow)

    def bar(
        self,
        start: tuple[int, int],
        end: tuple[int, int],
        width: int,
        color: Color,
        part: str = "",
        material: str | None = None,
        glow: bool = False,
    ) -> None:
        """Fill a straight bar between two points; it is at least three canvas pixels wide."""
        corners = bar_corners(self.at(*start), self.at(*end), max(width * self.size / 200, 1.5))
        self.canvas.polygon(
            corners, color, self.thing, part, self.material if material is None else material, glow
        )
