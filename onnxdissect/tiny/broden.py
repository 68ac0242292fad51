"""The Broden layout: writes drawings as the published data set is laid out."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import import_cv2
from onnxdissect.tiny.concepts import CATEGORIES, NAMES, NUMBERS, SYNONYMS
from onnxdissect.tiny.drawing import Drawing
from onnxdissect.tiny.painting.canvas import GRID, SIZE

__all__ = ["Record", "write_drawing", "write_tables"]

# The category of each plane and the end of its file name; the parts of parts are a second part layer.
_PLANES = {
    "color": ("color", "color"),
    "object": ("object", "object"),
    "part": ("part", "part_1"),
    "nested": ("part", "part_2"),
    "material": ("material", "material"),
}
_WHOLE = GRID * GRID
_VAL_EVERY = 5


@dataclass(frozen=True, slots=True)
class Record:
    """What the tables say about one image.

    Attributes
    ----------
    index : int
        Index of the image.
    cells : mapping of str to str
        Cell of index.csv by category; a category that the image lacks is absent.
    pixels : mapping of str to mapping of int to int
        Covered pixels of the label map by category and label number.
    """

    index: int
    cells: Mapping[str, str]
    pixels: Mapping[str, Mapping[int, int]]

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"index": self.index, "cells": self.cells, "pixels": self.pixels}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        """From the JSON value."""
        pixels = {
            category: {int(number): count for number, count in found.items()}
            for category, found in value["pixels"].items()
        }
        return cls(value["index"], value["cells"], pixels)


def _stem(index: int, drawing: Drawing) -> str:
    return f"{'textures' if drawing.scene is None else 'scenes'}/{index:05d}"


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    # through bytes: OpenCV's own writer fails silently, and on Windows at any name beyond ASCII
    cv2 = import_cv2()
    _, content = cv2.imencode(".png", image[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    path.write_bytes(content.tobytes())


def write_drawing(folder: Path, index: int, drawing: Drawing) -> Record:
    """Write an image and its label maps.

    Parameters
    ----------
    folder : Path
        The data set; ``images/scenes`` and ``images/textures`` exist.
    index : int
        Index of the image.
    drawing : Drawing
        The image.

    Returns
    -------
    Record

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    stem = _stem(index, drawing)
    _write_png(folder / "images" / f"{stem}.png", drawing.image)
    cells: dict[str, str] = {}
    pixels: dict[str, dict[int, int]] = {}
    for plane, (category, ending) in _PLANES.items():
        codes = drawing.planes.get(plane)
        if codes is None or not codes.any():
            continue
        numbers = np.array([0, *(NUMBERS[name] for name in NAMES[category])], np.uint16)[codes]
        label = np.zeros((*numbers.shape, 3), np.uint8)
        label[:, :, 0], label[:, :, 1] = numbers % 256, numbers // 256
        name = f"{stem}_{ending}.png"
        _write_png(folder / "images" / name, label)
        cells[category] = f"{cells[category]};{name}" if category in cells else name
        found, counts = np.unique(numbers[numbers > 0], return_counts=True)
        # a part and a part of it never share a number, so the layers' counts add
        covered = pixels.setdefault(category, {})
        for number, count in zip(found.tolist(), counts.tolist(), strict=True):
            covered[number] = covered.get(number, 0) + count
    for category, position in (("scene", drawing.scene), ("texture", drawing.texture)):
        if position is not None:
            number = NUMBERS[NAMES[category][position]]
            cells[category] = str(number)
            pixels[category] = {number: _WHOLE}
    return Record(index, cells, pixels)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _index_row(record: Record) -> list[object]:
    # the drawing's own rule puts textures apart; five is prime to the period of scenes and textures
    split = "val" if record.index % _VAL_EVERY == _VAL_EVERY - 1 else "train"
    folder = "scenes" if "scene" in record.cells else "textures"
    image = f"{folder}/{record.index:05d}.png"
    return [
        image,
        split,
        SIZE,
        SIZE,
        GRID,
        GRID,
        *(record.cells.get(category, "") for category in CATEGORIES),
    ]


def write_tables(folder: Path, records: Sequence[Record]) -> None:
    """Write index.csv, category.csv, label.csv and a c_<category>.csv per category.

    Parameters
    ----------
    folder : Path
        The data set.
    records : sequence of Record
        One per image, in index order.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    images: dict[tuple[str, int], int] = {}
    covered: dict[tuple[str, int], int] = {}
    for record in records:
        for category, found in record.pixels.items():
            for number, count in found.items():
                key = category, number
                images[key] = images.get(key, 0) + 1
                covered[key] = covered.get(key, 0) + count
    for category in CATEGORIES:
        keys = sorted(
            ((category, NUMBERS[name]) for name in NAMES[category]),
            key=lambda key: (-images.get(key, 0), key),
        )
        names = {NUMBERS[name]: name for name in NAMES[category]}
        rows = (
            (code, key[1], names[key[1]], images.get(key, 0), covered.get(key, 0) / _WHOLE)
            for code, key in enumerate(keys, 1)
        )
        _write_csv(folder / f"c_{category}.csv", ("code", "number", "name", "frequency", "coverage"), rows)
    _write_csv(
        folder / "category.csv",
        ("name", "first", "last", "count", "frequency"),
        (_category_row(category, images) for category in CATEGORIES),
    )
    _write_csv(
        folder / "label.csv",
        ("number", "name", "category", "frequency", "coverage", "syns"),
        (
            _label_row(number, name, images, covered)
            for name, number in sorted(NUMBERS.items(), key=lambda item: item[1])
        ),
    )
    # last: a folder with an index is a data set
    header = ("image", "split", "ih", "iw", "sh", "sw", *CATEGORIES)
    _write_csv(folder / "index.csv", header, map(_index_row, records))


def _category_row(category: str, images: Mapping[tuple[str, int], int]) -> tuple[object, ...]:
    numbers = [NUMBERS[name] for name in NAMES[category]]
    frequency = sum(images.get((category, number), 0) for number in numbers)
    return category, min(numbers), max(numbers), len(numbers), frequency


def _label_row(
    number: int, name: str, images: Mapping[tuple[str, int], int], covered: Mapping[tuple[str, int], int]
) -> tuple[object, ...]:
    within = sorted(
        (category for category in CATEGORIES if name in NAMES[category]),
        key=lambda category: -images.get((category, number), 0),
    )
    listed = ";".join(f"{category}({images.get((category, number), 0)})" for category in within)
    frequency = sum(images.get((category, number), 0) for category in within)
    coverage = sum(covered.get((category, number), 0) for category in within) / _WHOLE
    return number, name, listed, frequency, f"{coverage:.6f}", ";".join(SYNONYMS.get(name, ()))
