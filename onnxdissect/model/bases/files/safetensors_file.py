"""The safetensors format: eight bytes of length, a header in JSON, and the numbers of all arrays.

Read here rather than by its library: a few lines, and sizes are looked at before anything is allocated.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import BasisFileError
from onnxdissect.model.bases.files.faults import check_numbers
from onnxdissect.storage.json_file import parse_json

__all__ = ["SafetensorsFile"]

_MOST_HEADER_BYTES = 2**24
_METADATA = "__metadata__"
_BFLOAT16 = "BF16"
_DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", _BFLOAT16: "<u2", "BOOL": "?"},
    **{
        f"{sign}{8 * size}": f"<{kind}{size}"
        for sign, kind in (("I", "i"), ("U", "u"))
        for size in (1, 2, 4, 8)
    },
}


class _Entry(NamedTuple):
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class SafetensorsFile:
    """A ``.safetensors`` file.

    Parameters
    ----------
    path : Path
        For messages.
    file : binary file
        Open for reading.

    Attributes
    ----------
    shapes, texts
        As of `TensorFile`; the texts are its metadata.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, _MOST_HEADER_BYTES):
            raise BasisFileError(
                f"{path} is damaged: its header of {length} bytes does not fit into the file, or is longer "
                f"than {_MOST_HEADER_BYTES}"
            )
        self._start = 8 + length
        header = parse_json(file.read(length))
        if not isinstance(header, dict):
            raise BasisFileError(f"{path} is damaged: its header is no JSON object")
        texts = header.pop(_METADATA, {})
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise BasisFileError(f"{path} is damaged: its metadata are no texts")
        self._entries = {name: self._entry(name, entry, size - self._start) for name, entry in header.items()}
        # The format forbids it: numbers that two arrays share are those of one of them at most.
        placed = sorted((one.begin, one.end, name) for name, one in self._entries.items())
        for (_, end, before), (begin, _, after) in itertools.pairwise(placed):
            if begin < end:
                raise BasisFileError(f"{path} is damaged: {before!r} and {after!r} overlap")
        self.shapes: Mapping[str, tuple[int, ...]] = {
            name: entry.shape for name, entry in self._entries.items()
        }
        self.texts: Mapping[str, str] = texts

    def read(self, name: str) -> NDArray[Any]:
        """Read an array.

        Parameters
        ----------
        name : str
            One of `shapes`.

        Returns
        -------
        ndarray
            Of bfloat16 as float32.
        """
        entry = self._entries[name]
        if entry.dtype not in _DTYPES:
            raise BasisFileError(
                f"{name!r} in {self._path} has the type {entry.dtype}, which is not read",
                candidates=sorted(_DTYPES),
                hint="save it in F32",
            )
        dtype = np.dtype(_DTYPES[entry.dtype])
        if entry.end - entry.begin != math.prod(entry.shape) * dtype.itemsize:
            raise BasisFileError(
                f"{self._path} is damaged: {name!r} is not as large as its shape {list(entry.shape)} says"
            )
        check_numbers(self._path, name, entry.shape, dtype.itemsize, text=False)
        self._file.seek(self._start + entry.begin)
        content = self._file.read(entry.end - entry.begin)
        if len(content) < entry.end - entry.begin:
            raise EOFError(f"{name!r} is cut short")
        array = np.frombuffer(content, dtype).reshape(entry.shape)
        if entry.dtype == _BFLOAT16:
            return (array.astype("<u4") << 16).view("<f4")
        return array

    def _entry(self, name: str, entry: Any, size: int) -> _Entry:
        found = entry if isinstance(entry, dict) else {}
        dtype, shape, offsets = (found.get(key) for key in ("dtype", "shape", "data_offsets"))
        whole = [*(shape if isinstance(shape, list) else [None])]
        whole += offsets if isinstance(offsets, list) and len(offsets) == 2 else [None]
        if not isinstance(dtype, str) or not all(type(number) is int and number >= 0 for number in whole):
            raise BasisFileError(f"{self._path} is damaged: its header does not say what {name!r} is")
        begin, end = whole[-2:]
        if not begin <= end <= size:
            raise BasisFileError(f"{self._path} is damaged: {name!r} lies outside the file")
        return _Entry(dtype, tuple(whole[:-2]), begin, end)
