"""Pascal VOC's folders as `ImportedData`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.importers.formats.voc.classes import BORDER, CLASSES, palette
from onnxdissect.data.importers.formats.voc.part_names import PART_NAMES
from onnxdissect.data.importers.formats.voc.parts import read_parts
from onnxdissect.data.importers.imported import ImageAnnotations, ImportedData, ImportedImage
from onnxdissect.data.importers.names import normal
from onnxdissect.data.importers.reading.class_names import label_entries
from onnxdissect.data.importers.reading.finding import FileFinder
from onnxdissect.data.importers.reading.mask_files import read_mask
from onnxdissect.data.importers.reading.trees import require_folder
from onnxdissect.data.limits import MOST_TABLE_BYTES
from onnxdissect.errors import DataFormatError, DataNotFoundError, EmptyDataError, shown, shown_path
from onnxdissect.storage.regular_files import is_file, is_folder, read_regular_file
from onnxdissect.wording import counted

__all__ = ["read_voc"]

_IMAGES, _MASKS, _LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"
_PARTS = "Annotations_Part"
_LAYOUT = (
    f"a folder of Pascal VOC holds {_IMAGES}/ and {_MASKS}/, and as a rule {_LISTS}/train.txt and val.txt"
)
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class _Image:
    """Where an image is annotated.

    Attributes
    ----------
    mask, parts : Path or None
    numbers : dict of str to int
        Label numbers by name.
    """

    mask: Path | None
    parts: Path | None
    numbers: dict[str, int]

    def annotate(self, shape: tuple[int, int]) -> ImageAnnotations:
        found: dict[str, tuple[NDArray[np.uint16], ...]] = {}
        if self.parts is not None:
            found["object"], found["part"] = read_parts(
                self.parts, shown_path(self.parts), shape, self.numbers
            )
        if self.mask is not None:
            found["object"] = (_classes_of(self.mask, shown_path(self.mask)),)
        return found


def read_voc(folder: Path, *, parts: Path | None = None) -> ImportedData:
    """Read Pascal VOC's segmentation, perhaps with the parts of Pascal-Part.

    Parameters
    ----------
    folder : Path
        ``VOC2012`` or the like, or a folder above it that holds one such.
    parts : Path, optional
        Pascal-Part's folder of files of MATLAB; by default ``Annotations_Part`` in it, if there is one.

    Returns
    -------
    ImportedData
        Objects under VOC's own indices; parts follow. Images are those that the lists name, or all with a
        mask where there are no lists; with parts also those that only Pascal-Part annotates.

    Raises
    ------
    DataNotFoundError
        If there is no such folder, or a file in it is missing.
    DataFormatError
        If a list is malformed, or a file leads out of the folder.
    EmptyDataError
        If no image is annotated.
    """
    require_folder(folder, "--root")
    root = _root(folder)
    finder = FileFinder(root)
    annotated = _annotated_parts(root, parts)
    splits, notes = _splits(root, finder)
    named = sorted(set(PART_NAMES.values())) if annotated is not None else []
    labels = label_entries([*((name, "object") for name in CLASSES), *((name, "part") for name in named)])
    numbers = {label.name: label.number for label in labels}
    images = []
    for stem in sorted(set(splits) | set(annotated or ())):
        image = finder.find(f"{_IMAGES}/{stem}.jpg", "the lists of images")
        if image is None:
            raise DataNotFoundError(
                f"{shown_path(root / _IMAGES)} has no {shown(f'{stem}.jpg')}, which is annotated",
                hint=_LAYOUT,
            )
        mask = finder.find(f"{_MASKS}/{stem}.png", "the lists of images")
        part = None if annotated is None else annotated.get(stem)
        if mask is None and part is None:
            raise DataNotFoundError(
                f"{shown_path(root / _MASKS)} has no {shown(f'{stem}.png')}, which {_LISTS} lists",
                hint=_LAYOUT,
            )
        images.append(
            ImportedImage(
                f"{normal(stem)}.jpg",
                image,
                _Image(mask, part, numbers).annotate,
                splits.get(stem, "train"),
                annotated_in=str(mask or part),
            )
        )
    if not images:
        raise EmptyDataError(f"{shown_path(root)} has no annotated image", hint=_LAYOUT)
    if annotated is not None:
        without = sum(stem not in annotated for stem in splits)
        if without:
            notes.append(f"{counted(without, 'image')} without parts: these are unlabelled")
    categories = ("object", "part") if annotated is not None else ("object",)
    return ImportedData(categories, labels, images, (*notes, *finder.notes()))


def _root(folder: Path) -> Path:
    places = [folder, folder / "VOCdevkit"]
    found = [place for place in places if is_folder(place / _IMAGES)]
    if found:
        return found[0]
    years = [
        Path(entry.path)
        for place in places
        if is_folder(place)
        for entry in sorted(os.scandir(place), key=lambda entry: entry.name)
        if is_folder(Path(entry.path) / _IMAGES)
    ]
    if len(years) == 1:
        return years[0]
    if years:
        raise DataNotFoundError(
            f"{shown_path(folder)} holds {len(years)} data sets of Pascal VOC",
            candidates=[str(year) for year in years],
            hint=f"--root {shown_path(years[-1])}",
        )
    raise DataNotFoundError(f"{shown_path(folder)} is no folder of Pascal VOC", hint=_LAYOUT)


def _annotated_parts(root: Path, parts: Path | None) -> dict[str, Path] | None:
    """Files of Pascal-Part by the name of their image; None where there is no such folder."""
    folder = root / _PARTS if parts is None else parts
    if parts is None and not is_folder(folder):
        return None
    require_folder(folder, "--parts")
    finder = FileFinder(folder)
    names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".mat"))
    if not names:
        raise EmptyDataError(
            f"{shown_path(folder)} holds no file that ends in .mat", hint="--parts is Annotations_Part"
        )
    found = {name.removesuffix(".mat"): finder.find(name, shown_path(folder)) for name in names}
    return {stem: path for stem, path in found.items() if path is not None}


def _splits(root: Path, finder: FileFinder) -> tuple[dict[str, str], list[str]]:
    """Split by name of an image, of those with masks."""
    if not is_folder(root / _MASKS):
        if is_folder(root / _PARTS):
            return {}, [f"there is no {_MASKS}: objects are those of Pascal-Part"]
        raise DataNotFoundError(f"{shown_path(root)} has no folder {_MASKS}", hint=_LAYOUT)
    found: dict[str, str] = {}
    notes = []
    for split in _SPLITS:
        path = root / _LISTS / f"{split}.txt"
        listed = _listed(path) if is_file(path) else []
        bare = [
            stem
            for stem in listed
            if split == "test" and finder.find(f"{_MASKS}/{stem}.png", str(path)) is None
        ]
        if bare:
            notes.append(f"{counted(len(bare), 'image')} of the split test without a mask, and left out")
        for stem in listed:
            if found.setdefault(stem, split) != split:
                raise DataFormatError(
                    f"{shown_path(path)} lists {shown(stem)}, which is of the split {found[stem]} already"
                )
        for stem in bare:
            del found[stem]
    for stem in _listed(both) if is_file(both := root / _LISTS / "trainval.txt") else []:
        found.setdefault(stem, "train")
    if found:
        return found, notes
    stems = sorted(entry.name for entry in os.scandir(root / _MASKS) if entry.name.endswith(".png"))
    return {name.removesuffix(".png"): "train" for name in stems}, [
        f"there are no lists in {_LISTS}: all images with a mask are of the split train"
    ]


def _listed(path: Path) -> list[str]:
    try:
        text = read_regular_file(path, MOST_TABLE_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise DataFormatError(f"{shown_path(path)} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{shown_path(path)} is not UTF-8 text", hint="save it as UTF-8") from error
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _classes_of(path: Path, called: str) -> NDArray[np.uint16]:
    """Read the indices of a mask, of one in colours by what they are shown in; 0 where it is unlabelled."""
    pixels = read_mask(path, called)
    indices = pixels.astype(np.int64) if pixels.ndim == 2 else _by_colour(pixels, called)
    strange = (indices > len(CLASSES)) & (indices != BORDER)
    if strange.any():
        first = int(indices[strange].min())
        raise DataFormatError(
            f"{called} holds the index {first} at {int((indices == first).sum()):,} pixels; the classes of "
            f"Pascal VOC are 1 to {len(CLASSES)}, and {BORDER} the border",
            hint="for masks of other classes: onnxdissect data import masks",
        )
    return np.where(indices == BORDER, 0, indices).astype(np.uint16)


def _by_colour(pixels: NDArray[np.generic], called: str) -> NDArray[np.int64]:
    weights = np.array([1 << 16, 1 << 8, 1])
    known = palette() @ weights
    order = np.argsort(known)
    codes = pixels.astype(np.int64) @ weights
    place = np.minimum(np.searchsorted(known[order], codes), order.size - 1)
    strange = known[order][place] != codes
    if strange.any():
        code = int(codes[strange][0])
        raise DataFormatError(
            f"{called} has colours instead of a palette, and #{code:06x} at {int((codes == code).sum()):,} "
            f"pixels is none of Pascal VOC's",
            hint="use the masks as they were published; resizing or JPEG changes their colours",
        )
    found: NDArray[np.int64] = order[place]
    return found
