"""Imported data sets, counted independently of the package."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pixels_by_name(folder: Path) -> Counter[str]:
    """Pixels of each concept over all images; one that says so in several label maps counts once."""
    names = {int(row["number"]): row["name"] for row in _rows(folder / "label.csv")}
    categories = [row["name"] for row in _rows(folder / "category.csv")]
    found: Counter[str] = Counter()
    for row in index_rows(folder):
        held: dict[int, NDArray[np.bool_]] = {}
        for item in filter(None, ";".join(row[category] for category in categories).split(";")):
            if item.isdigit():
                numbers = np.full((int(row["sh"]), int(row["sw"])), int(item))
            else:
                pixels = np.asarray(Image.open(folder / "images" / item)).astype(int)
                numbers = pixels[:, :, 0] + 256 * pixels[:, :, 1]
            for number in set(numbers.ravel().tolist()) - {0}:
                held[number] = held.get(number, False) | (numbers == number)
        for number, there in held.items():
            found[names[number]] += int(there.sum())
    return found


def counted_masks(masks: Iterable[NDArray[Any]], names: Mapping[int, str]) -> Counter[str]:
    """Pixels of each name over all masks; numbers without a name say nothing."""
    found: Counter[str] = Counter()
    for mask in masks:
        for number, count in zip(*np.unique(mask, return_counts=True), strict=True):
            if names.get(int(number)):
                found[names[int(number)]] += int(count)
    return found


def index_rows(folder: Path) -> list[dict[str, str]]:
    return _rows(folder / "index.csv")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
