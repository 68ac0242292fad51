"""Label maps by the PNG specification, a byte at a time: 8 bits a channel, not interlaced.

Slow on purpose, and importing nothing from the package.
"""

from __future__ import annotations

import struct
import zlib

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def label_numbers(content: bytes) -> list[list[int]]:
    """The label number of each pixel: R + 256 * G of a colour, what a grey pixel says."""
    chunks, position = [], 8
    while position < len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        chunks.append((kind, content[position + 8 : position + 8 + length]))
        position += 12 + length
    width, height, depth, colours = struct.unpack_from(">IIBB", chunks[0][1])
    assert depth == 8
    channels = CHANNELS[colours]
    raw = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    palette = b"".join(body for kind, body in chunks if kind == b"PLTE")
    numbers = []
    above = [0] * (width * channels)
    for y in range(height):
        line = raw[y * (1 + width * channels) :][: 1 + width * channels]
        above = unfiltered(line[0], line[1:], above, channels)
        pixels = [above[x * channels : (x + 1) * channels] for x in range(width)]
        if colours == 3:
            pixels = [list(palette[3 * index : 3 * index + 3]) for (index,) in pixels]
        numbers.append([pixel[0] + (256 * pixel[1] if colours in (2, 3, 6) else 0) for pixel in pixels])
    return numbers


def unfiltered(kind: int, line: bytes, above: list[int], channels: int) -> list[int]:
    """Section 9.2 of the specification: each byte is what is stored and a prediction of it."""
    row: list[int] = []
    for i, stored in enumerate(line):
        row.append((stored + predicted(kind, row, above, i, channels)) % 256)
    return row


def filtered(kind: int, row: list[int], above: list[int], channels: int) -> bytes:
    """What a row is stored as under a filter."""
    return bytes((row[i] - predicted(kind, row, above, i, channels)) % 256 for i in range(len(row)))


def predicted(kind: int, row: list[int], above: list[int], i: int, channels: int) -> int:
    """A byte's prediction from those to its left and above it."""
    a = row[i - channels] if i >= channels else 0
    b = above[i]
    c = above[i - channels] if i >= channels else 0
    if kind == 4:
        p = a + b - c
        return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
    return {0: 0, 1: a, 2: b, 3: (a + b) // 2}[kind]
