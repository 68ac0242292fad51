"""The full ADE20K of 2016: objects, their parts and parts of these, a mask for each, by scenes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.table_writer import LabelEntry
from onnxdissect.data.importers.formats.ade20k.object_names import (
    INDEX,
    name_by_instances,
    names_of_index,
    read_codes,
)
from onnxdissect.data.importers.imported import ImageAnnotations, ImportedData, ImportedImage
from onnxdissect.data.importers.reading.class_names import label_entries, split_synonyms
from onnxdissect.data.importers.reading.trees import FoundFile, find_files
from onnxdissect.errors import DataFormatError, EmptyDataError, listed, shown_path
from onnxdissect.storage.regular_files import is_file
from onnxdissect.wording import counted

__all__ = ["read_full"]

_OBJECTS, _PARTS, _INSTANCES = "_seg", "_parts_", "_atr.txt"
_SPLITS = {"training": "train", "validation": "val"}
_NO_SCENE = frozenset(("misc", "outliers"))
_JPEG, _PNG = frozenset((".jpg",)), frozenset((".png",))


@dataclass(frozen=True)
class _Masks:
    """The masks of an image.

    Attributes
    ----------
    objects : Path
    parts : tuple of Path
        By level.
    numbers : dict of int to int
        Label number by number of a class.
    scene : int
        Label number, 0 where there is none.
    """

    objects: Path
    parts: tuple[Path, ...]
    numbers: Mapping[int, int]
    scene: int = 0

    def annotate(self, shape: tuple[int, int]) -> ImageAnnotations:
        found: dict[str, Sequence[NDArray[np.uint16] | int]] = {"object": [self._read(self.objects)]}
        if self.parts:
            found["part"] = [self._read(path) for path in self.parts]
        if self.scene:
            found["scene"] = [self.scene]
        return found

    def _read(self, path: Path) -> NDArray[np.uint16]:
        called = shown_path(path)
        codes, _ = read_codes(path, called)
        pixels = np.bincount(codes.ravel())
        table = np.zeros(pixels.size, np.uint16)
        for code in np.flatnonzero(pixels).tolist():
            if code and code not in self.numbers:
                raise DataFormatError(
                    f"{called} holds the class {code} at {int(pixels[code]):,} pixels, which has no name",
                    hint=f"{INDEX} of the release, beside the folder images, has the names of all classes",
                )
            table[code] = self.numbers.get(code, 0)
        return table[codes]


def read_full(root: Path) -> ImportedData:
    """Read the full set.

    Parameters
    ----------
    root : Path
        Holds images/, and as a rule index_ade20k.mat.

    Returns
    -------
    ImportedData
        Classes are numbered in the order of their own numbers; those of one name are one label.

    Raises
    ------
    DataError
        If a file is missing or malformed.
    """
    photos = find_files(root / "images", _JPEG, "--root")
    masks = {one.name: one for one in find_files(root / "images", _PNG, "--root")}
    found = [(photo, masks.get(f"{_stem(photo)}{_OBJECTS}.png")) for photo in photos]
    annotated = [(photo, objects) for photo, objects in found if objects is not None]
    if not annotated:
        raise EmptyDataError(
            f"{shown_path(root)} has no image with a mask *{_OBJECTS}.png",
            hint="the set of 2016 has them beside its photographs, and those of parts, *_parts_1.png",
        )
    notes = []
    if len(annotated) < len(photos):
        bare = counted(len(photos) - len(annotated), "image")
        notes.append(f"{bare} without a mask *{_OBJECTS}.png, and left out")
    parts = [_levels(photo, masks) for photo, _ in annotated]
    if is_file(root / INDEX):
        names = names_of_index(root / INDEX)
    else:
        names = name_by_instances(
            (mask, attributes, level)
            for (photo, objects), above in zip(annotated, parts, strict=True)
            if is_file(attributes := root / "images" / f"{_stem(photo)}{_INSTANCES}")
            for level, mask in enumerate((objects.path, *above))
        )
        notes.append(
            f"there is no {INDEX}: names of classes are those of the lists of instances, *{_INSTANCES}"
        )
    labels, numbers, merged = _labels(names)
    notes += merged
    scenes = [_scene(photo.name) for photo, _ in annotated]
    first = labels[-1].number + 1 if labels else 1
    of_scene = {scene: number for number, scene in enumerate(sorted(set(scenes) - {""}), first)}
    images = [
        ImportedImage(
            photo.name,
            photo.path,
            _Masks(objects.path, above, numbers, of_scene.get(scene, 0)).annotate,
            next((_SPLITS[part] for part in PurePosixPath(photo.name).parts if part in _SPLITS), "train"),
            annotated_in=str(objects.path),
        )
        for (photo, objects), above, scene in zip(annotated, parts, scenes, strict=True)
    ]
    every = (*labels, *(LabelEntry(number, f"{scene}-s", ("scene",)) for scene, number in of_scene.items()))
    return ImportedData(("object", "part", "scene"), every, images, tuple(notes))


def _stem(photo: FoundFile) -> str:
    return photo.name.rpartition(".")[0]


def _levels(photo: FoundFile, masks: Mapping[str, FoundFile]) -> tuple[Path, ...]:
    levels: list[Path] = []
    while (part := masks.get(f"{_stem(photo)}{_PARTS}{len(levels) + 1}.png")) is not None:
        levels.append(part.path)
    above = f"{_stem(photo)}{_PARTS}{len(levels) + 2}.png"
    if above in masks:
        raise DataFormatError(
            f"{shown_path(masks[above].path)} is there, and the mask of parts of the level before is not",
            hint="unpack the release again",
        )
    return tuple(levels)


def _labels(names: Mapping[int, str]) -> tuple[tuple[LabelEntry, ...], dict[int, int], list[str]]:
    """Labels, label number by number of a class, and what became one."""
    of_class: dict[int, str] = {}
    synonyms: dict[str, tuple[str, ...]] = {}
    # one that has no name is an error where a mask holds it
    for code in sorted(code for code, name in names.items() if name.strip(" ,;")):
        name, others = split_synonyms(names[code], f"the class {code} of ADE20K")
        of_class[code] = name
        synonyms[name] = tuple(dict.fromkeys((*synonyms.get(name, ()), *others)))
    labels = label_entries(
        ((name, category) for name in of_class.values() for category in ("object", "part")), synonyms
    )
    numbers = {label.name: label.number for label in labels}
    doubles = [name for name, times in Counter(of_class.values()).items() if times > 1]
    notes = []
    if doubles:
        notes.append(
            f"{counted(len(doubles), 'name')} of several classes, which become one each: {listed(doubles)}"
        )
    return labels, {code: numbers[name] for code, name in of_class.items()}, notes


def _scene(name: str) -> str:
    """Scene of an image, of the folders below the one of its first letter; empty where there is none."""
    folders = PurePosixPath(name).parts[:-1]
    below = folders[1:] if folders and folders[0] in _SPLITS else folders
    scene = below[1:] if below and len(below[0]) == 1 else below
    return "" if not scene or scene[0] in _NO_SCENE else "-".join(scene)
