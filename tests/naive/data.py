"""A Broden folder read literally: a row, a cell, a pixel at a time.

Slow on purpose, and importing nothing from the package.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass
class NaiveImage:
    """A row of the index: which pixels hold which label number."""

    name: str
    split: str
    grid: tuple[int, int]
    pixels: dict[int, set[tuple[int, int]]]


@dataclass
class NaiveBroden:
    images: list[NaiveImage]
    names: dict[int, str]
    primary: dict[int, str]


def read(folder: Path) -> NaiveBroden:
    """Read everything."""
    labels = {int(row["number"]): row for row in _rows(folder / "label.csv")}
    names = {number: row["name"] for number, row in labels.items() if row["name"]}
    categories = [row["name"] for row in _rows(folder / "category.csv")]
    primary = {number: _primary(folder, number, labels[number]["category"], categories) for number in names}
    images = []
    for row in _rows(folder / "index.csv"):
        grid = (int(row["sh"]), int(row["sw"]))
        pixels: dict[int, set[tuple[int, int]]] = {}
        for category in categories:
            for item in row[category].split(";"):
                item = item.strip()
                for r in range(grid[0]):
                    for c in range(grid[1]):
                        if item.isdigit():
                            number = int(item)
                        elif item:
                            number = _number(folder / "images" / item, r, c)
                        else:
                            continue
                        if number in names:
                            pixels.setdefault(number, set()).add((r, c))
        images.append(NaiveImage(row["image"], row["split"], grid, pixels))
    return NaiveBroden(images, names, primary)


def _primary(folder: Path, number: int, column: str, categories: list[str]) -> str:
    listed = {re.sub(r"\(.*", "", part): int(re.findall(r"\d+", part)[0]) for part in column.split(";")}
    extents = []
    for position, category in enumerate(categories):
        if category not in listed:
            continue
        extent: float = listed[category]
        if (folder / f"c_{category}.csv").exists():
            [extent] = [
                float(row["coverage"])
                for row in _rows(folder / f"c_{category}.csv")
                if row["number"] == str(number)
            ]
        extents.append((extent, position))
    return categories[max(extents)[1]]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row for row in csv.DictReader(file) if any(row.values())]


def _number(path: Path, r: int, c: int) -> int:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    colours = path.read_bytes()[25]  # of the header: 0 and 4 are grey, without and with alpha
    if pixels.ndim == 2:
        return int(pixels[r, c])
    if colours == 4:
        return int(pixels[r, c, 0])
    return int(pixels[r, c, 2]) + 256 * int(pixels[r, c, 1])


def nearest_pixels(label_map: NDArray[np.integer], grid: tuple[int, int]) -> NDArray[np.integer]:
    """Each pixel takes what lies under its centre, (i + 1/2) * there / wanted."""
    height, width = label_map.shape
    found = np.empty(grid, label_map.dtype)
    for i in range(grid[0]):
        for j in range(grid[1]):
            row = math.floor(Fraction(2 * i + 1, 2) * height / grid[0])
            column = math.floor(Fraction(2 * j + 1, 2) * width / grid[1])
            found[i, j] = label_map[row, column]
    return found
