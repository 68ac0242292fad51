"""CVAT's XML and its images as `ImportedData`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.about import one_line
from onnxdissect.data.importers.drawing.planes import Planes
from onnxdissect.data.importers.formats.cvat.annotation_file import (
    AnnotatedImage,
    AnnotationFile,
    read_annotation_file,
)
from onnxdissect.data.importers.formats.cvat.shapes import DRAWN, draw, has_area
from onnxdissect.data.importers.imported import ImageAnnotations, ImportedData, ImportedImage
from onnxdissect.data.importers.names import normal
from onnxdissect.data.importers.reading.class_names import label_entries
from onnxdissect.data.importers.reading.drawn_sizes import require_size
from onnxdissect.data.importers.reading.finding import FileFinder
from onnxdissect.data.importers.reading.trees import require_folder
from onnxdissect.errors import DataFormatError, EmptyDataError, nearest, shown, shown_path
from onnxdissect.wording import counted

__all__ = ["read_cvat"]

_TAG, _IMAGES = "tag", "images"
_SPLITS = {"train": "train", "training": "train", "val": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class _Image:
    """An image, what was drawn on it, and the categories of shapes and of tags."""

    source: Path
    listed: AnnotatedImage
    file: Path
    numbers: Mapping[str, int]
    category: str
    tags: str | None

    def annotate(self, shape: tuple[int, int]) -> ImageAnnotations:
        called = f"{shown_path(self.source)}: the image {shown(self.listed.name)}"
        require_size(self.listed.size, self.file, shape, called)
        planes = Planes(shape)
        for one in self.listed.elements:
            if one.kind not in DRAWN:
                continue
            try:
                patch = draw(one, shape)
                if patch is not None:
                    planes.add(self.numbers[one.label], patch)
            except ValueError as error:
                raise DataFormatError(
                    f"{shown_path(self.source)}, line {one.line}: the {one.kind} is malformed: {error}"
                ) from error
        found: dict[str, Sequence[NDArray[np.uint16] | int]] = {self.category: list(planes.maps)}
        tags = dict.fromkeys(one.label for one in self.listed.elements if one.kind == _TAG)
        if self.tags is not None and tags:
            found[self.tags] = [*found.get(self.tags, ()), *(self.numbers[name] for name in tags)]
        return found


def read_cvat(
    images: Path, annotations: Path, *, category: str = "object", tags: str | None = None
) -> ImportedData:
    """Read what CVAT exports as "CVAT for images 1.1".

    Parameters
    ----------
    images : Path
        The folder of images, or the folder that was unpacked, with images in it.
    annotations : Path
        ``annotations.xml``.
    category : str
        That all classes of shapes belong to.
    tags : str, optional
        The category that tags belong to, which hold for the image as a whole; without it they are left out.

    Returns
    -------
    ImportedData
        Classes in the order in which the file lists them, else in that of their names.

    Raises
    ------
    DataNotFoundError
        If a folder or a file is missing.
    DataFormatError
        If the file is malformed, or an image is missing.
    EmptyDataError
        If it lists no image.
    """
    require_folder(images, "--images")
    read = read_annotation_file(annotations)
    if not read.images:
        raise EmptyDataError(f"{shown_path(annotations)} lists no image")
    finder = FileFinder(images)
    used, left_out = _classes(read, category, tags)
    labels = label_entries(used)
    numbers = {label.name: label.number for label in labels}
    found: dict[Path, AnnotatedImage] = {}
    for one in read.images:
        file = _file(read, one, finder)
        if file in found:
            raise DataFormatError(
                f"{shown_path(annotations)}: {shown(found[file].name)} and {shown(one.name)} are one file, "
                f"{shown_path(file)}"
            )
        found[file] = one
    categories = tuple(dict.fromkeys((category, *([] if tags is None else [tags]))))
    return ImportedData(
        categories,
        labels,
        [
            ImportedImage(
                normal(file.relative_to(images).as_posix()),
                file,
                _Image(annotations, one, file, numbers, category, tags).annotate,
                _SPLITS.get(one.subset.lower(), one_line(one.subset) or "train"),
            )
            for file, one in sorted(found.items(), key=lambda pair: pair[0])
        ],
        (*left_out, *finder.notes()),
        # CVAT shows photographs upright
        upright=True,
    )


def _classes(
    read: AnnotationFile, category: str, tags: str | None
) -> tuple[list[tuple[str, str]], list[str]]:
    """Names of classes with the categories that they are used in, and what is left out."""
    used: dict[tuple[str, str], None] = {}
    left_out: Counter[str] = Counter()
    for image in read.images:
        for one in image.elements:
            if read.labels and one.label not in read.labels:
                raise DataFormatError(
                    f"{shown_path(read.path)}, line {one.line}: the class {shown(one.label)} is not among "
                    f"the labels of the task",
                    candidates=nearest(one.label, read.labels) or read.labels,
                )
            if has_area(one):
                used[one.label, category] = None
            elif one.kind == _TAG and tags is not None:
                used[one.label, tags] = None
            else:
                left_out[one.kind] += 1
    order = {name: place for place, name in enumerate(read.labels)}
    notes = [
        f"{counted(many, f'{kind} element')} left out: "
        f"{'--tags CATEGORY takes them' if kind == _TAG else 'only areas are drawn'}"
        for kind, many in sorted(left_out.items())
    ]
    return sorted(used, key=lambda one: (order.get(one[0], 0), one[0], one[1] != category)), notes


def _file(read: AnnotationFile, image: AnnotatedImage, finder: FileFinder) -> Path:
    called = shown_path(read.path)
    for folder in ("", f"{_IMAGES}/", f"{image.subset}/", f"{_IMAGES}/{image.subset}/"):
        # a name that leads upwards is refused, and so is a subset
        path = finder.find(f"{folder.lstrip('/')}{image.name}", called)
        if path is not None:
            return path
    raise DataFormatError(
        f"{called} lists the image {shown(image.name)}, which is not in {shown_path(finder.folder)}",
        hint="--images is the folder that the names begin in; CVAT exports images if they are asked for",
    )
