"""What an element of CVAT's XML covers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from onnxdissect.data.importers.drawing.polygons import (
    Patch,
    fill_ellipse,
    fill_polygon,
    read_points,
    rectangle,
)
from onnxdissect.data.importers.drawing.rle import fill_runs
from onnxdissect.data.importers.formats.cvat.annotation_file import Element
from onnxdissect.data.limits import MOST_PIXELS, MOST_SIDE
from onnxdissect.errors import shown
from onnxdissect.storage.numerals import any_number, whole_number

__all__ = ["DRAWN", "draw", "has_area"]

Attributes = Mapping[str, str]
_FEWEST = 3


def draw(element: Element, shape: tuple[int, int]) -> Patch | None:
    """Draw an element.

    Parameters
    ----------
    element : Element
        Of a kind in `DRAWN`.
    shape : (int, int)
        Height and width of the image.

    Returns
    -------
    Patch or None
        None where it has no area.

    Raises
    ------
    ValueError
        If it is malformed; its words follow the name of the element.
    """
    return DRAWN[element.kind](element.attributes, shape)


def has_area(element: Element) -> bool:
    """Tell whether an element is of a kind that is drawn, and more than a line.

    Parameters
    ----------
    element : Element

    Returns
    -------
    bool
    """
    if element.kind == "polygon":
        return element.attributes.get("points", "").count(";") >= _FEWEST - 1
    return element.kind in DRAWN


def _number(attributes: Attributes, name: str, default: float | None = None) -> float:
    text = attributes.get(name)
    if text is None and default is not None:
        return default
    value = any_number(text or "")
    if value is None:
        raise ValueError(f"its {name} is {shown(text or '')}, and no number")
    return float(read_points([value, 0.0])[0, 0])


def _whole_number(attributes: Attributes, name: str, *, least: int = 0) -> int:
    text = attributes.get(name, "")
    value = whole_number(text, most=MOST_SIDE, least=least)
    if value is None:
        raise ValueError(f"its {name} is {shown(text)}, and no whole number from {least}")
    return value


def _polygon(attributes: Attributes, shape: tuple[int, int]) -> Patch | None:
    text = attributes.get("points", "")
    values: list[float | None] = []
    for pair in text.split(";"):
        x, _, y = pair.partition(",")
        at = any_number(x), any_number(y)
        if None in at:
            raise ValueError(f"its points hold {shown(pair)}, which is not x,y")
        values += at
    points = read_points(values)
    return fill_polygon(points, shape) if len(points) >= _FEWEST else None


def _box(attributes: Attributes, shape: tuple[int, int]) -> Patch:
    left, top, right, bottom = (_number(attributes, name) for name in ("xtl", "ytl", "xbr", "ybr"))
    return fill_polygon(rectangle(left, top, right, bottom, _number(attributes, "rotation", 0)), shape)


def _ellipse(attributes: Attributes, shape: tuple[int, int]) -> Patch | None:
    x, y, across, down = (_number(attributes, name) for name in ("cx", "cy", "rx", "ry"))
    if across < 0 or down < 0:
        raise ValueError(f"its radii are {across:g} and {down:g}")
    turned = _number(attributes, "rotation", 0)
    return fill_ellipse((x, y), (across, down), shape, turned) if across and down else None


def _mask(attributes: Attributes, shape: tuple[int, int]) -> Patch:
    left, top = (_whole_number(attributes, name) for name in ("left", "top"))
    height, width = (_whole_number(attributes, name, least=1) for name in ("height", "width"))
    if top + height > shape[0] or left + width > shape[1]:
        raise ValueError(f"its mask leads out of the image of {shape[0]} x {shape[1]}")
    runs = [whole_number(run, most=MOST_PIXELS) for run in attributes.get("rle", "").split(",")]
    if None in runs:
        raise ValueError("its run lengths are not whole numbers between commas")
    return Patch(top, left, fill_runs(np.array(runs, np.int64), (height, width), columns=False))


DRAWN: dict[str, Callable[[Attributes, tuple[int, int]], Patch | None]] = {
    "polygon": _polygon,
    "box": _box,
    "ellipse": _ellipse,
    "mask": _mask,
}
"""Kinds of elements that cover pixels."""
