"""Reading the archives of a run: whatever is wrong with one is said, and nothing else comes out."""

from __future__ import annotations

import contextlib
import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError
from onnxdissect.storage.schema import VERSION, AxisLengths, ForeignArraysError, Schema

__all__ = ["ArchiveReader", "open_archive", "read_archive"]

# What damage to the zip file, to the header of an array and to its bytes is noticed by.
_DAMAGE = (
    *(OSError, ValueError, EOFError, KeyError, IndexError, RuntimeError, MemoryError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, struct.error, SyntaxError, tokenize.TokenError),
)
_READ_BYTES = 2**20


def read_archive(
    path: Path, schema: Schema, *, lengths: Mapping[str, int] | None = None
) -> dict[str, NDArray[Any]]:
    """Read the arrays of an archive.

    Parameters
    ----------
    path : Path
        The file.
    schema : Schema
        What it must hold.
    lengths : mapping of str to int, optional
        AxisLengths of axes, by letter, that the shapes must agree with.

    Returns
    -------
    dict of str to ndarray
        Without the optional ones that it lacks.

    Raises
    ------
    RunFormatError
        If the file is missing, damaged, of another version, or its arrays are not those of the schema.
    """
    with open_archive(path, schema, lengths=lengths) as archive:
        return {name: archive.read(name) for name in schema.arrays if name in archive}


@contextlib.contextmanager
def open_archive(
    path: Path, schema: Schema, *, lengths: Mapping[str, int] | None = None
) -> Iterator[ArchiveReader]:
    """Open an archive whose arrays should not all be in memory at once.

    Parameters
    ----------
    path, schema, lengths
        As for `read_archive`.

    Yields
    ------
    ArchiveReader

    Raises
    ------
    RunFormatError
        As `read_archive`, also when an array is looked at.
    """
    with _faults(path, schema):
        archive = zipfile.ZipFile(path)
    with (
        archive,
        contextlib.closing(ArchiveReader(path, schema, AxisLengths(lengths or {}), archive)) as reader,
    ):
        reader.check_version()
        yield reader


class ArchiveReader:
    """An open archive; made by `open_archive`. Arrays are looked at when they are asked for.

    Parameters
    ----------
    path : Path
        Of the archive.
    schema : Schema
    lengths : AxisLengths
    archive : ZipFile
        Open for reading.
    """

    def __init__(self, path: Path, schema: Schema, lengths: AxisLengths, archive: zipfile.ZipFile) -> None:
        self._path, self._schema, self._lengths, self._archive = path, schema, lengths, archive
        self._sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        self._opened: dict[str, _Member] = {}

    def __contains__(self, name: object) -> bool:
        return f"{name}.npy" in self._sizes

    def check_version(self) -> None:
        """See that the archive is of the version of the schema, and lacks nothing.

        Raises
        ------
        RunFormatError
            If not.
        """
        asked, found = self._schema.version, None
        with _faults(self._path, self._schema):
            if VERSION in self:
                with self._archive.open(f"{VERSION}.npy") as member:
                    found = int(np.lib.format.read_array(member, allow_pickle=False))
            if found == asked:
                missing = [name for name in self._schema.required() if name not in self]
                if missing:
                    raise ValueError(f"it lacks {', '.join(missing)}")
        if found != asked:
            told = ["none" if version is None else str(version) for version in (found, asked)]
            raise RunFormatError(
                f"{self._path} is of format version {told[0]}, this version of onnxdissect reads {told[1]}",
                hint=f"read it with the version that wrote it, or {self._schema.hint}",
            )

    def shape(self, name: str) -> tuple[int, ...]:
        """Give the shape of an array without reading it.

        Parameters
        ----------
        name : str

        Returns
        -------
        tuple of int

        Raises
        ------
        RunFormatError
            If the array is damaged or not that of the schema.
        """
        return self._open(name).shape

    def read(self, name: str) -> NDArray[Any]:
        """Read an array.

        Parameters
        ----------
        name : str
            No rows of it have been read.

        Returns
        -------
        ndarray

        Raises
        ------
        RunFormatError
            If the array is damaged or not that of the schema.
        """
        member = self._open(name)
        array = self._filled(name, member, member.shape)
        self._opened.pop(name).file.close()
        return array

    def next_rows(self, name: str, rows: int) -> NDArray[Any]:
        """Read the rows of an array that follow those already read.

        Parameters
        ----------
        name : str
        rows : int
            How many; there are as many left.

        Returns
        -------
        ndarray

        Raises
        ------
        RunFormatError
            If the array is damaged or not that of the schema.
        """
        member = self._open(name)
        return self._filled(name, member, (rows, *member.shape[1:]))

    def close(self) -> None:
        """Close the arrays that are being read."""
        for member in self._opened.values():
            member.file.close()

    def _open(self, name: str) -> _Member:
        if name not in self._opened:
            with _faults(self._path, self._schema), contextlib.ExitStack() as stack:
                file = cast(io.BufferedIOBase, stack.enter_context(self._archive.open(f"{name}.npy")))
                shape, dtype = _header(name, file)
                if file.tell() + dtype.itemsize * math.prod(shape) != self._sizes[f"{name}.npy"]:
                    raise ValueError(f"{name} is not as large as it says")
                self._lengths.check(name, self._schema.arrays[name], dtype, shape)
                stack.pop_all()
                self._opened[name] = _Member(file, dtype, shape)
        return self._opened[name]

    def _filled(self, name: str, member: _Member, shape: tuple[int, ...]) -> NDArray[Any]:
        with _faults(self._path, self._schema):
            array = np.empty(shape, member.dtype)
            content = memoryview(array.reshape(-1).view(np.uint8).data if array.nbytes else b"")
            while content:
                got = member.file.readinto(content[:_READ_BYTES])
                if not got:
                    raise EOFError(f"{name} is cut short")
                content = content[got:]
        return array


class _Member(NamedTuple):
    """An array of the archive whose header has been read."""

    file: io.BufferedIOBase
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def _header(name: str, member: io.BufferedIOBase) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    if version != (1, 0):
        raise ValueError(f"{name} has a header of version {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
    if fortran and sum(size > 1 for size in shape) > 1:
        raise ValueError(f"{name} is in Fortran order")
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects")
    return shape, dtype


@contextlib.contextmanager
def _faults(path: Path, schema: Schema) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise RunFormatError(f"{path} is missing", hint=schema.hint) from error
    except ForeignArraysError as error:
        raise RunFormatError(f"{path} does not belong to this run: {error}", hint=schema.hint) from error
    except _DAMAGE as error:
        raise RunFormatError(f"{path} is damaged: {error}", hint=schema.hint) from error
