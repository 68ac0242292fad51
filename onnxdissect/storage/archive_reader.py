"""Reading the archives of a run: whatever is wrong with one is said, and nothing else comes out."""

from __future__ import annotations

import contextlib
import io
import math
import os
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
from onnxdissect.storage.fields import shown
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.regular_files import RefusedFileError, open_regular_file
from onnxdissect.storage.schema import VERSION, AxisLengths, ForeignArraysError, Schema

__all__ = ["ArchiveReader", "archive_fingerprint", "open_archive", "read_archive"]

# What damage to the zip file, to the header of an array and to its bytes is noticed by.
_DAMAGE = (
    *(OSError, ValueError, EOFError, KeyError, IndexError, RuntimeError, OverflowError, TypeError),
    *(AttributeError, zipfile.BadZipFile, zlib.error, struct.error, SyntaxError, tokenize.TokenError),
)
_READ_BYTES = 2**20
# Deflate makes a byte of no more than 1,032; what a member claims beyond that is not in it.
_MOST_INFLATED = 1032
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1
_LARGEST_VERSION = 1024


def read_archive(
    path: Path,
    schema: Schema,
    *,
    lengths: Mapping[str, int] | None = None,
    most: Mapping[str, int] | None = None,
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
    most : mapping of str to int, optional
        How long other axes may be, by letter: nothing larger is allocated.

    Returns
    -------
    dict of str to ndarray
        Without the optional ones that it lacks.

    Raises
    ------
    RunFormatError
        If the file is missing, damaged, of another version, or its arrays are not those of the schema.
    OutOfMemoryError
        If there is too little memory for an array.
    """
    with open_archive(path, schema, lengths=lengths, most=most) as archive:
        return {name: archive.read(name) for name in schema.arrays if name in archive}


@contextlib.contextmanager
def open_archive(
    path: Path,
    schema: Schema,
    *,
    lengths: Mapping[str, int] | None = None,
    most: Mapping[str, int] | None = None,
) -> Iterator[ArchiveReader]:
    """Open an archive whose arrays should not all be in memory at once.

    Parameters
    ----------
    path, schema, lengths, most
        As for `read_archive`.

    Yields
    ------
    ArchiveReader

    Raises
    ------
    RunFormatError, OutOfMemoryError
        As `read_archive`, also when an array is looked at.
    """
    with contextlib.ExitStack() as stack:
        with _faults(path, schema):
            file = stack.enter_context(open_regular_file(path, inside=path.parent))
            archive = stack.enter_context(zipfile.ZipFile(file))
            _check_members(archive, os.fstat(file.fileno()).st_size)
        axes = AxisLengths(lengths or {}, most or {})
        reader = stack.enter_context(contextlib.closing(ArchiveReader(path, schema, axes, archive)))
        reader.check_version()
        yield reader


def archive_fingerprint(path: Path) -> str | None:
    """Tell an archive apart from others, without reading its arrays.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str or None
        Eight hexadecimal digits: a CRC-32 of the names, sizes and checksums of the arrays, in the order of
        the names. Reading an array compares it with its checksum. None if there is no archive.
    """
    try:
        with open_regular_file(path, inside=path.parent) as file, zipfile.ZipFile(file) as archive:
            members = sorted((entry.filename, entry.file_size, entry.CRC) for entry in archive.infolist())
    except _DAMAGE:
        return None
    told = "".join(f"{name} {size} {checksum:08x}\n" for name, size, checksum in members)
    return f"{zlib.crc32(told.encode('utf-8', 'surrogateescape')):08x}"


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
                found = self._version()
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

    def _version(self) -> int:
        if self._sizes[f"{VERSION}.npy"] > _LARGEST_VERSION:
            raise ValueError(f"{VERSION} is no number")
        with self._archive.open(f"{VERSION}.npy") as file:
            content = cast(io.BufferedIOBase, file)
            shape, dtype = _header(VERSION, content)
            if shape != () or dtype.kind not in "iu":
                raise ValueError(f"{VERSION} is no number")
            return int(np.frombuffer(content.read(), dtype, count=1)[0])

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
            array = _allocated(name, member.dtype, shape)
            content = memoryview(array.reshape(-1).view(np.uint8).data if array.nbytes else b"")
            while content:
                got = member.file.readinto(content[:_READ_BYTES])
                if not got:
                    raise EOFError(f"{name} is cut short")
                content = content[got:]
        return array


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse what no archive of ours has: names twice, encryption, claims that the file cannot hold."""
    seen: set[str] = set()
    for entry in archive.infolist():
        if entry.filename in seen:
            raise ValueError(f"{shown(entry.filename)} is in it twice")
        seen.add(entry.filename)
        if entry.flag_bits & _ENCRYPTED:
            raise ValueError(f"{shown(entry.filename)} is encrypted")
        if entry.compress_type not in _METHODS:
            raise ValueError(f"{shown(entry.filename)} is compressed by method {entry.compress_type}")
        inflated = entry.compress_size * (1 if entry.compress_type == zipfile.ZIP_STORED else _MOST_INFLATED)
        if entry.compress_size > size or entry.file_size > inflated:
            raise ValueError(
                f"{shown(entry.filename)} claims {entry.file_size:,} bytes, stored in "
                f"{entry.compress_size:,} of a file of {size:,}"
            )


def _allocated(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        return np.empty(shape, dtype)
    except MemoryError as error:
        size = dtype.itemsize * math.prod(shape)
        raise MemoryError(f"{name} takes {size:,} bytes") from error


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
        with explained_memory("give the process more memory"):
            yield
    except FileNotFoundError as error:
        raise RunFormatError(f"{path} is missing", hint=schema.hint) from error
    except ForeignArraysError as error:
        raise RunFormatError(f"{path} does not belong to this run: {error}", hint=schema.hint) from error
    except RefusedFileError as error:
        raise RunFormatError(f"{path} cannot be read: {error.strerror}", hint=schema.hint) from error
    except _DAMAGE as error:
        raise RunFormatError(f"{path} is damaged: {error}", hint=schema.hint) from error
