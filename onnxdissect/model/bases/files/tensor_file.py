"""Files of arrays: opened by what is in them, whatever they are called."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from numpy.typing import NDArray

from onnxdissect.errors import BasisFileError, nearest, shown_path
from onnxdissect.model.bases.files.faults import DAMAGE, pickle_error
from onnxdissect.model.bases.files.numpy_file import NumpyArchive, NumpyArray
from onnxdissect.model.bases.files.safetensors_file import SafetensorsFile
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.regular_files import RefusedFileError, open_regular_file

__all__ = ["SUFFIXES", "TensorFile", "opened_tensors"]

SUFFIXES = (".npy", ".npz", ".safetensors")
"""Of the files that a basis is read from."""

_MOST_FILE_BYTES = 2**34
_HASH_BYTES = 2**20


class TensorFile(Protocol):
    """An open file of arrays.

    Attributes
    ----------
    shapes : mapping of str to tuple of int
        Of each array, by its name.
    texts : mapping of str to str
        What is said beside the arrays.
    """

    shapes: Mapping[str, tuple[int, ...]]
    texts: Mapping[str, str]

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


@contextlib.contextmanager
def opened_tensors(path: Path) -> Iterator[tuple[TensorFile, Callable[[], str]]]:
    """Open a file of arrays.

    Parameters
    ----------
    path : Path

    Yields
    ------
    file : TensorFile
    sha256 : callable
        Gives the SHA-256 of the whole file, which takes seconds for a large one.

    Raises
    ------
    BasisFileError
        If there is no such file, it is none of the three formats, damaged, or a pickle; also from the body,
        for what reading finds.
    OutOfMemoryError
        If there is too little memory for what is read.
    """
    try:
        with explained_memory(), _opened_file(path) as file:
            yield _opened(path, file), lambda: _sha256(file)
    except DAMAGE as error:
        raise BasisFileError(f"{path} is damaged or cannot be read: {error}") from error


def _opened_file(path: Path) -> BinaryIO:
    try:
        file = open_regular_file(path)
    except RefusedFileError as error:
        hint = f"a basis is read from a file: {', '.join(SUFFIXES)}"
        raise BasisFileError(f"{shown_path(path)} is not read: {error.strerror}", hint=hint) from error
    except OSError as error:
        there: list[str] = []
        with contextlib.suppress(OSError):
            there = [
                one.name for one in path.parent.iterdir() if one.suffix in SUFFIXES and one.name != path.name
            ]
        raise BasisFileError(
            f"no basis can be read from {shown_path(path)}: {error.strerror}",
            candidates=[str(path.with_name(name)) for name in nearest(path.name, there) if name != path.name],
        ) from error
    size = os.fstat(file.fileno()).st_size
    if size > _MOST_FILE_BYTES:
        file.close()
        raise BasisFileError(
            f"{path} has {size} bytes, where a file of at most {_MOST_FILE_BYTES} is read",
            hint="save the matrix alone",
        )
    return file


def _opened(path: Path, file: BinaryIO) -> TensorFile:
    begin = file.read(16)
    file.seek(0)
    if begin.startswith(b"\x93NUMPY"):
        return NumpyArray(path, file)
    if begin.startswith(b"PK"):
        return NumpyArchive(path, file)
    if begin[8:9] == b"{":
        return SafetensorsFile(path, file)
    # protocol 2 and later say so; earlier ones are text, which only the name tells
    if begin[:1] == b"\x80" or path.suffix.lower() in (".pkl", ".pickle", ".pt", ".pth"):
        raise pickle_error(path)
    raise BasisFileError(
        f"{path} is neither a .npy nor a .npz nor a .safetensors file: it begins with {begin[:8]!r}",
        hint="numpy.savez('basis.npz', matrix=...) writes one",
    )


def _sha256(file: BinaryIO) -> str:
    sha256 = hashlib.sha256()
    file.seek(0)
    while block := file.read(_HASH_BYTES):
        sha256.update(block)
    return sha256.hexdigest()
