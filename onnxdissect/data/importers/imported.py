"""What a format makes of a data set, before it is written in the Broden layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.about import Part
from onnxdissect.data.broden.table_writer import LabelEntry

__all__ = ["ImageAnnotations", "ImportedData", "ImportedImage"]

ImageAnnotations = Mapping[str, Sequence[NDArray[np.integer] | int]]
"""By category: label maps of label numbers, 0 where unlabelled, all of one shape, the annotation's own; and
label numbers that hold for the image as a whole."""


@dataclass(frozen=True, slots=True)
class ImportedImage:
    """An image of another data set.

    Attributes
    ----------
    name : str
        Path that it gets inside the images folder, with forward slashes and the suffix of its file.
    file : Path
        The image.
    annotations : callable
        From (ih, iw) of the decoded image to its annotations. Called in worker threads, once; raises
        `onnxdissect.errors.DataError` where they cannot be read.
    split : str
    group : str
        What the image is one of, such as a film; empty where it stands for itself.
    annotated_in : str
        File that the annotations are of, for messages; may be empty.
    spread : bool
        Whether label maps are spread over the whole image, whatever its aspect; else they have its aspect.
    """

    name: str
    file: Path
    annotations: Callable[[tuple[int, int]], ImageAnnotations]
    split: str = "train"
    group: str = ""
    annotated_in: str = ""
    spread: bool = False


@dataclass(frozen=True, slots=True)
class ImportedData:
    """A data set as its format has it.

    Attributes
    ----------
    categories : tuple of str
        In the order that decides ties.
    labels : tuple of LabelEntry
        All that annotations may hold; those that no pixel holds are left out when the tables are written.
    images : sequence of ImportedImage
        In an order that is the same on every machine.
    notes : tuple of str
        What is told when the import is done, a sentence each: what was left out, and how often.
    upright : bool
        Whether annotations are known to lie over images turned as their EXIF data say.
    parts : tuple of Part
        What it is made of, where the format tells, for about.json.
    """

    categories: tuple[str, ...]
    labels: tuple[LabelEntry, ...]
    images: Sequence[ImportedImage]
    notes: tuple[str, ...] = ()
    upright: bool = False
    parts: tuple[Part, ...] = ()
