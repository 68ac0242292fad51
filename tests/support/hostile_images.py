"""Image files that claim what they do not hold, or make a decoder work."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np

from support.datasets import chunk

SIDES = (0, 1, 2, 24, 255, 256, 5000, 11585, 11586, 50_000, 65_535, 2**20, 2**20 + 1, 2**31, 2**32 - 1)
SUFFIXES = (".bmp", ".gif", ".webp", ".tiff", ".jp2", ".avif", ".pgm", ".pam", ".ras", ".hdr", ".pfm")
_ONES = (b"\xff", b"\xff\xe0\0\0", b"\xff\xe0\0\2", b"\xff\xda\0\2", b"\xff\xd9", b"\xff\xfe\xff\xff")
_PNG = b"\x89PNG\r\n\x1a\n"


def deflated(mebibytes: int) -> bytes:
    """Zeros by the mebibyte, deflated to a thousandth."""
    deflater = zlib.compressobj(9)
    pieces = [deflater.compress(bytes(1 << 20)) for _ in range(mebibytes)]
    return b"".join([*pieces, deflater.flush()])


def hostile_image(content: bytes, dice: random.Random) -> tuple[bytes, str]:
    """Change an image file, or put another one in its place; what was done."""
    makers: dict[str, Callable[[bytes, random.Random], bytes]] = {
        "a PNG of another size": _sized_png,
        "another kind of PNG": _other_png,
        "a PNG that inflates": _bomb,
        "a PNG of many chunks": _many_chunks,
        "a JPEG of another size": _sized_jpeg,
        "a JPEG of many scans": _scans,
        "a JPEG of many segments": _segments,
        "another format": _other_format,
        "another format of another size": _sized_other,
        "cut": lambda content, dice: content[: dice.randrange(len(content) + 1)],
        "flipped": _flipped,
        "twice": lambda content, dice: content * 2,
        "text": lambda content, dice: b"<svg/>" * dice.randrange(1, 1000),
    }
    kind = dice.choice(sorted(makers))
    return makers[kind](content, dice), kind


def _header(width: int, height: int, depth: int = 8, colours: int = 2, *rest: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, *(rest or (0, 0, 0))))


def _sized_png(content: bytes, dice: random.Random) -> bytes:
    header = _header(
        dice.choice(SIDES), dice.choice(SIDES), dice.choice([1, 8, 16]), dice.choice([0, 2, 3, 4, 6])
    )
    if content.startswith(_PNG) and dice.random() < 0.7:
        return _PNG + header + content[33:]
    return _PNG + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def _other_png(content: bytes, dice: random.Random) -> bytes:
    values = [dice.choice([0, 1, 2, 3, 4, 6, 7, 8, 16, 255]) for _ in range(5)]
    palette = chunk(b"PLTE", dice.randbytes(dice.choice([0, 1, 3, 768, 771])))
    body = chunk(b"IDAT", zlib.compress(dice.randbytes(24 * 100)))
    parts = [
        _header(24, 24, *values),
        palette,
        body,
        body,
        chunk(b"tRNS", bytes(300)),
        chunk(b"acTL", bytes(8)),
    ]
    chosen = parts if dice.random() < 0.5 else dice.sample(parts, len(parts))
    return _PNG + b"".join(chosen) + chunk(b"IEND", b"")


def _bomb(content: bytes, dice: random.Random) -> bytes:
    bomb = deflated(dice.choice([1, 64, 1100]))
    kind = dice.choice([b"IDAT", b"IDAT", b"zTXt", b"iCCP", b"iTXt"])
    start = {b"zTXt": b"a\0\0", b"iCCP": b"a\0\0", b"iTXt": b"a\0\x01\0\0\0"}.get(kind, b"")
    body = [chunk(kind, start + bomb)]
    if kind != b"IDAT":
        body.append(chunk(b"IDAT", zlib.compress(bytes(24 * 73))))
    side = dice.choice([1, 12, 24, 5000])
    return _PNG + _header(side, side) + b"".join(body) + chunk(b"IEND", b"")


def _many_chunks(content: bytes, dice: random.Random) -> bytes:
    one = chunk(dice.choice([b"tEXt", b"IDAT", b"PLTE", b"abCd", b"IEND"]), dice.choice([b"", b"a\0b"]))
    body = chunk(b"IDAT", zlib.compress(bytes(24 * 73)))
    return _PNG + _header(24, 24) + one * dice.choice([10, 1000, 300_000]) + body + chunk(b"IEND", b"")


def _jpeg(progressive: bool) -> bytes:
    picture = np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)])[1].tobytes()


def _sized_jpeg(content: bytes, dice: random.Random) -> bytes:
    data = bytearray(_jpeg(dice.random() < 0.5))
    at = (
        next(
            i for i in range(len(data)) if data[i : i + 2] in (bytearray(b"\xff\xc0"), bytearray(b"\xff\xc2"))
        )
        + 5
    )
    data[at : at + 4] = struct.pack(">HH", dice.choice(SIDES) & 0xFFFF, dice.choice(SIDES) & 0xFFFF)
    if dice.random() < 0.2:
        data[at + 4] = dice.randrange(256)
    return bytes(data)


def _scans(content: bytes, dice: random.Random) -> bytes:
    data = _jpeg(True)
    last = data[data.rfind(b"\xff\xda") : -2]
    return data[:-2] + last * dice.choice([10, 199, 5000]) + data[-2:]


def _segments(content: bytes, dice: random.Random) -> bytes:
    one = dice.choice(_ONES)
    return b"\xff\xd8\xff" + one * dice.choice([10, 70_000, 3_000_000]) + _jpeg(False)[2:]


def _other_format(content: bytes, dice: random.Random) -> bytes:
    suffix = dice.choice(SUFFIXES)
    picture = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    given = picture.astype(np.float32) if suffix in (".hdr", ".pfm") else picture
    return cv2.imencode(suffix, given[:, :, 0] if suffix == ".pgm" else given)[1].tobytes()


def _sized_other(content: bytes, dice: random.Random) -> bytes:
    data = _other_format(content, dice)
    little, big, short = struct.pack("<I", 40), struct.pack(">I", 40), struct.pack("<H", 40)
    for side in (little, big, short, b"40"):
        if side in data and dice.random() < 0.7:
            value = dice.choice(SIDES)
            new = b"%d" % value if side == b"40" else value.to_bytes(8, "little")[: len(side)]
            data = data.replace(side, new[::-1] if side == big else new, dice.choice([1, 2]))
    return data


def _flipped(content: bytes, dice: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(dice.choice([1, 3, 20])):
        if data:
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(data)
