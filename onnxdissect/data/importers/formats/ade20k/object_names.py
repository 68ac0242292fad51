"""What the numbers in the masks of the full ADE20K are called.

The release has a file of MATLAB with all names. Where that is missing, names are taken from the list of
instances beside each image: pixels tell the number of an instance, and the list what it is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.pixels import read_image
from onnxdissect.data.importers.reading.matlab_file import read_matlab
from onnxdissect.data.limits import MOST_TABLE_BYTES
from onnxdissect.errors import DataFormatError, shown, shown_path
from onnxdissect.storage.numerals import whole_number
from onnxdissect.storage.regular_files import read_regular_file

__all__ = ["INDEX", "name_by_instances", "names_of_index", "read_codes"]

INDEX = "index_ade20k.mat"
"""The file of all names."""

_STEP, _MOST = 10, 1 << 16
# Above the highest number that red and green can hold.
_CODES = 26 * 256


def read_codes(path: Path, called: str) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Read a mask of the full set.

    Parameters
    ----------
    path : Path
        R / 10 * 256 + G is the number of the class, and B that of the instance.
    called : str
        What to call it in messages.

    Returns
    -------
    codes : ndarray of int64, shape (height, width)
        Numbers of classes, 0 where unlabelled.
    instances : ndarray of uint8, shape (height, width)

    Raises
    ------
    DataFormatError
        If it is no such mask.
    ImageFileError
        If it cannot be read.
    """
    pixels = read_image(path, called)
    red = pixels[:, :, 0]
    if (red % _STEP).any():
        raise DataFormatError(
            f"{called} is no mask of ADE20K: red is a multiple of {_STEP} there, and "
            f"{int(red[red % _STEP > 0][0])} here"
        )
    return red.astype(np.int64) // _STEP * 256 + pixels[:, :, 1], pixels[:, :, 2]


def names_of_index(path: Path) -> dict[int, str]:
    """Read all names.

    Parameters
    ----------
    path : Path
        ``index_ade20k.mat``.

    Returns
    -------
    dict of int to str
        Name, with synonyms between commas, by number, from 1.

    Raises
    ------
    DataFormatError
        If it holds no such names.
    """
    called = shown_path(path)
    index = read_matlab(path, called, ("index", "objectnames")).get("index")
    names = index[0].get("objectnames") if isinstance(index, list) and len(index) == 1 else None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DataFormatError(f"{called} holds no list of names, index.objectnames")
    return dict(enumerate(names, 1))


def name_by_instances(masks: Iterable[tuple[Path, Path, int]]) -> dict[int, str]:
    """Take names from the lists of instances.

    Parameters
    ----------
    masks : iterable of (Path, Path, int)
        A mask, the list of instances of its image, and the level of parts that the mask is of, 0 for objects.

    Returns
    -------
    dict of int to str
        By number. A number that is only in masks with instances that nobody sees has no name.

    Raises
    ------
    DataFormatError
        If a list is malformed, or two instances of a number are called otherwise.
    """
    names: dict[int, str] = {}
    for path, attributes, level in masks:
        called = shown_path(path)
        listed = _instances(attributes).get(level, {})
        codes, instances = read_codes(path, called)
        # counted, not sorted: there are tens of thousands of masks of megapixels
        held = np.bincount((instances * np.int64(_CODES) + codes)[instances > 0])
        found, of_class = np.divmod(np.flatnonzero(held), _CODES)
        # an instance that others hide has no pixel, and those behind it cannot be told apart
        if np.unique(found).size != len(listed) or found.size != len(listed):
            continue
        for code, (_, name) in zip(of_class.tolist(), sorted(listed.items()), strict=True):
            if code and names.setdefault(code, name) != name:
                raise DataFormatError(
                    f"{called}: instances of the class {code} are called {shown(name)} and "
                    f"{shown(names[code])}",
                    hint=f"put {INDEX} of the release beside the images: it has the names of all classes",
                )
    return names


def _instances(path: Path) -> Mapping[int, Mapping[int, str]]:
    """Name by level of parts and number of an instance."""
    called = shown_path(path)
    try:
        text = read_regular_file(path, MOST_TABLE_BYTES).decode("utf-8-sig", "replace")
    except OSError as error:
        raise DataFormatError(f"{called} cannot be read: {error.strerror or error}") from error
    found: dict[int, dict[int, str]] = {}
    for line, row in enumerate(text.splitlines(), 1):
        if not row.strip():
            continue
        cells = [cell.strip() for cell in row.split("#")]
        number, level = (whole_number(cell, most=_MOST) for cell in [*cells, "", ""][:2])
        if number is None or level is None or len(cells) < 4 or not cells[3]:
            raise DataFormatError(
                f"{called}, line {line}, is not INSTANCE # LEVEL OF PART # OCCLUDED # NAME # ...: "
                f"{shown(row)}"
            )
        found.setdefault(level, {})[number] = cells[3]
    return found
