"""NumPy's own files: one array, or a zip file of several."""

from __future__ import annotations

import math
import os
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import BasisFileError
from onnxdissect.model.bases.files.faults import check_numbers, pickle_error

__all__ = ["NumpyArchive", "NumpyArray"]

_READ_BYTES = 2**20


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


class NumpyArray:
    """A ``.npy`` file: one array without a name, here ``matrix``.

    Parameters
    ----------
    path : Path
        For messages.
    file : binary file
        Open for reading.

    Attributes
    ----------
    shapes, texts
        As of `TensorFile`.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        header = _read_header(path, "the array", file, os.fstat(file.fileno()).st_size)
        self.shapes: Mapping[str, tuple[int, ...]] = {"matrix": header.shape}
        self.texts: Mapping[str, str] = {}

    def read(self, name: str) -> NDArray[Any]:
        """Read the array.

        Parameters
        ----------
        name : str
            ``matrix``.

        Returns
        -------
        ndarray
        """
        self._file.seek(0)
        size = os.fstat(self._file.fileno()).st_size
        return _read_array(self._path, "the array", self._file, size)


class NumpyArchive:
    """A ``.npz`` file.

    Parameters
    ----------
    path : Path
        For messages.
    file : binary file
        Open for reading.

    Attributes
    ----------
    shapes, texts
        As of `TensorFile`.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._archive = zipfile.ZipFile(file)
        entries = [entry for entry in self._archive.infolist() if not entry.is_dir()]
        if any(entry.filename.endswith(".pkl") for entry in entries):
            raise pickle_error(path)  # what torch.save writes is a zip file around a pickle
        other = [entry.filename for entry in entries if not entry.filename.endswith(".npy")]
        if other or not entries:
            found = f"the file {other[0]!r}" if other else "nothing"
            raise BasisFileError(
                f"{path} is a zip file that holds {found}, where a .npz holds arrays",
                hint="numpy.savez('basis.npz', matrix=...) writes one",
            )
        self._entries = {entry.filename.removesuffix(".npy"): entry for entry in entries}
        if len(self._entries) < len(entries):
            raise BasisFileError(f"{path} holds two arrays of one name")
        found_shapes = {}
        for name, entry in self._entries.items():
            with self._archive.open(entry) as member:
                found_shapes[name] = _read_header(path, name, member, entry.file_size).shape
        self.shapes: Mapping[str, tuple[int, ...]] = found_shapes
        self.texts: Mapping[str, str] = {}

    def read(self, name: str) -> NDArray[Any]:
        """Read an array.

        Parameters
        ----------
        name : str
            One of `shapes`.

        Returns
        -------
        ndarray
        """
        entry = self._entries[name]
        with self._archive.open(entry) as member:
            return _read_array(self._path, name, cast(BinaryIO, member), entry.file_size)


def _read_header(path: Path, name: str, file: Any, size: int) -> _Header:
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise BasisFileError(f"{name!r} in {path} has a header of version {version}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files that Python 2 wrote are read as well
        try:
            header = _Header(*readers[version](file))
        except ValueError as error:
            # NumPy's advice, to trust the file and let it hold pickles, is none for a file of somebody else
            said = str(error).split("\n")[0]
            reason = "it is longer than 10,000 characters" if "allow_pickle" in str(error) else said
            raise BasisFileError(
                f"{path} is damaged: the header of {name!r} cannot be read: {reason}"
            ) from error
    if header.dtype.hasobject:
        raise pickle_error(path)
    if any(length < 0 for length in header.shape):
        raise BasisFileError(f"{name!r} in {path} has the shape {list(header.shape)}")
    if file.tell() + math.prod(header.shape) * header.dtype.itemsize != size:
        raise BasisFileError(
            f"{path} is damaged: {name!r} is not as large as its shape {list(header.shape)} says"
        )
    return header


def _read_array(path: Path, name: str, file: BinaryIO, size: int) -> NDArray[Any]:
    header = _read_header(path, name, file, size)
    check_numbers(path, name, header.shape, header.dtype.itemsize, text=header.dtype.kind in "US")
    array = np.empty(math.prod(header.shape), header.dtype)
    content = memoryview(array.view(np.uint8).data if array.nbytes else b"")
    while content:
        block = file.read(min(_READ_BYTES, len(content)))
        if not block:
            raise EOFError(f"{name!r} is cut short")
        content[: len(block)] = block
        content = content[len(block) :]
    if header.fortran:
        return array.reshape(header.shape[::-1]).transpose()
    return array.reshape(header.shape)
