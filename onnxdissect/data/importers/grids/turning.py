"""Images that their EXIF data turn: which way, and label maps turned with them or back."""

from __future__ import annotations

import struct
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.image_headers import JPEG, find_format
from onnxdissect.data.decoding.jpeg_segments import segments

__all__ = ["TRY_UPRIGHT", "UPRIGHT", "orientation", "turned", "turned_back"]

Pixel = TypeVar("Pixel", bound=np.generic)

UPRIGHT = 1
"""The orientation of an image that stays as it is stored."""
TRY_UPRIGHT = "the EXIF data of the image turn it: --upright, if the annotations are those of turned images"
"""What to do where annotations do not fit an image as it is stored."""

_EXIF = b"Exif\0\0"
_ORIENTATION, _SHORT = 0x0112, 3
_APP1 = 0xE1
# From EXIF's orientation to what turns the stored image upright: quarter turns to the left, then mirrored.
_TURNS = {1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True)}
_TURNS[8] = (1, False)


def orientation(data: bytes) -> int:
    """Read how an image is to be turned.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    int
        EXIF's orientation, 1 to 8; 1 where the file is no JPEG or tells none.
    """
    found = find_format(data)
    if found is None or found.name != JPEG:
        return UPRIGHT
    for kind, begin, end in segments(data):
        if kind == _APP1 and data.startswith(_EXIF, begin):
            return _of_tiff(data[begin + len(_EXIF) : end])
    return UPRIGHT


def _of_tiff(tiff: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, start)
        for i in range(entries):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, start + 2 + 12 * i)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                (value,) = struct.unpack_from(f"{order}H", tiff, start + 2 + 12 * i + 8)
                return value if value in _TURNS else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT


def turned(pixels: NDArray[Pixel], way: int) -> NDArray[Pixel]:
    """Turn an image, or a label map that lies over it as stored, upright.

    Parameters
    ----------
    pixels : ndarray, shape (height, width, ...)
    way : int
        EXIF's orientation.

    Returns
    -------
    ndarray
        A view.
    """
    turns, mirrored = _TURNS[way]
    found = np.rot90(pixels, turns)
    return np.fliplr(found) if mirrored else found


def turned_back(pixels: NDArray[Pixel], way: int) -> NDArray[Pixel]:
    """Undo `turned`.

    Parameters
    ----------
    pixels : ndarray, shape (height, width, ...)
    way : int
        EXIF's orientation.

    Returns
    -------
    ndarray
        A view.
    """
    turns, mirrored = _TURNS[way]
    return np.rot90(np.fliplr(pixels) if mirrored else pixels, -turns)
