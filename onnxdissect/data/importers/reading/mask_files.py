"""Masks as files: what each pixel holds, an index or a colour, exactly as it was stored.

Decoders mean well: they expand palettes to the colours, stretch grey of few bits to 8, and drop bits of 16.
None of that may happen to a number that stands for a class.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.image_headers import PNG, ImageFormat, find_format, refuse_size
from onnxdissect.data.decoding.pixels import read_file
from onnxdissect.data.decoding.structure import check_png
from onnxdissect.data.limits import HIGHEST_INDEX, MOST_MASK_PIXELS
from onnxdissect.errors import ImageFileError
from onnxdissect.storage.regular_files import Enclosure

__all__ = ["decode_mask", "read_mask"]

_TIFF = "TIFF"
# Formats that keep each number; palettes of theirs keep their indices.
_LOSSLESS = (PNG, _TIFF, "BMP", "GIF")
_BITS_PER_SAMPLE, _ORIENTATION = 258, 274
# What Pillow calls the compressions of TIFF that change values.
_LOSSY = frozenset(("jpeg", "tiff_jpeg", "webp", "tiff_sgilog", "tiff_sgilog24"))
_INDEXED = ("P", "PA", "L", "LA", "1", "I;16", "I;16B", "I;16L", "I")
_COLOURED = ("RGB", "RGBA", "RGBX")
_NOT_MASK = (
    "save it as PNG: 8-bit or 16-bit grey or a palette with the class's index, or RGB of 8 bits a channel"
)


def read_mask(path: Path, name: str, inside: Enclosure | None = None) -> NDArray[np.int32 | np.uint8]:
    """Read a mask.

    Parameters
    ----------
    path : Path
        A PNG, TIFF, BMP or GIF file.
    name : str
        What to call it in messages.
    inside : Enclosure, optional
        The folder that links may not lead out of.

    Returns
    -------
    ndarray of int32, shape (height, width), or ndarray of uint8, shape (height, width, 3)
        Indices of grey or of a palette, or RGB. Alpha is dropped.

    Raises
    ------
    ImageFileError
        If the file is missing, empty, damaged, larger than the limits, or of a kind that loses indices.
    """
    return decode_mask(read_file(path, name, inside), name)


def decode_mask(data: bytes, name: str) -> NDArray[np.int32 | np.uint8]:
    """Decode a mask that has been read; see `read_mask`.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What to call it in messages.

    Returns
    -------
    ndarray of int32, shape (height, width), or ndarray of uint8, shape (height, width, 3)

    Raises
    ------
    ImageFileError
        As there.
    """
    found = find_format(data)
    if found is None:
        raise ImageFileError(f"{name} is no image, or damaged", hint=_NOT_MASK)
    if found.name not in _LOSSLESS:
        raise ImageFileError(
            f"{name} is a {found.name} file: masks are read from {', '.join(_LOSSLESS)} files, which "
            "keep each pixel's number",
            hint="export the masks again, as PNG",
        )
    _check_size(found, data, name)
    if found.name == PNG:
        check_png(data, name)
    return _decode(data, found.name, name)


def _check_size(found: ImageFormat, data: bytes, name: str) -> None:
    try:
        claimed = found.size(data)
    except (struct.error, LookupError, ValueError):
        claimed = None
    if not claimed:
        raise ImageFileError(f"{name} is damaged: its header tells no size")
    _refuse_large(*claimed, name)


def _refuse_large(height: int, width: int, name: str) -> None:
    refusal = refuse_size(height, width)
    if not refusal and height * width > MOST_MASK_PIXELS:
        size = f"{height:,} x {width:,} pixels by its header"
        refusal = f"has {size}; a mask has {MOST_MASK_PIXELS:,} at most"
    if refusal:
        raise ImageFileError(f"{name} {refusal}", hint="save it smaller, cut or scaled down")


def _decode(data: bytes, kind: str, name: str) -> NDArray[np.int32 | np.uint8]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            if getattr(image, "n_frames", 1) != 1:
                raise ImageFileError(f"{name} holds several images, and a mask is one", hint=_NOT_MASK)
            stretched = _stretched(data, kind, image, name)
            # what our reading of the header found need not be what Pillow's does
            _refuse_large(image.height, image.width, name)
            image.load()
            if image.mode in _INDEXED:
                return _indices(np.asarray(image), stretched, name)
            if image.mode in _COLOURED:
                return np.ascontiguousarray(np.asarray(image)[:, :, :3])
            mode = image.mode
    except ImageFileError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises whatever its plugins come across
        raise ImageFileError(f"{name} cannot be decoded: it is damaged ({error})") from error
    raise ImageFileError(
        f"{name} holds pixels of the kind {mode}, which are no indices and no RGB", hint=_NOT_MASK
    )


def _stretched(data: bytes, kind: str, image: object, name: str) -> int:
    """Tell what Pillow multiplies indices of few bits by; refuse what it drops bits of."""
    mode = getattr(image, "mode", "")
    if kind == PNG:
        depth, colours = data[24], data[25]
        if depth == 16 and colours != 0:
            raise ImageFileError(
                f"{name} has 16 bits a channel and several channels, which no class list tells",
                hint=_NOT_MASK,
            )
        return 255 // (2**depth - 1) if colours == 0 and mode == "L" and depth < 8 else 1
    if kind == _TIFF:
        tags = getattr(image, "tag_v2", {})
        compression = getattr(image, "info", {}).get("compression")
        if compression in _LOSSY:
            raise ImageFileError(
                f"{name} is compressed as {compression}, which changes pixels' numbers", hint=_NOT_MASK
            )
        if tags.get(_ORIENTATION, 1) != 1:
            # decoders of TIFF turn some and leave others as they are
            raise ImageFileError(
                f"{name} is to be turned (orientation {tags[_ORIENTATION]})", hint=f"turn it, and {_NOT_MASK}"
            )
        bits = tags.get(_BITS_PER_SAMPLE, (1,))
        if (mode != "1" and not {*bits} <= {8, 16, 32}) or (len(bits) > 1 and max(bits) > 8):
            raise ImageFileError(f"{name} has {bits[0]} bits a channel", hint=_NOT_MASK)
    return 1


def _indices(pixels: NDArray[np.generic], stretched: int, name: str) -> NDArray[np.int32]:
    plane = pixels[:, :, 0] if pixels.ndim == 3 else pixels
    low, high = int(plane.min()), int(plane.max())
    if low < 0 or high > HIGHEST_INDEX:
        raise ImageFileError(f"{name} holds the numbers {low} to {high}; indices are 0 to {HIGHEST_INDEX:,}")
    found = plane.astype(np.int32)
    return found if stretched == 1 else found // stretched
