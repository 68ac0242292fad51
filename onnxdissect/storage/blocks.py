"""Arrays as one block of a file to which blocks are added: a line that says what is in it, then their bytes.

For what is written and read again within a run, many times and quickly. What a run leaves are archives.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError
from onnxdissect.storage.schema import Lengths, Schema

__all__ = ["read_block", "write_block"]

# Kernels would be compiled anew for arrays that are not aligned.
_ALIGNMENT = 8
_ARRAYS = "arrays"

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
    file.write(json.dumps({**(facts or {}), _ARRAYS: described}).encode() + b"\n")
    for array in ordered:
        file.write(array.data)
        file.write(bytes(-array.nbytes % _ALIGNMENT))


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
        If the block is damaged, or its arrays are not those of the schema.
    """
    try:
        line = file.readline()
        if not line:
            return None
        facts = json.loads(line)
        schema = schema_of(facts)
        kinds = [(np.dtype(dtype), tuple(shape)) for dtype, shape in facts[_ARRAYS]]
        lengths = Lengths({})
        for (name, spec), (dtype, shape) in zip(schema.arrays.items(), kinds, strict=True):
            lengths.check(name, spec, dtype, shape)
        sizes = [dtype.itemsize * math.prod(shape) for dtype, shape in kinds]
        places = np.cumsum([0, *(-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes)]).tolist()
        block = allocate(places[-1])
        _fill(file, block)
        arrays = {
            name: block[at : at + size].view(dtype).reshape(shape)
            for name, at, size, (dtype, shape) in zip(schema.arrays, places, sizes, kinds, strict=False)
        }
    except (OSError, ValueError, EOFError, KeyError, TypeError, MemoryError, OverflowError) as error:
        raise RunFormatError(f"{path} is damaged: {error}", hint="start over with --fresh") from error
    return facts, arrays


def _fill(file: BufferedReader, block: NDArray[np.uint8]) -> None:
    content = memoryview(block.data)
    while content:
        got = file.readinto(content)
        if not got:
            raise EOFError(f"{len(content)} bytes are missing at its end")
        content = content[got:]
