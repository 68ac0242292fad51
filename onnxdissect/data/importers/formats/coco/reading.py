"""COCO's files of annotations as `ImportedData`, several of them as one data set."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.table_writer import LabelEntry
from onnxdissect.data.importers.drawing.planes import Planes
from onnxdissect.data.importers.formats.coco.annotation_file import (
    AnnotationFile,
    Id,
    ListedImage,
    read_annotation_file,
)
from onnxdissect.data.importers.formats.coco.categories import number_categories, own_numbers
from onnxdissect.data.importers.formats.coco.pixel_maps import class_map, segment_map
from onnxdissect.data.importers.formats.coco.segments import patches
from onnxdissect.data.importers.imported import ImageAnnotations, ImportedData, ImportedImage
from onnxdissect.data.importers.names import normal
from onnxdissect.data.importers.reading.drawn_sizes import require_size
from onnxdissect.data.importers.reading.finding import FileFinder
from onnxdissect.data.importers.reading.trees import require_folder
from onnxdissect.data.vocabulary import has_control
from onnxdissect.errors import (
    DataFormatError,
    DataNotFoundError,
    EmptyDataError,
    ParameterError,
    shown,
    shown_path,
)
from onnxdissect.wording import counted

__all__ = ["read_coco"]

_SPLIT = re.compile(r"(?:.*_)?((train|val|minival|test)(?:-[a-z]+)?\d*)")
_HINT = "--images is the folder that file_name of each image begins in, or the one above it"


@dataclass(frozen=True)
class _Source:
    """A file of annotations, and what its categories are in the data set.

    Attributes
    ----------
    file : AnnotationFile
    numbers : dict of int to int
        Label number by category id, 0 for one that is left out.
    masks : FileFinder or None
        Where its PNGs are.
    crowd : bool
    """

    file: AnnotationFile
    numbers: dict[int, int]
    masks: FileFinder | None
    crowd: bool

    def draw(
        self, key: Id, listed: ListedImage, shape: tuple[int, int], planes: Planes
    ) -> list[NDArray[np.uint16]]:
        """Draw what the file says of an image into planes; label maps of PNGs are given back as they are."""
        if self.masks is None:
            self._draw_outlines(key, shape, planes)
            return []
        if not self.file.panoptic:
            name = f"{listed.file_name.rpartition('.')[0]}.png"
            path = self._mask(name)
            return [class_map(path, shown_path(path), self.numbers)]
        found = []
        for one in self.file.annotations(key):
            name = one.get("file_name", "")
            if not isinstance(name, str):
                raise DataFormatError(
                    f"{shown_path(self.file.path)}: the annotation of the image {shown(listed.file_name)} "
                    f"names no PNG"
                )
            numbers = {category: number for category, number in self.numbers.items() if number}
            path = self._mask(name)
            found.append(segment_map(path, shown_path(path), one["segments_info"], numbers, crowd=self.crowd))
        return found

    def _mask(self, name: str) -> Path:
        assert self.masks is not None
        path = self.masks.find(name, shown_path(self.file.path))
        if path is None:
            raise DataNotFoundError(
                f"{shown_path(self.masks.folder)} has no {shown(name)}, which belongs to "
                f"{shown_path(self.file.path)}",
                hint="--masks is the folder of the PNGs that belong to the annotations",
            )
        return path

    def _draw_outlines(self, key: Id, shape: tuple[int, int], planes: Planes) -> None:
        for one in self.file.annotations(key):
            number = self.numbers[one["category_id"]]
            if not number or (one.get("iscrowd", 0) and not self.crowd):
                continue
            try:
                for patch in patches(one.get("segmentation"), shape):
                    planes.add(number, patch)
            except ValueError as error:
                raise DataFormatError(
                    f"{shown_path(self.file.path)}: the annotation with the id {one['id']!r:.60} is "
                    f"malformed: {error}",
                    hint="export the annotations anew, or take it out",
                ) from error


@dataclass
class _Image:
    """An image, and where it is annotated."""

    path: Path
    split: str
    places: list[tuple[_Source, Id, ListedImage]] = field(default_factory=list)
    category: str = ""

    def annotate(self, shape: tuple[int, int]) -> ImageAnnotations:
        planes = Planes(shape)
        maps: list[NDArray[np.uint16]] = []
        for source, key, listed in self.places:
            called = f"{shown_path(source.file.path)}: the image {shown(listed.file_name)}"
            require_size(listed.size, self.path, shape, called)
            maps += source.draw(key, listed, shape, planes)
        return {self.category: [*maps, *planes.maps]}


def read_coco(
    images: Path,
    files: Sequence[Path],
    *,
    masks: Path | None = None,
    crowd: bool = True,
    category: str = "object",
    split: str | None = None,
) -> ImportedData:
    """Read annotations of COCO's formats.

    Parameters
    ----------
    images : Path
        The folder of images, or of folders of them that are called as the files of annotations end:
        ``val2017`` for ``instances_val2017.json``.
    files : sequence of Path
        Files of annotations: instances, stuff or panoptic. Several may be of the same images.
    masks : Path, optional
        The folder of the PNGs of panoptic annotations, by default the one beside the file that is called like
        it. Of other annotations, PNGs of the ids of categories, which are then read instead.
    crowd : bool
        Whether annotations of crowds count: they show their class.
    category : str
        That all classes belong to.
    split : str, optional
        Of all images; by default what the name of their file says, else ``train``.

    Returns
    -------
    ImportedData

    Raises
    ------
    ParameterError
        If a file is given twice, or the split has no name.
    DataNotFoundError
        If a folder or a file is missing.
    DataFormatError
        If a file is malformed or contradicts itself or another, or lists images that are not there.
    EmptyDataError
        If no image is listed.
    """
    require_folder(images, "--images")
    _check_split(split)
    _refuse_doubles(files)
    read = [read_annotation_file(path) for path in files]
    numbers, notes = number_categories(read)
    finder = FileFinder(images)
    found: dict[Path, _Image] = {}
    for file in read:
        source = _Source(file, own_numbers(file, numbers), _masks_of(file, masks), crowd)
        _collect(source, finder, found, split, category)
        notes += _left_out(source)
    if not found:
        raise EmptyDataError(f"{shown_path(files[0]) if files else 'no file'} lists no image")
    bare = sum(
        not any(source.file.starts.get(key) for source, key, _ in one.places) for one in found.values()
    )
    if bare and masks is None:
        notes.append(f"{counted(bare, 'image')} without any annotation: all of it is unlabelled")
    ordered = sorted(found.values(), key=lambda one: one.path.as_posix())
    return ImportedData(
        (category,),
        tuple(LabelEntry(number, name, (category,)) for name, number in numbers.items()),
        [
            ImportedImage(
                normal(one.path.relative_to(images).as_posix()),
                one.path,
                one.annotate,
                one.split,
            )
            for one in ordered
        ],
        (*notes, *finder.notes()),
    )


def _check_split(split: str | None) -> None:
    if split is not None and (not split.strip() or has_control(split)):
        raise ParameterError(f"--split takes the name of a split, not {shown(split)}", hint="--split val")


def _refuse_doubles(files: Sequence[Path]) -> None:
    seen: set[str] = set()
    for path in files:
        place = os.path.realpath(path)
        if place in seen:
            raise ParameterError(
                f"--annotations {shown_path(path)} was given twice", hint="give each file once"
            )
        seen.add(place)


def _masks_of(file: AnnotationFile, masks: Path | None) -> FileFinder | None:
    if masks is None and not file.panoptic:
        return None
    folder = file.path.with_suffix("") if masks is None else masks
    require_folder(folder, "--masks")
    return FileFinder(folder)


def _collect(
    source: _Source, finder: FileFinder, found: dict[Path, _Image], split: str | None, category: str
) -> None:
    file = source.file
    ending = _SPLIT.fullmatch(file.path.stem)
    missing = []
    for key, listed in file.images.items():
        called = shown_path(file.path)
        path = finder.find(listed.file_name, called)
        if path is None and ending is not None:
            path = finder.find(f"{ending[1]}/{listed.file_name}", called)
        if path is None:
            missing.append(listed.file_name)
            continue
        own = split.strip() if split else (ending[2] if ending else "train")
        image = found.setdefault(path, _Image(path, own, category=category))
        if image.places and image.places[-1][0] is source:
            raise DataFormatError(
                f"{called}: the images {shown(image.places[-1][2].file_name)} and {shown(listed.file_name)} "
                f"are one file, {shown_path(path)}",
                hint="list it once, with all of its annotations",
            )
        if image.split != own:
            raise DataFormatError(
                f"{called}: the image {shown(listed.file_name)} is of the split {own}, and of {image.split} "
                f"in a file before it",
                hint="--split NAME puts all images into one",
            )
        image.places.append((source, key, listed))
    if missing:
        raise DataFormatError(
            f"{len(missing):,} of the {len(file.images):,} images that {shown_path(file.path)} lists are not "
            f"in {shown_path(finder.folder)}: the first is {shown(missing[0])}",
            hint=_HINT,
        )


def _left_out(source: _Source) -> list[str]:
    file = source.file
    notes = []
    if source.masks is None:
        notes = [
            f"left out: {counted(many, 'annotation')} {reason}" for reason, many in file.left_out.items()
        ]
    if file.crowds and (source.masks is None or file.panoptic):
        done = "drawn as their class" if source.crowd else "left out"
        notes.append(f"crowds are {done}: {counted(file.crowds, 'annotation')}")
    return [f"{file.path.name}: {note}" for note in notes]
