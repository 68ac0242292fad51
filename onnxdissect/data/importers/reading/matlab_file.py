"""Files of MATLAB, version 5: structures, cells, texts and arrays, and only the fields that are asked for.

Annotations come in such files with matrices of gigabytes beside a list of names. They are read piece by
piece, what nobody asked for is passed over, and what they claim is compared with limits first.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Collection, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.pixels import read_file
from onnxdissect.data.limits import MOST_FILE_BYTES, MOST_INFLATED_BYTES, MOST_TABLE_BYTES
from onnxdissect.errors import DataFormatError
from onnxdissect.storage.regular_files import Enclosure

__all__ = ["MatlabError", "read_matlab"]

_HEADER, _PIECE = 128, 1 << 16
_MATRIX, _COMPRESSED = 14, 15
# Kinds of stored numbers and texts.
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _TEXT = 1, 2, 4
_NUMBERS = range(6, 16)
_DEEPEST, _MOST_ITEMS, _MOST_FIELDS, _LONGEST_NAME = 20, 1 << 20, 1024, 64


class MatlabError(ValueError):
    """What is wrong with a file, in words that follow its name."""


def read_matlab(
    path: Path, called: str, fields: Collection[str], inside: Enclosure | None = None
) -> dict[str, Any]:
    """Read a file of MATLAB.

    Parameters
    ----------
    path : Path
    called : str
        What to call it in messages.
    fields : collection of str
        Variables, and fields of structures, that are read.
    inside : Enclosure, optional
        The folder that links may not lead out of.

    Returns
    -------
    dict of str to object
        By variable: of a structure a list of dicts, of a cell array a list, both in the order of columns; of
        a text a str, of numbers an ndarray; None of other things.

    Raises
    ------
    ImageFileError
        If the file is missing, empty, or cannot be read.
    DataFormatError
        If it is no such file, is damaged, or larger than the limits.
    """
    data = read_file(path, called, inside)
    try:
        if len(data) > MOST_TABLE_BYTES:
            raise MatlabError(f"has {len(data):,} bytes; at most {MOST_TABLE_BYTES:,} are read")
        return dict(_variables(data, fields))
    except (MatlabError, struct.error, zlib.error, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, MatlabError) else f"is damaged: {error}"
        raise DataFormatError(
            f"{called} {reason}", hint="MATLAB writes such files by save(..., '-v7')"
        ) from error


def _variables(data: bytes, fields: Collection[str]) -> Iterator[tuple[str, Any]]:
    if data[:8] == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in data[:_HEADER]:
        raise MatlabError("is of MATLAB's version 7.3, and those of version 5 to 7 are read")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:_HEADER])
    if order is None:
        raise MatlabError("is no file of MATLAB's version 5")
    at = _HEADER
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        at += 8
        if size > len(data) - at:
            raise MatlabError("is truncated")
        body = memoryview(data)[at : at + size]
        if kind == _COMPRESSED:
            source = _Source(_inflated(body), order)
            kind, size, _ = source.tag()
        else:
            source = _Source(iter([bytes(body)]), order)
            at += -size % 8
        if kind == _MATRIX:
            yield from _Reader(source, fields).variable(size)
        at += len(body)


def _inflated(body: memoryview) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    total = 0
    for at in range(0, len(body), _PIECE):
        rest: bytes | memoryview = body[at : at + _PIECE]
        while len(rest) and not inflater.eof:
            piece = inflater.decompress(rest, 16 * _PIECE)
            rest = inflater.unconsumed_tail
            total += len(piece)
            if total > MOST_INFLATED_BYTES:
                raise MatlabError(
                    f"inflates to more than {MOST_INFLATED_BYTES:,} bytes, and no more are read"
                )
            yield piece


class _Source:
    """Bytes that come in pieces, with how many were taken."""

    def __init__(self, pieces: Iterator[bytes], order: str) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")
        self.order = order
        self.position = 0

    def take(self, count: int) -> bytes:
        # what is claimed is not allocated before it is there
        return b"".join(self._taken(count))

    def skip(self, count: int) -> None:
        for _ in self._taken(count):
            pass

    def _taken(self, count: int) -> Iterator[memoryview]:
        self.position += count
        while count:
            if not self._piece:
                piece = next(self._pieces, None)
                if piece is None:
                    raise MatlabError("is truncated")
                self._piece = memoryview(piece)
                continue
            found = self._piece[:count]
            self._piece = self._piece[len(found) :]
            count -= len(found)
            yield found

    def tag(self) -> tuple[int, int, bytes | None]:
        """Kind and size of what follows; of what is small, also its bytes."""
        first, second = struct.unpack(f"{self.order}I4s", self.take(8))
        if first >> 16:
            if first >> 16 > 4:
                raise MatlabError("is damaged: a small element claims more than four bytes")
            return first & 0xFFFF, first >> 16, second[: first >> 16]
        return first, int(struct.unpack(f"{self.order}I", second)[0]), None

    def element(self, most: int) -> tuple[int, bytes]:
        kind, size, small = self.tag()
        if small is not None:
            return kind, small
        if size > most:
            raise MatlabError(f"is damaged: {size:,} bytes stand where {most:,} would do")
        body = self.take(size)
        self.skip(-size % 8)
        return kind, body


class _Reader:
    """Values of one variable."""

    def __init__(self, source: _Source, fields: Collection[str]) -> None:
        self._source = source
        self._fields = fields
        self._items = 0
        self._left = MOST_FILE_BYTES

    def variable(self, size: int) -> Iterator[tuple[str, Any]]:
        begin = self._source.position
        name, read = self._header(size)
        if name in self._fields:
            yield name, read(0)
            self._finish(begin, size)

    def _value(self, depth: int, *, wanted: bool = True) -> Any:
        if depth > _DEEPEST:
            raise MatlabError(f"is nested more than {_DEEPEST} levels deep")
        self._count(1)
        kind, size, small = self._source.tag()
        if kind != _MATRIX or small:
            raise MatlabError(f"is damaged: an element of kind {kind} stands where a value should")
        begin = self._source.position
        value = None
        if size and wanted:
            value = self._header(size)[1](depth)
        self._finish(begin, size)
        return value

    def _finish(self, begin: int, size: int) -> None:
        left = begin + size - self._source.position
        if left < 0:
            raise MatlabError("is damaged: a value is longer than it claims")
        self._source.skip(left)

    def _count(self, items: int) -> None:
        self._items += items
        if self._items > _MOST_ITEMS:
            raise MatlabError(f"holds more than {_MOST_ITEMS:,} values, and no more are read")

    def _body(self, size: int) -> tuple[int, bytes]:
        if size > self._left:
            raise MatlabError(f"holds values of more than {MOST_FILE_BYTES:,} bytes, and no more are read")
        self._left -= size
        return self._source.element(size)

    def _header(self, size: int) -> tuple[str, Callable[[int], Any]]:
        source = self._source
        _, flags = source.element(8)
        _, extents = source.element(8 * _DEEPEST)
        _, name = source.element(_LONGEST_NAME)
        if len(flags) != 8 or len(extents) % 4:
            raise MatlabError("is damaged: the head of a value is malformed")
        kind = struct.unpack(f"{source.order}I", flags[:4])[0] & 0xFF
        shape = struct.unpack(f"{source.order}{len(extents) // 4}i", extents)
        if min(shape, default=0) < 0:
            raise MatlabError("is damaged: an array has less than no items")
        readers: dict[int, Callable[[int], Any]] = {
            _CELL: lambda depth: self._cells(prod(shape), depth),
            _STRUCT: lambda depth: self._records(prod(shape), depth),
            _TEXT: lambda depth: self._text(prod(shape), size),
            **dict.fromkeys(_NUMBERS, lambda depth: self._numbers(shape, size)),
        }
        return name.decode("latin-1"), readers.get(kind, lambda depth: None)

    def _cells(self, count: int, depth: int) -> list[Any]:
        self._count(count)
        return [self._value(depth + 1) for _ in range(count)]

    def _records(self, count: int, depth: int) -> list[dict[str, Any]]:
        _, width = self._source.element(4)
        length = int(struct.unpack(f"{self._source.order}I", width)[0])
        if not 0 < length <= _LONGEST_NAME:
            raise MatlabError("is damaged: names of fields have no such length")
        _, packed = self._source.element(_MOST_FIELDS * length)
        names = [
            packed[at : at + length].split(b"\0", 1)[0].decode("latin-1")
            for at in range(0, len(packed), length)
        ]
        self._count(count)
        found = []
        for _ in range(count):
            values = {name: self._value(depth + 1, wanted=name in self._fields) for name in names}
            found.append({name: value for name, value in values.items() if name in self._fields})
        return found

    def _text(self, count: int, size: int) -> str:
        kind, body = self._body(size)
        encoding = _TEXTS.get(kind)
        if encoding is None:
            raise MatlabError(f"is damaged: a text is stored as kind {kind}")
        ending = {"<": "-le", ">": "-be"}[self._source.order] if "16" in encoding or "32" in encoding else ""
        return body.decode(f"{encoding}{ending}")

    def _numbers(self, shape: tuple[int, ...], size: int) -> NDArray[Any]:
        kind, body = self._body(size)
        if kind not in _STORED:
            raise MatlabError(f"is damaged: numbers are stored as kind {kind}")
        dtype = np.dtype(f"{self._source.order}{_STORED[kind]}")
        if len(body) != prod(shape) * dtype.itemsize:
            raise MatlabError("is damaged: an array has not as many numbers as it claims")
        return np.frombuffer(body, dtype).reshape(shape, order="F")
