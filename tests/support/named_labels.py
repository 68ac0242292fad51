"""Small data sets, said by the names of their labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from support.datasets import Broden, Label, Listed, Picture, write_broden

Draw = Callable[..., Path]


def draw_labels(
    place: Path,
    folder: str,
    names: Mapping[str, Sequence[str]],
    *,
    images: int = 2,
    rare: Sequence[str] = (),
    first: int = 1,
    file: str = "{}.png",
) -> Path:
    """Write a data set of names by category: each label is a row of pixels in as many images as asked for."""
    numbered = enumerate(((category, name) for category, listed in names.items() for name in listed), first)
    labels: dict[str, tuple[int, list[str]]] = {}
    for number, (category, name) in numbered:
        labels.setdefault(name, (number, []))[1].append(category)
    grid = (max(2, len(labels)), 3)
    pictures = []
    for i in range(images):
        cells: dict[str, list[np.ndarray | int]] = {}
        for row, (name, (number, categories)) in enumerate(labels.items()):
            if name in rare and i:
                continue
            for category in categories:
                if category.casefold() == "scene":
                    cells.setdefault(category, []).append(number)
                    continue
                plane = cells.setdefault(category, [np.zeros(grid, int)])[0]
                assert isinstance(plane, np.ndarray)
                plane[row] = number
        pictures.append(Picture(file.format(f"{folder}{i}"), cells, grid=grid, size=(6, 9)))
    listed = [
        Label(number, name, {category: Listed(images, 1.0) for category in categories})
        for name, (number, categories) in labels.items()
    ]
    return write_broden(place / folder, Broden(tuple(names), listed, pictures))
