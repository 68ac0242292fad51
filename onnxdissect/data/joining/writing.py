"""The second reading of all images, in which they are written with the numbers that concepts have got."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.table_writer import LabelEntry, write_tables
from onnxdissect.data.broden.writer import ImageRecord, write_image
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.data.joining.counting import naming_source
from onnxdissect.data.joining.sources import JoinSource
from onnxdissect.data.joining.vocabulary.uniting import UnitedVocabulary

__all__ = ["JoinedImage", "write_images", "write_vocabulary"]


@dataclass(frozen=True, slots=True)
class JoinedImage:
    """An image to be written.

    Attributes
    ----------
    source, i : int
        Which of which data set.
    name : str
        Path inside the images folder of the joined data set.
    split, group : str
    size : (int, int)
        (ih, iw), as decoded.
    """

    source: int
    i: int
    name: str
    split: str
    group: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Renumbering:
    """A data set on its way into the joined one."""

    source: JoinSource
    categories: dict[str, str]
    numbers: NDArray[np.uint16]  # by concept index + 1


def write_images(
    folder: Path,
    sources: Sequence[JoinSource],
    united: UnitedVocabulary,
    numbers: NDArray[np.uint16],
    images: Sequence[JoinedImage],
    *,
    link: bool,
    workers: int,
    done: Callable[[], None],
) -> list[ImageRecord]:
    """Write images and renumbered label maps.

    Parameters
    ----------
    folder : Path
        The joined data set.
    sources : sequence of JoinSource
    united : UnitedVocabulary
    numbers : ndarray of uint16, shape (concepts + 1,)
        Number of each joined concept, by its position + 1.
    images : sequence of JoinedImage
    link : bool
        Whether links lead to where images lie.
    workers : int
        Threads.
    done : callable
        Called in this thread after each image.

    Returns
    -------
    list of ImageRecord
        In the order of the images.

    Raises
    ------
    DataError
        If a file can no longer be read.
    OutputError
        If one cannot be written.
    """
    renumbered = [
        _Renumbering(source, dict(names), numbers[lookup])
        for source, names, lookup in zip(sources, united.category_names, united.lookups, strict=True)
    ]
    written = ahead(
        lambda image: _write(folder, renumbered[image.source], image, link=link),
        images,
        workers=workers,
        depth=4 * workers,
    )
    records = []
    with contextlib.closing(written):
        for record in written:
            records.append(record)
            done()
    return records


def _write(folder: Path, renumbering: _Renumbering, image: JoinedImage, *, link: bool) -> ImageRecord:
    """Write an image; called in a worker's thread."""
    source, i = renumbering.source, image.i
    dataset = source.dataset
    annotations: dict[str, list[NDArray[np.integer] | int]] = {}
    with naming_source(source):
        for category, items in source.cells[i].items():
            found = annotations.setdefault(renumbering.categories[category], [])
            for item in items:
                if isinstance(item, str):
                    label_map = renumbering.numbers[dataset.read_label_map(i, item)]
                    if label_map.any():
                        found.append(label_map)
                    continue
                number = int(renumbering.numbers[dataset.codes[item]])
                if number:
                    found.append(number)
    return write_image(
        folder,
        image.name,
        dataset.image_path(i),
        annotations,
        split=image.split,
        group=image.group,
        grid=dataset.grid(i),
        link=link,
        decoded=image.size,
    )


def write_vocabulary(
    folder: Path, united: UnitedVocabulary, numbers: NDArray[np.uint16], records: Sequence[ImageRecord]
) -> None:
    """Write the tables, counted from what was written.

    Parameters
    ----------
    folder : Path
        The joined data set.
    united : UnitedVocabulary
    numbers : ndarray of uint16, shape (concepts + 1,)
    records : sequence of ImageRecord

    Raises
    ------
    DataFormatError
        If the layout cannot hold them.
    OutputError
        If a file cannot be written.
    """
    found = {(category, n) for record in records for category, held in record.pixels.items() for n in held}
    labels = []
    for position, concept in enumerate(united.concepts, 1):
        number = int(numbers[position])
        if not number:
            continue
        # a label counts wherever it is found; a category that lists it and never holds it is none of its own
        within = tuple(category for category in united.categories if (category, number) in found)
        labels.append(LabelEntry(number, concept.name, within or concept.categories, concept.synonyms))
    write_tables(folder, united.categories, labels, records)
