"""labelme: a file of JSON for each image, with the shapes that were drawn on it."""

from __future__ import annotations

import base64
import binascii
import codecs
import math
import posixpath
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from onnxdissect.data.decoding.pixels import decode_label_map
from onnxdissect.data.importers.drawing.planes import Planes
from onnxdissect.data.importers.drawing.polygons import (
    Patch,
    fill_ellipse,
    fill_polygon,
    read_points,
    rectangle,
)
from onnxdissect.data.importers.imported import ImageAnnotations, ImportedData, ImportedImage
from onnxdissect.data.importers.names import normal
from onnxdissect.data.importers.reading.class_names import clean_name, label_entries
from onnxdissect.data.importers.reading.drawn_sizes import require_size
from onnxdissect.data.importers.reading.finding import FileFinder
from onnxdissect.data.importers.reading.trees import IMAGES, find_files, unmatched
from onnxdissect.data.limits import MOST_SIDE, MOST_TABLE_BYTES
from onnxdissect.errors import DataError, DataFormatError, DataNotFoundError, shown, shown_path
from onnxdissect.storage.json_file import parse_json
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.regular_files import read_regular_file
from onnxdissect.wording import counted, described

__all__ = ["read_labelme"]

_JSON = frozenset((".json",))
# What labelme's own programs take for unlabelled.
_UNLABELLED = frozenset(("_background_", "__ignore__"))
_WITHOUT_AREA = frozenset(("point", "points", "line", "linestrip"))
_HINT = "a file of labelme has imagePath and a list shapes; move others away"
_FEWEST = 3

Shape = Mapping[str, Any]


@dataclass(frozen=True)
class _Image:
    """An image, and the file of the shapes that were drawn on it."""

    annotation: Path
    file: Path
    numbers: Mapping[str, int]
    category: str

    def annotate(self, shape: tuple[int, int]) -> ImageAnnotations:
        called = shown_path(self.annotation)
        record = _read(self.annotation)
        require_size(_size(record, called), self.file, shape, called)
        planes = Planes(shape)
        for position, one in enumerate(record["shapes"]):
            number = self.numbers.get(_label(one, called, position), 0)
            if not number:
                continue
            try:
                patch = _draw(one, shape, f"{called}: the mask of shapes[{position}]")
                if patch is not None:
                    planes.add(number, patch)
            except ValueError as error:
                raise DataFormatError(f"{called}: shapes[{position}] is malformed: {error}") from error
        return {self.category: planes.maps}


def read_labelme(folder: Path, *, category: str = "object") -> ImportedData:
    """Read files of labelme.

    Parameters
    ----------
    folder : Path
        Holds files of JSON, at any depth, and the images that they name.
    category : str
        That all classes belong to.

    Returns
    -------
    ImportedData
        Classes in the order of their names.

    Raises
    ------
    DataNotFoundError
        If there is no such folder, or an image is missing.
    DataFormatError
        If a file is malformed.
    EmptyDataError
        If there is no file.
    """
    finder = FileFinder(folder)
    found: dict[Path, Path] = {}
    names: set[str] = set()
    left_out: Counter[str] = Counter()
    flagged = 0
    for one in find_files(folder, _JSON, "--root"):
        called = shown_path(one.path)
        record = _read(one.path)
        image = _image_of(record, PurePosixPath(one.name), finder, called)
        if image in found:
            raise DataFormatError(
                f"{called} and {shown_path(found[image])} are of one image, {shown_path(image)}"
            )
        found[image] = one.path
        flags = record.get("flags")
        flagged += isinstance(flags, dict) and any(flags.values())
        for position, shape in enumerate(record["shapes"]):
            name = _label(shape, called, position)
            reason = _draws_nothing(shape, name)
            if reason:
                left_out[reason] += 1
            else:
                names.add(name)
    labels = label_entries((name, category) for name in sorted(names))
    numbers = {label.name: label.number for label in labels}
    images = [
        ImportedImage(
            normal(image.relative_to(folder).as_posix()),
            image,
            _Image(annotation, image, numbers, category).annotate,
        )
        for image, annotation in sorted(found.items())
    ]
    notes = [f"{counted(many, 'shape')} {reason}, and left out" for reason, many in sorted(left_out.items())]
    if flagged:
        notes.append(f"flags of {counted(flagged, 'image')} left out: only shapes are read")
    # with those of JSON, since a folder without any file of a kind is refused
    files = find_files(folder, IMAGES | _JSON, "--root")
    others = [one for one in files if one.path not in found and one.path.suffix.lower() not in _JSON]
    notes += unmatched([one.name for one in others], "image", "file of shapes")
    # labelme shows photographs upright
    return ImportedData((category,), labels, images, (*notes, *finder.notes()), upright=True)


@explained_memory()
def _read(path: Path) -> dict[str, Any]:
    called = shown_path(path)
    try:
        record = parse_json(read_regular_file(path, MOST_TABLE_BYTES).removeprefix(codecs.BOM_UTF8))
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{called} is not UTF-8 text", hint="save it as UTF-8") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataFormatError(f"{called} cannot be read: {reason}", hint=_HINT) from error
    if not isinstance(record, dict) or not isinstance(record.get("imagePath"), str):
        raise DataFormatError(f"{called} is no file of labelme: it names no image", hint=_HINT)
    shapes = record.get("shapes")
    if not isinstance(shapes, list) or not all(isinstance(one, dict) for one in shapes):
        raise DataFormatError(f"{called} is no file of labelme: it has no list of shapes", hint=_HINT)
    return record


def _image_of(record: Shape, annotation: PurePosixPath, finder: FileFinder, called: str) -> Path:
    # labelme on Windows writes its slashes
    asked = str(record["imagePath"]).replace("\\", "/")
    path = finder.find(posixpath.normpath(annotation.parent / asked), called)
    if path is None:
        inside = "; the file holds its pixels" if record.get("imageData") else ""
        raise DataNotFoundError(
            f"{called} is of the image {shown(asked)}, and there is no such file{inside}",
            hint="imagePath is relative to the file; labelme_export_json writes images that are inside",
        )
    return path


def _size(record: Shape, called: str) -> tuple[int, int] | None:
    height, width = record.get("imageHeight"), record.get("imageWidth")
    if height is None and width is None:
        return None
    if type(height) is int and type(width) is int and 0 < height <= MOST_SIDE and 0 < width <= MOST_SIDE:
        return height, width
    raise DataFormatError(f"{called}: imageHeight and imageWidth are not from 1 to {MOST_SIDE:,}")


def _label(shape: Shape, called: str, position: int) -> str:
    return clean_name(shape.get("label"), f"{called}: the class of shapes[{position}]")


def _kind(shape: Shape) -> str:
    kind = shape.get("shape_type")
    # the first versions knew polygons only
    return kind if isinstance(kind, str) else "polygon"


def _draws_nothing(shape: Shape, name: str) -> str:
    if name in _UNLABELLED:
        return f"called {name}"
    kind = _kind(shape)
    if kind in _WITHOUT_AREA:
        return f"of the kind {kind}, without an area"
    if kind not in _KINDS:
        return f"of the unknown kind {shown(kind)}"
    points = shape.get("points")
    if kind == "polygon" and isinstance(points, list) and len(points) < _FEWEST:
        return "of fewer than three points"
    return ""


def _draw(shape: Shape, size: tuple[int, int], called: str) -> Patch | None:
    """Draw a shape; None where it has no area."""
    draw = _KINDS.get(_kind(shape))
    if draw is None:
        return None
    points = shape.get("points")
    if not isinstance(points, list) or not all(isinstance(one, list) and len(one) == 2 for one in points):
        raise ValueError(f"its points are {described(points)}, and no list of x and y")
    return draw([value for point in points for value in point], size, shape.get("mask"), called)


def _polygon(values: Sequence[Any], size: tuple[int, int], mask: Any, called: str) -> Patch | None:
    points = read_points(values)
    return fill_polygon(points, size) if len(points) >= _FEWEST else None


def _rectangle(values: Sequence[Any], size: tuple[int, int], mask: Any, called: str) -> Patch:
    points = read_points(values)
    if len(points) == 4:
        return fill_polygon(points, size)
    if len(points) != 2:
        raise ValueError(f"a rectangle has two corners, and this one {counted(len(points), 'point')}")
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return fill_polygon(rectangle(left, top, right, bottom), size)


def _circle(values: Sequence[Any], size: tuple[int, int], mask: Any, called: str) -> Patch | None:
    points = read_points(values)
    if len(points) != 2:
        raise ValueError(
            f"a circle has a centre and a point on it, and this one {counted(len(points), 'point')}"
        )
    centre, on = points
    radius = math.hypot(*(on - centre))
    return fill_ellipse((centre[0], centre[1]), (radius, radius), size) if radius else None


def _mask(values: Sequence[Any], size: tuple[int, int], mask: Any, called: str) -> Patch:
    points = read_points(values)
    if len(points) != 2 or not isinstance(mask, str):
        raise ValueError("a mask has two corners and its pixels, as PNG in base64")
    try:
        data = base64.b64decode(mask, validate=True)
    except binascii.Error as error:
        raise ValueError(f"its mask is not in base64: {error}") from error
    try:
        inside = decode_label_map(data, called) > 0
    except DataError as error:
        raise ValueError(f"its mask cannot be read: {error.message}") from error
    (left, top), (right, bottom) = np.trunc(points).astype(np.int64).tolist()
    if inside.shape != (bottom - top + 1, right - left + 1):
        raise ValueError(
            f"its mask is {inside.shape[0]} x {inside.shape[1]}, and between its corners there are "
            f"{bottom - top + 1} x {right - left + 1} pixels"
        )
    if not (left >= 0 and top >= 0 and bottom < size[0] and right < size[1]):
        raise ValueError(f"its mask leads out of the image of {size[0]} x {size[1]}")
    return Patch(top, left, inside)


_KINDS: dict[str, Callable[[Sequence[Any], tuple[int, int], Any, str], Patch | None]] = {
    "polygon": _polygon,
    "rectangle": _rectangle,
    "circle": _circle,
    "mask": _mask,
}
