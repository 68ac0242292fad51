"""ADE20K's scene parsing benchmark: 150 classes, a grey mask for each image."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from onnxdissect.data.broden.table_writer import LabelEntry
from onnxdissect.data.importers.imported import ImageAnnotations, ImportedData, ImportedImage
from onnxdissect.data.importers.reading.class_names import split_synonyms
from onnxdissect.data.importers.reading.mask_files import read_mask
from onnxdissect.data.importers.reading.trees import IMAGES, FoundFile, find_files, match_files
from onnxdissect.data.limits import MOST_TABLE_BYTES
from onnxdissect.data.vocabulary import HIGHEST_NUMBER
from onnxdissect.errors import DataFormatError, DataNotFoundError, EmptyDataError, shown, shown_path
from onnxdissect.storage.numerals import whole_number
from onnxdissect.storage.regular_files import is_file, read_regular_file
from onnxdissect.wording import counted

__all__ = ["NAMES", "read_scene_parsing"]

NAMES = "objectInfo150.txt"
"""The file of the names of classes."""

_SCENES = "sceneCategories.txt"
_SPLITS = {"training": "train", "validation": "val"}
_NO_SCENE = frozenset(("misc", "outliers"))
_ENDING = frozenset((".png",))


@dataclass(frozen=True)
class _Image:
    """Where an image is annotated, and its scene's label number, 0 where that is not known."""

    mask: FoundFile
    classes: int
    scene: int

    def annotate(self, shape: tuple[int, int]) -> ImageAnnotations:
        called = shown_path(self.mask.path)
        numbers = read_mask(self.mask.path, called)
        if numbers.ndim != 2:
            raise DataFormatError(
                f"{called} holds colours, and masks of scene parsing are grey",
                hint="use annotations/ as it was published, not the masks in colours",
            )
        highest = int(numbers.max())
        if highest > self.classes:
            many = int((numbers == highest).sum())
            raise DataFormatError(
                f"{called} holds the number {highest} at {many:,} pixels; {NAMES} names 1 to {self.classes}"
            )
        found = {"object": [numbers.astype(np.uint16)]}
        return {**found, "scene": [self.scene]} if self.scene else found


def read_scene_parsing(root: Path) -> ImportedData:
    """Read the scene parsing benchmark.

    Parameters
    ----------
    root : Path
        Holds images/, annotations/ and objectInfo150.txt, and perhaps sceneCategories.txt.

    Returns
    -------
    ImportedData
        Objects under their own numbers, scenes behind them.

    Raises
    ------
    DataError
        If a file is missing or malformed.
    """
    labels = list(_names(root / NAMES))
    matches = match_files(
        find_files(root / "images", IMAGES, "--root"), find_files(root / "annotations", _ENDING, "--root")
    )
    scenes = _scenes(root / _SCENES) if is_file(root / _SCENES) else {}
    used = sorted(
        {scenes[stem] for image, _ in matches.pairs if (stem := _stem(image)) in scenes} - _NO_SCENE
    )
    numbers = {scene: number for number, scene in enumerate(used, labels[-1].number + 1)}
    images = []
    for image, mask in matches.pairs:
        split = next((_SPLITS[part] for part in PurePosixPath(image.name).parts if part in _SPLITS), "train")
        scene = numbers.get(scenes.get(_stem(image), ""), 0)
        images.append(
            ImportedImage(
                image.name,
                image.path,
                _Image(mask, labels[-1].number, scene).annotate,
                split,
                annotated_in=str(mask.path),
            )
        )
    if not images:
        raise EmptyDataError(f"{shown_path(root)} has no image with a mask")
    notes = list(matches.notes)
    if not scenes:
        notes.append(f"there is no {_SCENES}: images have no scenes")
    elif without := sum(_stem(image) not in scenes for image, _ in matches.pairs):
        notes.append(f"{counted(without, 'image')} without a line in {_SCENES}, and so without a scene")
    return ImportedData(
        ("object", "scene") if numbers else ("object",),
        (*labels, *(LabelEntry(number, f"{scene}-s", ("scene",)) for scene, number in numbers.items())),
        images,
        tuple(notes),
    )


def _stem(image: FoundFile) -> str:
    return PurePosixPath(image.stem).name


def _read_text(path: Path) -> str:
    try:
        return read_regular_file(path, MOST_TABLE_BYTES).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no {shown_path(path)}") from error
    except OSError as error:
        raise DataFormatError(f"{shown_path(path)} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{shown_path(path)} is not UTF-8 text", hint="save it as UTF-8") from error


def _names(path: Path) -> tuple[LabelEntry, ...]:
    """Classes by the columns Idx and Name, between tabs; numbers follow each other."""
    called = shown_path(path)
    rows = list(csv.reader(io.StringIO(_read_text(path)), delimiter="\t", quoting=csv.QUOTE_NONE))
    header = [cell.strip() for cell in rows[0]] if rows else []
    if "Idx" not in header or "Name" not in header:
        raise DataFormatError(f"{called} has no columns Idx and Name between tabs in its first line")
    at, name_at = header.index("Idx"), header.index("Name")
    labels: list[LabelEntry] = []
    known: dict[str, int] = {}
    for line, cells in enumerate(rows[1:], 2):
        if not "".join(cells).strip():
            continue
        number = whole_number(cells[at], most=HIGHEST_NUMBER) if len(cells) > max(at, name_at) else None
        if number != len(labels) + 1:
            raise DataFormatError(
                f"{called}, line {line}: Idx {len(labels) + 1} was expected, and there is "
                f"{shown(cells[at]) if len(cells) > at else 'nothing'}"
            )
        name, synonyms = split_synonyms(cells[name_at], f"{called}, line {line}: the class")
        other = known.setdefault(name, number)
        if other != number:
            raise DataFormatError(
                f"{called}, line {line}: {shown(name)} is the class {other} already",
                hint="the first of the names between commas is that of the concept",
            )
        labels.append(LabelEntry(number, name, ("object",), synonyms))
    if not labels:
        raise DataFormatError(f"{called} names no class")
    return tuple(labels)


def _scenes(path: Path) -> dict[str, str]:
    """Scene by name of an image: both on a line, with a blank between."""
    found: dict[str, str] = {}
    for line, text in enumerate(_read_text(path).splitlines(), 1):
        words = text.split()
        if not words:
            continue
        if len(words) != 2:
            raise DataFormatError(
                f"{shown_path(path)}, line {line}: an image and its scene were expected, and there is "
                f"{shown(text)}"
            )
        if found.setdefault(words[0], words[1]) != words[1]:
            raise DataFormatError(
                f"{shown_path(path)}, line {line}: {shown(words[0])} has another scene above"
            )
    return found
