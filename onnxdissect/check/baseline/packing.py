"""Arrays of counts as a short text.

The first bytes of all numbers are put side by side, then the second bytes and so on; then all is compressed.
"""

from __future__ import annotations

import base64
import lzma
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack", "unpack"]

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
    content = np.frombuffer(lzma.decompress(base64.b64decode(packed["bytes"], validate=True)), np.uint8)
    arrays, start = {}, 0
    for name, kind, shape in packed["index"]:
        if kind not in _KINDS:
            raise ValueError(f"an array of {kind}")
        dtype = np.dtype(kind)
        end = start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        little = np.ascontiguousarray(content[start:end].reshape(dtype.itemsize, -1).T).reshape(-1)
        values = little.view(dtype.newbyteorder("<")).astype(dtype, copy=False)
        arrays[name] = np.ascontiguousarray(values.reshape(shape[::-1]).T)
        start = end
    if start != content.size:
        raise ValueError(f"{content.size - start} bytes too many")
    return arrays
