"""Image and label files of all kinds, decoded with OpenCV; what is plain is decoded faster where it can be.

Files are read by Python and decoded from memory, so any path that Python can open will do. Their structure
and the size that they claim are checked first: OpenCV allocates whatever a header asks for, fills what a
truncated JPEG lacks with grey, and prints on the terminal instead of raising. What the check cannot see is
damage inside a JPEG's compressed data, which carries no checksum.

OpenCV's own threads are left as they are: decoding never uses them, and process-wide settings belong to
the program that imports this package.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.image_headers import JPEG, PNG, find_format, refuse_size
from onnxdissect.data.decoding.jpeg import decode_jpeg
from onnxdissect.data.decoding.structure import check_jpeg, check_png
from onnxdissect.data.limits import MOST_FILE_BYTES
from onnxdissect.data.links import link_hint
from onnxdissect.errors import ImageFileError, shown_path
from onnxdissect.libraries import import_cv2
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.regular_files import Enclosure, read_regular_file

__all__ = ["decode_image", "decode_label_map", "read_file", "read_image", "read_label_map"]

# colour types of a PNG header
_GREY, _RGB, _GREY_ALPHA, _RGBA = 0, 2, 4, 6


@explained_memory()
def read_image(
    path: str | Path, name: str, inside: Enclosure | None = None, *, upright: bool = False
) -> NDArray[np.uint8]:
    """Decode a photograph.

    Parameters
    ----------
    path : str or Path
        A file in any format that OpenCV reads and `find_format` knows.
    name : str
        What to call it in messages.
    inside : Enclosure, optional
        The folder that links may not lead out of.
    upright : bool
        Whether it is turned as its EXIF data say. Those of a data set are not: label maps are drawn over the
        pixels as stored.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB. Grey becomes three equal channels, 16 bits become 8, transparency is dropped.

    Raises
    ------
    ImageFileError
        If the file is missing, no regular file, truncated, damaged, no image, or larger than the limits.
    """
    return _decode_image(read_file(path, name, inside), name, upright=upright)


@explained_memory()
def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode a photograph that has been read; see `read_image`.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What to call it in messages.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Raises
    ------
    ImageFileError
        As there.
    """
    return _decode_image(data, name, upright=False)


def _decode_image(data: bytes, name: str, *, upright: bool) -> NDArray[np.uint8]:
    cv2 = import_cv2()
    # the quicker decoder turns nothing
    decoded = decode_jpeg(data) if _check(data, name) == JPEG and not upright else None
    if decoded is not None:
        return decoded
    flags = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    bgr = _decode(data, flags, name)
    rgb: NDArray[np.uint8] = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return rgb


@explained_memory()
def read_label_map(path: Path, name: str, inside: Enclosure | None = None) -> NDArray[np.uint16]:
    """Decode a label map.

    Parameters
    ----------
    path : Path
        A PNG file. Colours, from a palette or not, hold R + 256 * G; a grey one holds the number itself.
        Blue and alpha say nothing.
    name : str
        What to call it in messages.
    inside : Enclosure, optional
        The folder that links may not lead out of.

    Returns
    -------
    ndarray of uint16, shape (height, width)
        Label numbers.

    Raises
    ------
    ImageFileError
        If the file is missing, no regular file, truncated, damaged, no PNG, larger than the limits, or holds
        colours of 16 bits a channel.
    """
    return decode_label_map(read_file(path, name, inside), name)


def decode_label_map(data: bytes, name: str) -> NDArray[np.uint16]:
    """Decode a label map that has been read; see `read_label_map`.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What to call it in messages.

    Returns
    -------
    ndarray of uint16, shape (height, width)

    Raises
    ------
    ImageFileError
        As there.
    """
    cv2 = import_cv2()
    if _check(data, name, only=PNG) != PNG:
        raise ImageFileError(f"{name} is not a PNG file, and label maps must be", hint="save it as PNG")
    depth, colours = data[24], data[25]
    if depth == 16 and colours in (_RGB, _RGBA):
        raise ImageFileError(
            f"{name} has colours of 16 bits a channel; R + 256 * G needs 8",
            hint="save it with 8 bits a channel, or as 16-bit grey holding the label numbers",
        )
    # 8 bits or 16, which OpenCV's annotations do not tell apart
    pixels: NDArray[Any] = _decode(data, cv2.IMREAD_UNCHANGED, name)
    if colours in (_GREY, _GREY_ALPHA):
        numbers = pixels if pixels.ndim == 2 else pixels[:, :, 0]
        if depth < 8:
            # OpenCV stretches 1, 2 and 4 bits to the range of 8
            numbers = numbers // (255 // (2**depth - 1))
        return numbers.astype(np.uint16, copy=False)
    numbers = pixels[:, :, 1].astype(np.uint16)
    numbers <<= 8
    numbers |= pixels[:, :, 2]
    return numbers


def read_file(path: str | Path, name: str, inside: Enclosure | None = None) -> bytes:
    """Read an image's or a label map's file.

    Parameters
    ----------
    path : str or Path
        The file.
    name : str
        What to call it in messages.
    inside : Enclosure, optional
        The folder that links may not lead out of.

    Returns
    -------
    bytes

    Raises
    ------
    ImageFileError
        If it is missing, no regular file, larger than the limit, cannot be read or is empty.
    """
    try:
        data = read_regular_file(path, MOST_FILE_BYTES, inside=inside)
    except FileNotFoundError as error:
        raise ImageFileError(f"{name} is missing: there is no file {shown_path(path)}") from error
    except OSError as error:
        where = "" if name == shown_path(path) else f" ({shown_path(path)})"
        raise ImageFileError(
            f"{name} cannot be read: {error.strerror or error}{where}",
            hint=link_hint(error, inside),
        ) from error
    if not data:
        where = "" if name == shown_path(path) else f" ({shown_path(path)})"
        raise ImageFileError(f"{name} is an empty file{where}")
    return data


def _check(data: bytes, name: str, only: str | None = None) -> str:
    """Refuse what is not to be decoded; the name of the format, which is not looked into if it is another."""
    found = find_format(data)
    if found is None:
        if only:
            return ""
        raise ImageFileError(
            f"{name} cannot be decoded: it is damaged, or no image in a format that is read",
            hint="save it as PNG or JPEG",
        )
    if only and found.name != only:
        return found.name
    try:
        size = found.size(data)
    except (struct.error, LookupError, ValueError):
        size = None
    refusal = refuse_size(*size) if size else None
    if refusal:
        raise ImageFileError(f"{name} {refusal}", hint="save it smaller, cut or scaled down")
    if found.name == PNG:
        check_png(data, name)
    elif found.name == JPEG:
        check_jpeg(data, name)
    if size is None:
        raise ImageFileError(f"{name} is damaged: the header of the {found.name} file tells no size")
    return found.name


def _decode(data: bytes, flags: int, name: str) -> NDArray[Any]:
    cv2 = import_cv2()
    try:
        pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(f"{name} cannot be decoded: {error.err}") from error
        raise ImageFileError(f"{name} cannot be decoded: {error.err or error}") from error
    if pixels is None:
        raise ImageFileError(f"{name} cannot be decoded: it is damaged, or no image that OpenCV knows")
    return pixels
