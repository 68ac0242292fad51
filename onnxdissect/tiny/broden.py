"""Drawings as a data set in the Broden layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data import About, ImageRecord, LabelEntry, write_about, write_image, write_tables
from onnxdissect.tiny.concepts import CATEGORIES, NAMES, NUMBERS, SYNONYMS
from onnxdissect.tiny.drawing import Drawing
from onnxdissect.tiny.painting.canvas import GRID

__all__ = ["ABOUT", "write_drawing", "write_labels"]

ABOUT = About("tiny", licence="no restrictions: drawn by a program", made="data tiny")
"""Where the data set comes from."""

# The planes of each category; parts of parts are a second layer of parts.
_PLANES = {
    "color": ("color",),
    "object": ("object",),
    "part": ("part", "nested"),
    "material": ("material",),
}
_VAL_EVERY = 5


def write_drawing(folder: Path, index: int, drawing: Drawing) -> ImageRecord:
    """Write an image and its label maps.

    Parameters
    ----------
    folder : Path
        The data set.
    index : int
        Index of the image.
    drawing : Drawing
        The image.

    Returns
    -------
    ImageRecord

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    annotations: dict[str, list[NDArray[np.integer] | int]] = {
        category: [_numbers(category, drawing.planes.get(plane)) for plane in planes]
        for category, planes in _PLANES.items()
    }
    for category, position in (("scene", drawing.scene), ("texture", drawing.texture)):
        if position is not None:
            annotations[category] = [NUMBERS[NAMES[category][position]]]
    return write_image(
        folder,
        f"{'textures' if drawing.scene is None else 'scenes'}/{index:05d}.png",
        drawing.image,
        annotations,
        # five has no factor in common with the period of scenes and textures, so each is in both splits
        split="val" if index % _VAL_EVERY == _VAL_EVERY - 1 else "train",
        grid=(GRID, GRID),
    )


def _numbers(category: str, codes: NDArray[np.integer] | None) -> NDArray[np.uint16]:
    """From positions in `NAMES` + 1 to label numbers."""
    if codes is None:
        return np.zeros((GRID, GRID), np.uint16)
    numbers = np.array([0, *(NUMBERS[name] for name in NAMES[category])], np.uint16)
    return np.take(numbers, codes)


def write_labels(folder: Path, records: Sequence[ImageRecord]) -> None:
    """Write the tables, and where the data set comes from.

    Parameters
    ----------
    folder : Path
        The data set.
    records : sequence of ImageRecord
        One per image, in index order.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    labels = [
        LabelEntry(
            number,
            name,
            tuple(category for category in CATEGORIES if name in NAMES[category]),
            tuple(SYNONYMS.get(name, ())),
        )
        for name, number in NUMBERS.items()
    ]
    write_about(folder, ABOUT)
    write_tables(folder, CATEGORIES, labels, records)
