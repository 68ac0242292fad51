"""Imported data sets, counted independently of the package."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from naive import data as naive_data
from numpy.typing import NDArray


def pixels_by_name(folder: Path) -> Counter[str]:
    """Pixels of each concept over all images, by the naive reader."""
    read = naive_data.read(folder)
    found: Counter[str] = Counter()
    for image in read.images:
        for number, pixels in image.pixels.items():
            found[read.names[number]] += len(pixels)
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
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
