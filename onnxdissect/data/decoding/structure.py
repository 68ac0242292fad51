"""The structure of PNG and JPEG files, looked through before they are decoded.

A decoder fills what a truncated file lacks, and works for as long as a file that was made for it makes it
work: a PNG may inflate to a thousand times its pixels, a JPEG go over all of them again in each of its scans.
"""

from __future__ import annotations

import re
import struct
import zlib
from itertools import islice

from onnxdissect.data.decoding.jpeg_segments import START_OF_SCAN, segments
from onnxdissect.errors import ImageFileError

__all__ = ["MOST_CHUNKS", "check_jpeg", "check_png"]

MOST_CHUNKS = 1 << 16
"""Of a PNG."""
_PNG_BEGIN = 8
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colour type of a PNG header
# Compressed pixels of a PNG that are inflated without a second look: to a gigabyte at the most.
_TRUSTED = 1 << 20
_PIECE, _INFLATED_PIECE = 1 << 16, 1 << 20
_SCANS = re.compile(rb"\xff\xda")
_END_OF_IMAGE = b"\xff\xd9"
# Encoders make a dozen.
_MOST_SCANS = 200


def check_png(data: bytes, name: str) -> None:
    """Walk a PNG's chunks to its end.

    Parameters
    ----------
    data : bytes
        The file, which begins as a PNG does.
    name : str
        What to call it in messages.

    Raises
    ------
    ImageFileError
        If it is truncated or damaged, or inflates to more than its pixels.
    """
    view = memoryview(data)
    position = _PNG_BEGIN
    pixels: list[memoryview] = []
    for _ in range(MOST_CHUNKS):
        if position + 12 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        (stored,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(view[position + 4 : end - 4]) != stored:
            raise ImageFileError(f"{name} is damaged: the checksum of its {_printable(kind)} chunk is wrong")
        if position == _PNG_BEGIN and (kind != b"IHDR" or length != 13):
            raise ImageFileError(f"{name} is damaged: a PNG file begins with its header chunk")
        if kind == b"IDAT":
            pixels.append(view[position + 8 : end - 4])
        elif kind == b"IEND":
            if sum(map(len, pixels)) > _TRUSTED:
                _check_inflated(data, pixels, name)
            return
        position = end
    else:
        raise ImageFileError(f"{name} is damaged: the PNG file has more than {MOST_CHUNKS:,} chunks")
    raise ImageFileError(f"{name} is truncated: the PNG file breaks off after {len(data)} bytes")


def _check_inflated(data: bytes, pixels: list[memoryview], name: str) -> None:
    width, height, depth, colours = struct.unpack_from(">IIBB", data, 16)
    # A byte a row says how it is filtered; an interlaced file has eight passes at most, each with such rows.
    expected = height * (1 + (width * depth * _CHANNELS.get(colours, 4) + 7) // 8) + 8 * (width + height)
    inflater = zlib.decompressobj()
    inflated = 0
    try:
        for piece in (chunk[at : at + _PIECE] for chunk in pixels for at in range(0, len(chunk), _PIECE)):
            rest: bytes | memoryview = piece
            while len(rest) and not inflater.eof:
                inflated += len(inflater.decompress(rest, _INFLATED_PIECE))
                rest = inflater.unconsumed_tail
                if inflated > expected:
                    raise ImageFileError(
                        f"{name} is damaged: the PNG file inflates to more than its {height} x {width} pixels"
                    )
    except zlib.error as error:
        raise ImageFileError(f"{name} is damaged: its pixels do not inflate") from error


def check_jpeg(data: bytes, name: str) -> None:
    """Find a JPEG's end marker behind its first scan: thumbnails in the segments before hold their own.

    Parameters
    ----------
    data : bytes
        The file, which begins as a JPEG does.
    name : str
        What to call it in messages.

    Raises
    ------
    ImageFileError
        If it is truncated, or has more scans than any encoder makes.
    """
    last = data.rfind(_END_OF_IMAGE)  # mostly at the very end, where the search begins
    for kind, _, end in segments(data):
        # In entropy-coded data 0xFF is followed by a stuffed zero or a restart number.
        if kind == START_OF_SCAN and last >= end:
            # Python's regular expressions find two bytes in a seventh of the time that bytes.count takes.
            further = islice(_SCANS.finditer(data, end), _MOST_SCANS)
            if 1 + sum(1 for _ in further) > _MOST_SCANS:
                scans = 1 + data.count(bytes((0xFF, START_OF_SCAN)), end)
                raise ImageFileError(
                    f"{name} is damaged: the JPEG file has {scans:,} scans; at most {_MOST_SCANS} are read"
                )
            return
    raise ImageFileError(f"{name} is truncated: the JPEG file breaks off after {len(data)} bytes")


def _printable(kind: bytes) -> str:
    return kind.decode("ascii", "backslashreplace")
