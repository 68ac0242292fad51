"""Arrays of counts as a short text.

The first bytes of all numbers are put side by side, then the second bytes and so on; then all is compressed.
"""

from __future__ import annotations

import base64
import lzma
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack", "unpack"]

# Of all arrays together; what a baseline holds is meant to be committed.
_MOST_BYTES = 2**31
# Of the dictionary that unpacking builds; the one that packing uses takes 65 MiB.
_MOST_MEMORY = 2**28
_KINDS = ("bool", "uint8", "int16", "int32", "int64", "float32", "float64")


def pack(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Pack arrays.

    Parameters
    ----------
    arrays : mapping of str to ndarray

    Returns
    -------
    dict
        JSON values: ``index``, which names the arrays and their shapes, and ``bytes``, in base64.
    """
    index, planes = [], []
    for name, array in arrays.items():
        little = np.ascontiguousarray(array.T).astype(array.dtype.newbyteorder("<"), copy=False)
        width = little.dtype.itemsize
        # Counts are small: their upper bytes are nearly all zero, and compress to nothing side by side.
        planes.append(np.ascontiguousarray(little.reshape(-1).view(np.uint8).reshape(-1, width).T).tobytes())
        index.append([name, array.dtype.name, list(array.shape)])
    packed = lzma.compress(b"".join(planes), preset=9)
    return {"index": index, "bytes": base64.b64encode(packed).decode()}


def unpack(packed: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Undo `pack`.

    Parameters
    ----------
    packed : mapping

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    ValueError, KeyError, TypeError, LZMAError, EOFError
        If it was not packed so.
    """
    claimed = []
    for name, kind, shape in packed["index"]:
        if kind not in _KINDS or not isinstance(name, str) or not isinstance(shape, list):
            raise ValueError(f"an array {name!r} of {kind!r}")
        claimed.append((name, np.dtype(kind), tuple(shape)))
    size = sum(dtype.itemsize * math.prod(shape) for _, dtype, shape in claimed)
    if size > _MOST_BYTES:
        raise ValueError(f"its arrays claim {size:,} bytes; at most {_MOST_BYTES:,} are unpacked")
    content = _decompressed(base64.b64decode(packed["bytes"], validate=True), size)
    arrays: dict[str, NDArray[Any]] = {}
    start = 0
    for name, dtype, shape in claimed:
        if name in arrays:
            raise ValueError(f"the array {name} is there twice")
        end = start + math.prod(shape) * dtype.itemsize
        little = np.ascontiguousarray(content[start:end].reshape(dtype.itemsize, -1).T).reshape(-1)
        values = little.view(dtype.newbyteorder("<")).astype(dtype, copy=False)
        arrays[name] = np.ascontiguousarray(values.reshape(shape[::-1]).T)
        start = end
    return arrays


def _decompressed(packed: bytes, size: int) -> NDArray[np.uint8]:
    """Undo the compression of so many bytes, and never of more."""
    unpacker = lzma.LZMADecompressor(memlimit=_MOST_MEMORY)
    content = unpacker.decompress(packed, max_length=size + 1)
    if len(content) != size:
        raise ValueError(f"its arrays claim {size:,} bytes, and there are others")
    return np.frombuffer(content, np.uint8)
