"""Arrays as one block of a file to which blocks are added: a line that says what is in it, then their bytes.

For what is written and read again within a run, many times and quickly. What a run leaves are archives. As
kernels index with what is read, without looking, both the line and the arrays carry a checksum: the line
begins with its own, eight hexadecimal digits, followed by that of the arrays.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BufferedReader
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.schema import AxisLengths, Schema

__all__ = ["read_block", "skip_block", "write_block"]

# Kernels would be compiled anew for arrays that are not aligned.
_ALIGNMENT = 8
_ARRAYS = "arrays"
_DIGITS = 8
# Bytes of a word, and words of a row, see `_checksum`: a row fills a page.
_WORD = 8
_ROW = 512
_HINT = "start over with --fresh"
_DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, OverflowError)

Facts = Mapping[str, Any]


def write_block(
    file: BinaryIO, schema: Schema, arrays: Mapping[str, NDArray[Any]], facts: Facts | None = None
) -> None:
    """Write a block where the file is.

    Parameters
    ----------
    file : binary file
        Open for writing.
    schema : Schema
        Of the arrays; they are written in its order.
    arrays : mapping of str to ndarray
        All that the schema names.
    facts : mapping, optional
        JSON values that go with them.

    Raises
    ------
    ValueError
        If the arrays are not those of the schema.
    """
    schema.check(arrays, {})
    ordered = [np.ascontiguousarray(arrays[name]) for name in schema.arrays]
    described = [(array.dtype.str, array.shape) for array in ordered]
    content = [
        (array.reshape(-1).view(np.uint8), np.zeros(-array.nbytes % _ALIGNMENT, np.uint8))
        for array in ordered
    ]
    file.write(_line({**(facts or {}), _ARRAYS: described}, _checksum(content)))
    for array, padding in content:
        file.write(array.data)
        file.write(padding.data)


def read_block(
    file: BufferedReader,
    path: Path,
    schema_of: Callable[[Facts], Schema],
    allocate: Callable[[int], NDArray[np.uint8]],
) -> tuple[Facts, dict[str, NDArray[Any]]] | None:
    """Read the block that begins where the file is.

    Parameters
    ----------
    file : binary file
        Open for reading.
    path : Path
        Of the file, for messages.
    schema_of : callable
        Given the facts that were written with the block, gives the schema of its arrays.
    allocate : callable
        Given a number of bytes, gives the memory that the arrays lie in: writable, aligned to eight bytes.

    Returns
    -------
    facts : mapping
    arrays : dict of str to ndarray
        Views of one piece of memory, aligned and writable. None instead of both at the end of the file.

    Raises
    ------
    RunFormatError
        If the block is damaged, as its checksums tell, or its arrays are not those of the schema.
    OutOfMemoryError
        If there is too little memory for its arrays.
    """
    try:
        line = file.readline()
        if not line:
            return None
        facts, checksum = _parsed(line)
        schema = schema_of(facts)
        kinds = _kinds(facts)
        lengths = AxisLengths({})
        for (name, spec), (dtype, shape) in zip(schema.arrays.items(), kinds, strict=True):
            lengths.check(name, spec, dtype, shape)
        places = _places(kinds)
        _expect_bytes(file, places[-1])
        with explained_memory():
            block = allocate(places[-1])
        _fill(file, block)
        ends = [
            at + dtype.itemsize * math.prod(shape) for at, (dtype, shape) in zip(places, kinds, strict=False)
        ]
        content = [
            (block[at:end], block[end:after]) for (at, after), end in zip(pairwise(places), ends, strict=True)
        ]
        if _checksum(content) != checksum:
            raise ValueError("its arrays are not what was written, by their checksum")
        arrays = {
            name: array.view(dtype).reshape(shape)
            for name, (array, _), (dtype, shape) in zip(schema.arrays, content, kinds, strict=True)
        }
    except _DAMAGE as error:
        raise RunFormatError(f"{path} is damaged: {error}", hint=_HINT) from error
    return facts, arrays


def skip_block(file: BufferedReader, path: Path) -> Facts | None:
    """Pass over the block that begins where the file is, without reading its arrays.

    Parameters
    ----------
    file : binary file
        Open for reading.
    path : Path
        Of the file, for messages.

    Returns
    -------
    mapping or None
        The facts that were written with it; None at the end of the file.

    Raises
    ------
    RunFormatError
        If the line that says what is in it is damaged.
    """
    try:
        line = file.readline()
        if not line:
            return None
        facts, _ = _parsed(line)
        file.seek(_places(_kinds(facts))[-1], os.SEEK_CUR)
    except _DAMAGE as error:
        raise RunFormatError(f"{path} is damaged: {error}", hint=_HINT) from error
    return facts


def _checksum(content: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> int:
    """Give a number that tells the bytes of arrays, each with what pads it, from damaged ones.

    Of a long array it is that of sums: its bytes, as words of eight, are laid out in rows of 512, and the
    words added up along both axes. A CRC of all bytes would take as long as to count their masks. A changed
    word changes two of the sums, and one that is exchanged for another at least one.
    """
    checksum = 0
    for array, padding in content:
        whole = array.size - array.size % (_WORD * _ROW)
        if whole:
            words = array[:whole].view(np.uint64).reshape(-1, _ROW)
            for axis in (0, 1):
                checksum = zlib.crc32(words.sum(axis=axis, dtype=np.uint64).data, checksum)
        checksum = zlib.crc32(padding.data, zlib.crc32(array[whole:].data, checksum))
    return checksum


def _line(facts: Facts, checksum: int) -> bytes:
    """Give the line of a block from what it says and the checksum of the block's bytes."""
    said = f"{checksum:0{_DIGITS}x}{json.dumps(facts)}".encode()
    return f"{zlib.crc32(said):0{_DIGITS}x}".encode() + said + b"\n"


def _parsed(line: bytes) -> tuple[Facts, int]:
    """Give what a line says, and the checksum of the bytes behind it."""
    said = line.removesuffix(b"\n")[_DIGITS:]
    if line != f"{zlib.crc32(said):0{_DIGITS}x}".encode() + said + b"\n":
        raise ValueError("a line is not what was written, by its checksum")
    facts: Facts = json.loads(said[_DIGITS:])
    return facts, int(said[:_DIGITS], 16)


def _kinds(facts: Facts) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
    """Dtype and shape of each array of a block."""
    kinds = [(np.dtype(dtype), tuple(shape)) for dtype, shape in facts[_ARRAYS]]
    if any(size < 0 for _, shape in kinds for size in shape):
        raise ValueError(f"arrays of shapes {[shape for _, shape in kinds]}")
    return kinds


def _places(kinds: Sequence[tuple[np.dtype[Any], tuple[int, ...]]]) -> list[int]:
    """Where in a block each of its arrays begins, and where the block ends."""
    sizes = (dtype.itemsize * math.prod(shape) for dtype, shape in kinds)
    return [0, *accumulate(-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes)]


def _expect_bytes(file: BufferedReader, size: int) -> None:
    """See that the file goes on for so many bytes, before memory is taken for them."""
    left = os.fstat(file.fileno()).st_size - file.tell()
    if size > left:
        raise EOFError(f"{size - left:,} bytes are missing at its end")


def _fill(file: BufferedReader, block: NDArray[np.uint8]) -> None:
    content = memoryview(block.data)
    while content:
        got = file.readinto(content)
        if not got:
            raise EOFError(f"{len(content)} bytes are missing at its end")
        content = content[got:]
