"""What an import has written, counted from its files by other means than the package's."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Counts = dict[tuple[str, str], int]


def counts(folder: Path) -> Counts:
    """Pixels by category and name: one that several maps of an image hold counts once."""
    with (folder / "label.csv").open(encoding="utf-8", newline="") as file:
        names = {int(row["number"]): row["name"] for row in csv.DictReader(file)}
    with (folder / "category.csv").open(encoding="utf-8", newline="") as file:
        categories = [row["name"] for row in csv.DictReader(file)]
    found: Counter[tuple[str, str]] = Counter()
    for row in rows(folder):
        for category in categories:
            union: dict[int, NDArray[Any]] = {}
            for item in filter(None, row[category].split(";")):
                if item.isdigit():
                    union[int(item)] = np.ones((int(row["sh"]), int(row["sw"])), bool)
                    continue
                pixels = np.asarray(Image.open(folder / "images" / item)).astype(int)
                numbers = pixels[:, :, 0] + 256 * pixels[:, :, 1]
                for number in np.unique(numbers[numbers > 0]).tolist():
                    union[number] = union.get(number, False) | (numbers == number)
            for number, mask in union.items():
                found[category, names[number]] += int(mask.sum())
    return dict(found)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def splits(folder: Path) -> dict[str, str]:
    """Split by image."""
    return {row["image"]: row["split"] for row in rows(folder)}


def add_up(*masks: tuple[str, str, NDArray[Any]]) -> Counts:
    """Pixels of masks, by category and name: of each image what they cover together."""
    found: Counter[tuple[str, str]] = Counter()
    for category, name, mask in masks:
        if mask.any():
            found[category, name] += int(mask.sum())
    return dict(found)
