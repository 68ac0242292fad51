"""A file of annotations in COCO's JSON, whose records are decoded when their image's turn comes.

Files have hundreds of megabytes, and as Python's lists ten times that. So its text is kept, with where in
it the annotations of each image begin.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnxdissect.data.importers.reading.finding import like_named
from onnxdissect.data.limits import MOST_ANNOTATION_BYTES, MOST_SIDE
from onnxdissect.errors import DataFormatError, DataNotFoundError, shown, shown_path
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.regular_files import read_regular_file
from onnxdissect.wording import described

__all__ = ["AnnotationFile", "Id", "ListedImage", "read_annotation_file"]

Id = int | str

_BLANKS = re.compile(r"[ \t\n\r]*")
_LISTS = ("images", "categories", "annotations")
_HINT = "files of instances, stuff and panoptic annotations have images, annotations and categories"
_STUFF_REST = "other"
_ADJACENT = 3


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image as a file of annotations lists it.

    Attributes
    ----------
    file_name : str
    size : (int, int) or None
        Height and width, where they are told.
    """

    file_name: str
    size: tuple[int, int] | None


@dataclass
class AnnotationFile:
    """What a file says of images and classes, and where it says what is on them.

    Attributes
    ----------
    path : Path
    text : str
        All of it.
    images : dict of Id to ListedImage
    categories : dict of int to str
        Names by id.
    rest : set of int
        Ids of the class that stands for all that is none of the others.
    starts : mapping of Id to list of int
        By image, where in the text its annotations begin.
    panoptic : bool
        Whether annotations tell the segments of a PNG.
    left_out : Counter
        Annotations by the reason why they draw nothing.
    crowds : int
        Annotations of crowds.
    """

    path: Path
    text: str
    images: dict[Id, ListedImage] = field(default_factory=dict)
    categories: dict[int, str] = field(default_factory=dict)
    rest: set[int] = field(default_factory=set)
    starts: Mapping[Id, list[int]] = field(default_factory=lambda: defaultdict(list))
    panoptic: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    crowds: int = 0

    def annotations(self, image: Id) -> Iterator[dict[str, Any]]:
        """Decode the annotations of an image.

        Parameters
        ----------
        image : Id

        Yields
        ------
        dict
            As it is written.
        """
        for start in self.starts.get(image, ()):
            yield _DECODER.raw_decode(self.text, start)[0]


@explained_memory()
def read_annotation_file(path: Path) -> AnnotationFile:
    """Read a file of annotations.

    Parameters
    ----------
    path : Path
        JSON in UTF-8.

    Returns
    -------
    AnnotationFile
        Ids of annotations, images and categories are there once each, and those that annotations name are
        listed. What annotations draw is not looked at yet.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    DataFormatError
        If it is no such JSON, or contradicts itself.
    """
    found = AnnotationFile(path, _read_text(path))
    seen = _Seen()
    takers: dict[str, Callable[[AnnotationFile, Any, int, int, _Seen], None]] = {
        "images": _take_image,
        "categories": _take_category,
        "annotations": _take_annotation,
    }
    try:
        for key, position, value, start in _entries(found.text):
            if key in takers:
                if not isinstance(value, dict):
                    raise ValueError(f"{key}[{position}] is {described(value)}, and no record")
                takers[key](found, value, position, start, seen)
    except RecursionError:
        raise DataFormatError(
            f"{shown_path(path)} is no file of annotations: it is nested too deep"
        ) from None
    except ValueError as error:
        reason = (
            f"{error.msg.removesuffix(' at')} at character {error.pos:,}"
            if isinstance(error, json.JSONDecodeError)
            else error
        )
        raise DataFormatError(
            f"{shown_path(path)} is no file of annotations: {reason}", hint=_HINT
        ) from error
    _check_references(found, seen)
    return found


@dataclass
class _Seen:
    """What has been listed, and what annotations name: the lists may come in any order."""

    lists: set[str] = field(default_factory=set)
    names: dict[str, Id] = field(default_factory=dict)
    annotations: set[Id] = field(default_factory=set)
    named_images: dict[Id, Id] = field(default_factory=dict)
    named_categories: dict[int, Id] = field(default_factory=dict)


def _read_text(path: Path) -> str:
    try:
        content = read_regular_file(path, MOST_ANNOTATION_BYTES)
    except FileNotFoundError as error:
        raise DataNotFoundError(
            f"there is no file of annotations {shown_path(path)}", candidates=like_named(path), hint=_HINT
        ) from error
    except OSError as error:
        raise DataFormatError(f"{shown_path(path)} cannot be read: {error.strerror or error}") from error
    if not content.strip():
        raise DataFormatError(f"{shown_path(path)} is empty", hint=_HINT)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataFormatError(
            f"{shown_path(path)} is not UTF-8 text (byte {error.start:,})", hint="save it as UTF-8"
        ) from error


def _refuse_constant(text: str) -> None:
    raise ValueError(f"it holds {text}, which is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _entries(text: str) -> Iterator[tuple[str, int, Any, int]]:
    """Members of the outermost record; each item of a list by itself, with its place and where it begins."""
    at = _after(text, 0, "{", "it does not begin with a record")
    first = True
    seen: set[str] = set()
    while not text.startswith("}", at):
        at = at if first else _after(text, at, ",", "a comma is missing")
        first = False
        key, at = _DECODER.raw_decode(text, at)
        if not isinstance(key, str):
            raise ValueError(f"{described(key)} stands where a name should, at character {at:,}")
        if key in seen:
            raise ValueError(f"{shown(key)} is there twice")
        seen.add(key)
        at = _after(text, _skip(text, at), ":", "a colon is missing")
        if key in _LISTS:
            at = _after(text, at, "[", f"{key} is no list")
            position = 0
            while not text.startswith("]", at):
                at = at if not position else _after(text, at, ",", f"a comma is missing in {key}")
                value, end = _DECODER.raw_decode(text, at)
                yield key, position, value, at
                position, at = position + 1, _skip(text, end)
            at += 1
        else:
            _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
    if _skip(text, at + 1) != len(text):
        raise ValueError(f"something follows its end, at character {at + 1:,}")
    missing = [key for key in _LISTS if key not in seen]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}")


def _skip(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _after(text: str, at: int, mark: str, otherwise: str) -> int:
    at = _skip(text, at)
    if not text.startswith(mark, at):
        raise ValueError(f"{otherwise}, at character {at:,}")
    return _skip(text, at + 1)


def _take_image(found: AnnotationFile, value: Any, position: int, start: int, seen: _Seen) -> None:
    called = f"images[{position}]"
    key = _id(value.get("id"), f"the id of {called}")
    if key in found.images:
        raise ValueError(f"the image id {_told(key)} is there twice")
    name = value.get("file_name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"the file_name of {called} is {described(name)}, and no name")
    if name in seen.names:
        raise ValueError(
            f"the image {shown(name)} is there twice, with the ids {_told(seen.names[name])} and {_told(key)}"
        )
    seen.names[name] = key
    size = (value.get("height"), value.get("width"))
    if size != (None, None) and not all(type(side) is int and 1 <= side <= MOST_SIDE for side in size):
        raise ValueError(f"height and width of the image {shown(name)} are not from 1 to {MOST_SIDE:,}")
    height, width = size
    found.images[key] = ListedImage(name, None if height is None or width is None else (height, width))


def _take_category(found: AnnotationFile, value: Any, position: int, start: int, seen: _Seen) -> None:
    key = value.get("id")
    if type(key) is not int or key < 0:
        raise ValueError(f"the id of categories[{position}] is {described(key)}, and no whole number from 0")
    if key in found.categories:
        raise ValueError(f"the category id {key} is there twice")
    name = value.get("name")
    if not isinstance(name, str):
        raise ValueError(f"the name of categories[{position}] is {described(name)}, and no text")
    found.categories[key] = name
    if name == value.get("supercategory") == _STUFF_REST:
        found.rest.add(key)


def _take_annotation(found: AnnotationFile, value: Any, position: int, start: int, seen: _Seen) -> None:
    called = f"annotations[{position}]"
    image = _id(value.get("image_id"), f"the image_id of {called}")
    panoptic = "segments_info" in value
    if position and panoptic != found.panoptic:
        raise ValueError(f"{called} is of another kind than those before it: with or without segments_info")
    found.panoptic = panoptic
    key = image if panoptic else _id(value.get("id"), f"the id of {called}")
    if key in seen.annotations:
        raise ValueError(f"the {'image' if panoptic else 'annotation'} id {_told(key)} is there twice")
    seen.annotations.add(key)
    seen.named_images.setdefault(image, key)
    if panoptic:
        segments = value["segments_info"]
        if not isinstance(segments, list) or not all(isinstance(one, dict) for one in segments):
            raise ValueError(f"the segments_info of {called} is no list of records")
    for one in value["segments_info"] if panoptic else [value]:
        category = one.get("category_id")
        if type(category) is not int:
            raise ValueError(f"the category_id of {called} is {described(category)}, and no whole number")
        seen.named_categories.setdefault(category, key)
        found.crowds += one.get("iscrowd", 0) not in (0, None)
    if not panoptic:
        reason = _draws_nothing(value.get("segmentation"))
        found.left_out.update([reason] if reason else [])
    found.starts[image].append(start)


def _draws_nothing(segmentation: Any) -> str:
    if segmentation is None or segmentation in ([], {}, ""):
        return "with a box or points only"
    if isinstance(segmentation, list) and all(
        isinstance(one, list) and len(one) < 2 * _ADJACENT for one in segmentation
    ):
        return "with outlines of fewer than three points"
    return ""


def _id(value: Any, called: str) -> Id:
    if type(value) is int or (isinstance(value, str) and value):
        key: Id = value
        return key
    raise ValueError(f"{called} is {described(value)}, and neither a number nor a name")


def _told(key: Id) -> str:
    return shown(key) if isinstance(key, str) else str(key)


def _check_references(found: AnnotationFile, seen: _Seen) -> None:
    called = "of the image" if found.panoptic else "with the id"
    for image, key in seen.named_images.items():
        if image not in found.images:
            raise DataFormatError(
                f"{shown_path(found.path)}: the annotation {called} {_told(key)} is of the image "
                f"{_told(image)}, which is not listed"
            )
    for category, key in seen.named_categories.items():
        if category not in found.categories:
            raise DataFormatError(
                f"{shown_path(found.path)}: the annotation {called} {_told(key)} is of the category "
                f"{category}, which is not listed; there are {len(found.categories):,} of them"
            )
