"""Files of Pascal-Part: masks of the objects of an image, and of their parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.importers.drawing.planes import Planes
from onnxdissect.data.importers.drawing.polygons import Patch
from onnxdissect.data.importers.formats.voc.classes import CLASSES
from onnxdissect.data.importers.formats.voc.part_names import PART_NAMES, part_name
from onnxdissect.data.importers.reading.matlab_file import read_matlab
from onnxdissect.errors import DataFormatError, nearest, shown
from onnxdissect.wording import described

__all__ = ["read_parts"]

# What Pascal-Part calls otherwise than Pascal VOC.
_OTHERWISE = {"table": "diningtable"}
_FIELDS = frozenset(("anno", "objects", "class", "mask", "parts", "part_name"))


def read_parts(
    path: Path, called: str, shape: tuple[int, int], numbers: Mapping[str, int]
) -> tuple[tuple[NDArray[np.uint16], ...], tuple[NDArray[np.uint16], ...]]:
    """Read the objects and parts of an image.

    Parameters
    ----------
    path : Path
        A file of MATLAB.
    called : str
        What to call it in messages.
    shape : (int, int)
        Height and width of the image.
    numbers : mapping of str to int
        Label numbers by name, of objects and of parts.

    Returns
    -------
    objects, parts : tuple of ndarray of uint16, shape (height, width)
        Label maps, several where objects lie over one another.

    Raises
    ------
    DataFormatError
        If the file is no such file, or holds classes, parts or masks that it should not.
    ImageFileError
        If it cannot be read.
    """
    objects, parts = Planes(shape), Planes(shape)
    for one in _objects(read_matlab(path, called, _FIELDS), called):
        told = one.get("class")
        name = _OTHERWISE.get(told, told) if isinstance(told, str) else ""
        if name not in CLASSES:
            raise DataFormatError(
                f"{called}: the class of an object is {described(told)}, which Pascal VOC has not",
                candidates=nearest(name, CLASSES),
            )
        objects.add(numbers[name], _mask(one.get("mask"), shape, f"{called}: the mask of the {name}"))
        for part in _records(one.get("parts"), called):
            abbreviation = part.get("part_name")
            known = part_name(abbreviation) if isinstance(abbreviation, str) else None
            if known is None:
                raise DataFormatError(
                    f"{called}: a {name} has the part {described(abbreviation)}, which Pascal-Part has not",
                    candidates=nearest(str(abbreviation), PART_NAMES),
                )
            what = f"{called}: the mask of the part {shown(str(abbreviation))}"
            parts.add(numbers[known], _mask(part.get("mask"), shape, what))
    return objects.maps, parts.maps


def _objects(variables: Mapping[str, Any], called: str) -> Iterator[dict[str, Any]]:
    annotation = variables.get("anno")
    if not isinstance(annotation, list) or len(annotation) != 1 or "objects" not in annotation[0]:
        raise DataFormatError(
            f"{called} holds no annotation of Pascal-Part, a structure anno with a field objects"
        )
    yield from _records(annotation[0]["objects"], called)


def _records(value: Any, called: str) -> list[dict[str, Any]]:
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return value
    # MATLAB stores a list of none as an empty array
    if value is None or (isinstance(value, np.ndarray) and not value.size):
        return []
    raise DataFormatError(f"{called}: objects and parts are lists of structures, not {described(value)}")


def _mask(value: Any, shape: tuple[int, int], what: str) -> Patch:
    if not isinstance(value, np.ndarray) or value.shape != shape:
        size = " x ".join(map(str, value.shape)) if isinstance(value, np.ndarray) else described(value)
        raise DataFormatError(f"{what} is {size}, and the image {shape[0]} x {shape[1]}")
    inside = value != 0
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return Patch(0, 0, np.zeros((0, 0), np.bool_))
    top, left = int(rows[0]), int(columns[0])
    return Patch(top, left, inside[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1])
