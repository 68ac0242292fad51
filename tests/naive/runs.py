"""Packed annotations by the description of their format, a pixel at a time.

Slow on purpose, and importing nothing from the package.
"""

from __future__ import annotations

import struct

Planes = list[list[list[int]]]


def decoded(block: bytes, grid: tuple[int, int]) -> Planes:
    """The codes of all planes, row by row."""
    planes, colours = struct.unpack_from("<II", block)
    palette = struct.unpack_from(f"<{colours}H", block, 8)
    position = 8 + 2 * colours
    height, width = planes * grid[0], grid[1]
    pixels: list[int] = []
    while len(pixels) < height * width:
        number, place = 0, 1
        while True:
            byte = block[position]
            position += 1
            number += place * (byte % 128)
            place *= 128
            if byte < 128:
                break
        code = None
        if number % 2:
            size = 1 if colours <= 256 else 2
            code = palette[int.from_bytes(block[position : position + size], "little")]
            position += size
        for _ in range(number // 2 + 1):
            above = pixels[len(pixels) - width] if len(pixels) >= width else 0
            pixels.append(above if code is None else code)
    assert (len(pixels), position) == (height * width, len(block))
    rows = [pixels[width * y : width * (y + 1)] for y in range(height)]
    return [rows[grid[0] * plane : grid[0] * (plane + 1)] for plane in range(planes)]


def encoded(planes: Planes) -> bytes:
    """What is written for them: at each pixel the longer of a repeat of the row above and of one code."""
    rows = [row for plane in planes for row in plane]
    width = len(rows[0])
    pixels = [code for row in rows for code in row]
    above = [0] * width + pixels[:-width]
    palette = sorted(set(pixels))
    block = struct.pack(f"<II{len(palette)}H", len(planes), len(palette), *palette)
    place = 0
    while place < len(pixels):
        copied = next((n for n in range(len(pixels) - place) if pixels[place + n] != above[place + n]), None)
        filled = next((n for n in range(len(pixels) - place) if pixels[place + n] != pixels[place]), None)
        copied, filled = (len(pixels) - place if n is None else n for n in (copied, filled))
        count = max(copied, filled)
        number = 2 * (count - 1) + (filled > copied)
        while number >= 128:
            block += bytes([128 + number % 128])
            number //= 128
        block += bytes([number])
        if filled > copied:
            block += palette.index(pixels[place]).to_bytes(1 if len(palette) <= 256 else 2, "little")
        place += count
    return block
