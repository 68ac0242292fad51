"""Small labelled images of a small network: in folders, in a table, and as a data set with scenes."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from onnxdissect.data import ArrayDataset, make_vocabulary
from support.explained import CLASSES

SHOWN = 30
SIZES = ((12, 12), (17, 9), (40, 31))


def pixels(i: int) -> NDArray[np.uint8]:
    """Of another size and colour each."""
    rng = np.random.default_rng(100 + i)
    height, width = SIZES[i % len(SIZES)]
    tint = rng.integers(0, 5, (1, 1, 3))
    return (rng.integers(0, 4, (height, width, 3)) * tint).astype(np.uint8)


def shown_class(i: int) -> str:
    return CLASSES[i % 2 if i % 5 else 2]


def labelled_folder(folder: Path) -> Path:
    """A folder for each class, with a folder in one of them."""
    for i in range(SHOWN):
        of_class = folder / shown_class(i) / ("more" if i % 7 == 3 else ".")
        of_class.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(of_class / f"{i:02}.png"), np.ascontiguousarray(pixels(i)[:, :, ::-1]))
    return folder


def labelled_table(path: Path, folder: Path) -> Path:
    """The images of such a folder, in a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "class"])
        for image in sorted(folder.rglob("*.png")):
            rows.writerow([image.relative_to(path.parent), image.relative_to(folder).parts[0]])
    return path


def labelled_scenes() -> ArrayDataset:
    """The same images with scenes, and maps of the concepts that the run labelled units by."""
    names = {
        "scene": {10 + place: name for place, name in enumerate(CLASSES)},
        "color": {1: "red-c", 2: "blue-c"},
        "object": {3: "cat"},
        "part": {4: "wheel", 300: "leg"},
    }
    rng = np.random.default_rng(9)
    grids = [(6, 6) if i % 3 else (5, 7) for i in range(SHOWN)]
    # of the last image nothing but its scene is known
    maps = {
        "color": [rng.choice([0, 1, 2], grid) if i < SHOWN - 1 else None for i, grid in enumerate(grids)],
        "part": [rng.choice([0, 0, 4, 300], grid) if i < SHOWN - 1 else None for i, grid in enumerate(grids)],
    }
    scenes = [10 + CLASSES.index(shown_class(i)) for i in range(SHOWN)]
    labels = {"scene": scenes, "object": [3 if i % 4 == 0 else 0 for i in range(SHOWN)]}
    return ArrayDataset([pixels(i) for i in range(SHOWN)], make_vocabulary(names), maps, labels)
