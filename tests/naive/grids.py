"""Label grids and colour names literally: a cell, a pixel, a fraction at a time."""

from __future__ import annotations

import colorsys
import math
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def square(size: tuple[int, int], aspect: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Upper left corner and extent of what the label grid lies over, in pixels of the image."""
    height, width = size
    if aspect == "stretch":
        return (0, 0), (height, width)
    side = min(height, width) if aspect == "crop" else max(height, width)
    return (math.floor(Fraction(height - side, 2)), math.floor(Fraction(width - side, 2))), (side, side)


def nearest(label_map: Array, size: tuple[int, int], aspect: str, grid: tuple[int, int]) -> Array:
    """The pixel at the centre of each cell."""
    start, extent = square(size, aspect)
    found = np.zeros(grid, np.int64)
    for row in range(grid[0]):
        for column in range(grid[1]):
            place = []
            for axis, cell in enumerate((row, column)):
                in_image = start[axis] + (cell + Fraction(1, 2)) * extent[axis] / grid[axis]
                place.append(math.floor(in_image * label_map.shape[axis] / size[axis]))
            if 0 <= place[0] < label_map.shape[0] and 0 <= place[1] < label_map.shape[1]:
                found[row, column] = label_map[place[0], place[1]]
    return found


def majority(label_map: Array, size: tuple[int, int], aspect: str, grid: tuple[int, int]) -> Array:
    """What most labelled pixels of each cell hold; where no pixel has its centre in a cell, the nearest."""
    start, extent = square(size, aspect)
    within: dict[tuple[int, int], Counter[int]] = {}
    for row in range(label_map.shape[0]):
        for column in range(label_map.shape[1]):
            cell = []
            for axis, pixel in enumerate((row, column)):
                in_image = (pixel + Fraction(1, 2)) * size[axis] / label_map.shape[axis]
                cell.append(math.floor((in_image - start[axis]) * grid[axis] / extent[axis]))
            within.setdefault((cell[0], cell[1]), Counter())[int(label_map[row, column])] += 1
    found = nearest(label_map, size, aspect, grid)
    for row in range(grid[0]):
        for column in range(grid[1]):
            counts = within.get((row, column))
            if counts is not None:
                del counts[0]
                found[row, column] = min(counts, key=lambda number: (-counts[number], number), default=0)
    return found


def color(red: int, green: int, blue: int) -> str:
    """The colour of a pixel, by the table of the documents."""
    light, chroma = max(red, green, blue), max(red, green, blue) - min(red, green, blue)
    hue = 360 * Fraction(colorsys.rgb_to_hsv(red, green, blue)[0]).limit_denominator(6 * 255)
    if light < 40 or (light < 85 and chroma < 25):
        return "black"
    if chroma < 25 or Fraction(chroma, light) < Fraction(12, 100):
        return "white" if light >= 195 else "grey"
    if (hue < 25 or hue >= 350) and light >= 165 and Fraction(chroma, light) < Fraction(45, 100):
        return "pink"
    if hue < 10 or hue >= 350:
        return "red"
    if hue < 40:
        return "brown" if light < 200 else "orange"
    if hue < 65:
        return "brown" if light < 150 else "yellow"
    for name, below in (("green", 170), ("blue", 260), ("purple", 325)):
        if hue < below:
            return name
    return "pink"
