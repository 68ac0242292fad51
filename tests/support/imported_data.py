"""Imported data made in a test, written, and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data import LabelEntry
from onnxdissect.data.decoding.pixels import read_label_map
from onnxdissect.data.importers.imported import ImageAnnotations, ImportedData, ImportedImage
from onnxdissect.data.importers.options import ImportOptions
from onnxdissect.data.importers.report import ImportReport
from onnxdissect.data.importers.writing import write_imported
from support.importing import index_rows
from support.masked import blocks, photograph, save_photograph

Array = NDArray[Any]

LABELS = (
    LabelEntry(1, "road", ("object",)),
    LabelEntry(2, "wheel", ("part", "object")),
    LabelEntry(300, "wall", ("object",)),
    LabelEntry(9, "never", ("object",)),
)


def imported(
    place: Path,
    names: Sequence[str],
    annotations: Mapping[str, Mapping[str, Sequence[Array | int]]],
    size: tuple[int, int] = (24, 32),
) -> ImportedData:
    """Images of these names, drawn into a folder ``photos``, with these annotations."""
    images = []
    for seed, name in enumerate(names):
        file = save_photograph(place / "photos" / f"{seed}.png", photograph(seed, *size))
        own = annotations.get(name, {})
        images.append(ImportedImage(name, file, partial(_annotations, own), split="first", group="film"))
    return ImportedData(("object", "part"), LABELS, images, ("from the format",))


def _annotations(own: ImageAnnotations, size: tuple[int, int]) -> ImageAnnotations:
    return own


def write(data: ImportedData, folder: Path, **options: Any) -> ImportReport:
    return write_imported(data, folder, ImportOptions(**options))


def maps_of(folder: Path, category: str) -> list[Array]:
    """Label maps as they were written, by the rows of the index."""
    return [
        read_label_map(folder / "images" / path, path)
        for row in index_rows(folder)
        for path in row.get(category, "").split(";")
        if path and not path.isdigit()
    ]


def one_of_each(height: int = 24, width: int = 32) -> dict[str, list[Array | int]]:
    small = np.zeros((height, width), np.uint16)
    small[5, 7], small[1:4, 2:4] = 2, 2
    return {"object": [blocks(1, (0, 1, 300), height, width)], "part": [small]}
