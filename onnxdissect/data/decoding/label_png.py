"""Label maps of the common kinds, decoded straight to concepts.

OpenCV decodes any PNG to all its channels, of which a label map then needs one number a pixel, and of that
the concept. For 8 bits a channel without interlacing all of it is one kernel behind the inflating. It decodes
what is sound and plain; whatever else is left to OpenCV, with all there is to say about it.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.inflate import inflate
from onnxdissect.data.decoding.structure import MOST_CHUNKS

__all__ = ["decode_label_png", "warm_label_kernels"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">I4sIIBBBBB")
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}
# Chunks that say nothing of the pixels' numbers. Those of animations, for one, do.
_SILENT = {b"tRNS", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"iCCP"}
# libpng refuses what is larger than its own limits: rows and columns, and chunks of anything but pixels, for
# which this is well below.
_MOST_SIDE, _MOST_SILENT = 1_000_000, 1 << 16
_MOST_COLOURS = 256


def decode_label_png(data: bytes, codes: NDArray[np.int32], plane: NDArray[np.uint16]) -> bool:
    """Decode a label map, if it is of a common kind and all is well with it.

    Parameters
    ----------
    data : bytes
        The file.
    codes : ndarray of int32, shape (65536,)
        Concept index + 1 of each label number, 0 for none and -1 for numbers that there are not. Cannot be
        written to.
    plane : ndarray of uint16, shape (height, width)
        Written to: concept index + 1 of each pixel.

    Returns
    -------
    bool
        False if it was not decoded: it is no such PNG, is damaged or of another size, or holds a number that
        there is not. `onnxdissect.data.decoding.pixels` decodes it or says what is wrong.
    """
    if not data.startswith(_SIGNATURE) or len(data) < len(_SIGNATURE) + _HEADER.size:
        return False
    length, kind, width, height, depth, colours, *methods = _HEADER.unpack_from(data, len(_SIGNATURE))
    if (length, kind, depth) != (13, b"IHDR", 8) or any(methods) or (height, width) != plane.shape:
        return False
    channels = _CHANNELS.get(colours)
    chunks = _chunks(data)
    if channels is None or chunks is None or max(height, width) > _MOST_SIDE:
        return False
    palette, deflated = chunks
    if palette is not None and not _plain_palette(palette, colours):
        return False
    raw = inflate(deflated, height * (1 + width * channels))
    if raw is None:
        return False
    if colours == _PALETTE:
        if palette is None:
            return False
        codes = _palette_codes(palette, codes)
    # Here, not above: whoever never gets here does without the compiler.
    from onnxdissect.data.decoding.label_kernels import unfilter

    above = np.zeros(plane.shape[1], np.int32)
    decoded: bool = unfilter(
        np.frombuffer(raw, np.uint8), channels, colours in (_RGB, _RGBA), codes, above, plane
    )
    return decoded


def warm_label_kernels() -> None:
    """Compile or load the kernels of label maps, before there are any."""
    from onnxdissect.data.decoding.label_kernels import unfilter, unite

    codes = np.zeros(1, np.int32)
    codes.setflags(write=False)
    planes = np.zeros((1, 1, 1), np.uint16)
    above = np.zeros(1, np.int32)
    unfilter(np.frombuffer(bytes(2), np.uint8), 1, False, codes, above, planes[0])
    unite(planes, np.zeros(0, np.int64))


def _chunks(data: bytes) -> tuple[bytes | None, bytes] | None:
    """Find the palette and the deflated pixels; None if a chunk is unsound, or one that asks for more."""
    view = memoryview(data)
    position = len(_SIGNATURE) + 25
    if zlib.crc32(view[len(_SIGNATURE) + 4 : position - 4]) != int.from_bytes(
        view[position - 4 : position], "big"
    ):
        return None
    palette: bytes | None = None
    parts: list[memoryview] = []
    for _ in range(MOST_CHUNKS - 1):  # the header was the first
        if position + 12 > len(data):
            return None
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            return None
        (stored,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(view[position + 4 : end - 4]) != stored:
            return None
        if kind == b"IDAT":
            parts.append(view[position + 8 : end - 4])
        elif kind == b"IEND":
            return palette, bytes(parts[0]) if len(parts) == 1 else b"".join(parts)
        elif kind == b"PLTE" and palette is None and not parts:
            palette = data[position + 8 : end - 4]
        elif kind not in _SILENT or parts or length > _MOST_SILENT:
            return None
        position = end
    return None


def _plain_palette(palette: bytes, colours: int) -> bool:
    """Whether a palette is one that decoders agree on; a grey PNG has none."""
    entries, rest = divmod(len(palette), 3)
    return colours in (_PALETTE, _RGB, _RGBA) and not rest and 1 <= entries <= _MOST_COLOURS


def _palette_codes(palette: bytes, codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Concept index + 1 of each entry of a palette; -1 behind its end."""
    found = np.full(_MOST_COLOURS, -1, np.int32)
    colours = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    found[: len(colours)] = codes[colours[:, 0] | colours[:, 1].astype(np.uint16) << 8]
    found.setflags(write=False)
    return found
