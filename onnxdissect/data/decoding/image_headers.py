"""The size that an image file claims, read from its header before anything is decoded.

Decoders allocate what a header asks for. Only formats whose headers are read here are decoded at all.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from onnxdissect.data.decoding.jpeg_segments import segments
from onnxdissect.data.limits import MOST_PIXELS, MOST_SIDE

__all__ = ["JPEG", "PNG", "ImageFormat", "find_format", "refuse_size"]

PNG = "PNG"
JPEG = "JPEG"

Size = tuple[int, int]
"""Height and width."""

# Segments of a JPEG that tell its size, one for each kind of compression; the others between are of tables.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
# Text before the pixels of a portable map or a radiance picture.
_LONGEST_HEADER = 4096


class ImageFormat(NamedTuple):
    """A format of image files.

    Attributes
    ----------
    name : str
    begins : tuple of bytes
        How its files begin, one or another.
    size : callable
        From the whole file to (height, width); None where the header tells no size.
    """

    name: str
    begins: tuple[bytes, ...]
    size: Callable[[bytes], Size | None]


def find_format(data: bytes) -> ImageFormat | None:
    """Tell by its first bytes which format a file is of.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    ImageFormat or None
    """
    head = data[:16]
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return _AVIF
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _WEBP
    return next((known for known in _FORMATS if head.startswith(known.begins)), None)


def refuse_size(height: int, width: int) -> str | None:
    """Say why an image of such a size is not decoded.

    Parameters
    ----------
    height, width : int

    Returns
    -------
    str or None
        What follows the name of the image in a message; None if it is decoded.
    """
    if height < 1 or width < 1:
        return f"is damaged: by its header it has {height} x {width} pixels"
    if max(height, width) > MOST_SIDE or height * width > MOST_PIXELS:
        return (
            f"has {height:,} x {width:,} pixels by its header; at most {MOST_PIXELS:,} are read, "
            f"and {MOST_SIDE:,} a side"
        )
    return None


def _png(data: bytes) -> Size | None:
    if data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return height, width


def _jpeg(data: bytes) -> Size | None:
    for kind, begin, _ in segments(data):
        if kind in _FRAMES:
            height, width = struct.unpack_from(">HH", data, begin + 1)
            return height, width
    return None


def _bmp(data: bytes) -> Size | None:
    if data[14:18] == b"\x0c\0\0\0":  # the header of OS/2
        width, height = struct.unpack_from("<HH", data, 18)
        return height, width
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(height), width  # rows from the top down have a negative height


def _gif(data: bytes) -> Size | None:
    width, height = struct.unpack_from("<HH", data, 6)
    return height, width


def _webp(data: bytes) -> Size | None:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        return height, width
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return height & 0x3FFF, width & 0x3FFF
    return None


def _tiff(data: bytes) -> Size | None:
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, start)
    found: dict[int, int] = {}
    for at in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, at)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT):
            (found[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, at + 8)
    return (found[_TIFF_HEIGHT], found[_TIFF_WIDTH]) if len(found) == 2 else None


def _jpeg_2000(data: bytes) -> Size | None:
    at = data.find(b"\xff\x4f\xff\x51")  # where the code begins, and the segment of sizes
    if at < 0:
        return None
    right, bottom, left, top = struct.unpack_from(">IIII", data, at + 8)
    return bottom - top, right - left


def _avif(data: bytes) -> Size | None:
    sizes = []
    at = data.find(b"ispe")
    while at >= 0:
        width, height = struct.unpack_from(">II", data, at + 8)
        sizes.append((height, width))
        at = data.find(b"ispe", at + 4)
    # one for each picture of the file: thumbnails and alpha have their own
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _portable_map(data: bytes) -> Size | None:
    lines = data[:_LONGEST_HEADER].split(b"\n")
    words = b" ".join(line.partition(b"#")[0] for line in lines).split()
    if words[0] == b"P7":
        named = dict(zip(words[1::2], words[2::2], strict=False))
        return int(named[b"HEIGHT"]), int(named[b"WIDTH"])
    return int(words[2]), int(words[1])


def _radiance(data: bytes) -> Size | None:
    for line in data[:_LONGEST_HEADER].split(b"\n"):
        words = line.split()
        if len(words) == 4 and words[0] in (b"-Y", b"+Y"):
            return int(words[1]), int(words[3])
    return None


def _sun_raster(data: bytes) -> Size | None:
    width, height = struct.unpack_from(">II", data, 4)
    return height, width


_AVIF = ImageFormat("AVIF", (), _avif)
_WEBP = ImageFormat("WebP", (), _webp)
_FORMATS = (
    ImageFormat(PNG, (b"\x89PNG\r\n\x1a\n",), _png),
    ImageFormat(JPEG, (b"\xff\xd8\xff",), _jpeg),
    ImageFormat("GIF", (b"GIF87a", b"GIF89a"), _gif),
    ImageFormat("TIFF", (b"II*\0", b"MM\0*"), _tiff),
    ImageFormat("JPEG 2000", (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), _jpeg_2000),
    ImageFormat("Radiance", (b"#?RADIANCE", b"#?RGBE"), _radiance),
    ImageFormat("Sun raster", (b"\x59\xa6\x6a\x95",), _sun_raster),
    ImageFormat(
        "portable map", (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7", b"PF", b"Pf"), _portable_map
    ),
    ImageFormat("BMP", (b"BM",), _bmp),
)
