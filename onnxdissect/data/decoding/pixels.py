"""Image and label files of all kinds, decoded with OpenCV; what is plain is decoded faster where it can be.

Files are read by Python and decoded from memory, so any path that Python can open will do. Their structure
is checked first: OpenCV fills what a truncated JPEG lacks with grey, and prints on the terminal instead of
raising. What the check cannot see is damage inside a JPEG's compressed data, which carries no checksum.

OpenCV's own threads are left as they are: decoding never uses them, and process-wide settings belong to
the program that imports this package.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.jpeg import decode_jpeg
from onnxdissect.errors import ImageFileError, import_cv2

__all__ = ["decode_label_map", "read_file", "read_image", "read_label_map"]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = b"\xff\xd9"
# colour types of a PNG header
_GREY, _RGB, _GREY_ALPHA, _RGBA = 0, 2, 4, 6


def read_image(path: Path, name: str) -> NDArray[np.uint8]:
    """Decode a photograph.

    An orientation noted in its EXIF data is not applied: label maps are drawn over the pixels as stored.

    Parameters
    ----------
    path : Path
        A file in any format that OpenCV reads.
    name : str
        What to call it in messages.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB. Grey becomes three equal channels, transparency is dropped.

    Raises
    ------
    ImageFileError
        If the file is missing, truncated, damaged or no image.
    """
    cv2 = import_cv2()
    data = read_file(path, name)
    if data.startswith(_PNG):
        _check_png(data, name)
    elif data.startswith(_JPEG):
        _check_jpeg(data, name)
        decoded = decode_jpeg(data)
        if decoded is not None:
            return decoded
    bgr = _decode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION, name)
    rgb: NDArray[np.uint8] = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return rgb


def read_label_map(path: Path, name: str) -> NDArray[np.uint16]:
    """Decode a label map.

    Parameters
    ----------
    path : Path
        A PNG file. Colours, from a palette or not, hold R + 256 * G; a grey one holds the number itself.
        Blue and alpha say nothing.
    name : str
        What to call it in messages.

    Returns
    -------
    ndarray of uint16, shape (height, width)
        Label numbers.

    Raises
    ------
    ImageFileError
        If the file is missing, truncated, damaged, no PNG, or holds colours of 16 bits a channel.
    """
    return decode_label_map(read_file(path, name), name)


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
    if not data.startswith(_PNG):
        raise ImageFileError(f"{name} is not a PNG file, and label maps must be", hint="save it as PNG")
    depth, colours = _check_png(data, name)
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


def read_file(path: Path, name: str) -> bytes:
    """Read an image's or a label map's file.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What to call it in messages.

    Returns
    -------
    bytes

    Raises
    ------
    ImageFileError
        If it is missing, cannot be read or is empty.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageFileError(f"{name} is missing: there is no file {path}") from error
    except OSError as error:
        raise ImageFileError(f"{name} cannot be read: {error.strerror or error} ({path})") from error
    if not data:
        raise ImageFileError(f"{name} is an empty file ({path})")
    return data


def _decode(data: bytes, flags: int, name: str) -> NDArray[Any]:
    cv2 = import_cv2()
    try:
        pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageFileError(f"{name} cannot be decoded: {error}") from error
    if pixels is None:
        raise ImageFileError(f"{name} cannot be decoded: it is damaged, or no image that OpenCV knows")
    return pixels


def _check_png(data: bytes, name: str) -> tuple[int, int]:
    """Walk a PNG's chunks to its end; bit depth and colour type."""
    view = memoryview(data)
    position = len(_PNG)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        (stored,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(view[position + 4 : end - 4]) != stored:
            raise ImageFileError(f"{name} is damaged: the checksum of its {_printable(kind)} chunk is wrong")
        if position == len(_PNG) and (kind != b"IHDR" or length != 13):
            raise ImageFileError(f"{name} is damaged: a PNG file begins with its header chunk")
        if kind == b"IEND":
            return data[24], data[25]
        position = end
    raise ImageFileError(f"{name} is truncated: the PNG file breaks off after {len(data)} bytes")


def _check_jpeg(data: bytes, name: str) -> None:
    """Find a JPEG's end marker behind its first scan: thumbnails in the segments before hold their own."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        kind, length = struct.unpack_from(">xBH", data, position)
        if kind == 0xFF:  # a fill byte
            position += 1
            continue
        position += 2 + length
        # In entropy-coded data 0xFF is followed by a stuffed zero or a restart number. The marker is mostly
        # at the very end, so the search begins there.
        if kind == _START_OF_SCAN and data.rfind(_END_OF_IMAGE, position) >= 0:
            return
    raise ImageFileError(f"{name} is truncated: the JPEG file breaks off after {len(data)} bytes")


def _printable(kind: bytes) -> str:
    return kind.decode("ascii", "backslashreplace")
