"""The segments of a JPEG before its pixels, told apart as libjpeg does.

Whoever reads them another way finds another size in a file that was made for it than the decoder does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["START_OF_SCAN", "segments"]

START_OF_SCAN = 0xDA
_MOST = 1 << 16
_FILL, _STUFFED = 0xFF, 0x00
# Markers that no length follows: the temporary one, and those of restarts.
_ALONE = frozenset([0x01, *range(0xD0, 0xD8)])


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Walk segment by segment, up to what is none, or too many of them.

    Parameters
    ----------
    data : bytes
        The file, which begins as a JPEG does.

    Yields
    ------
    kind : int
        Second byte of its marker.
    begin : int
        Where its content begins, behind its length.
    end : int
        Where the next one begins. It may lie behind the end of the file.
    """
    position = 2
    for _ in range(_MOST):
        if position + 4 > len(data) or data[position] != 0xFF:
            return
        kind, length = struct.unpack_from(">xBH", data, position)
        if kind == _STUFFED:
            return
        if kind == _FILL:
            position += 1
        elif kind in _ALONE:
            position += 2
        else:
            yield kind, position + 4, position + 2 + length
            position += 2 + length
