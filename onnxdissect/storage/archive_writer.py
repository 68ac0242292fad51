"""Writing the archives of a run, as their schema says.

An archive is an ``.npz``: a zip file of arrays as `numpy.save` writes them, which `numpy.load` reads.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from onnxdissect.storage.files import PARTIAL_SUFFIX, replacing
from onnxdissect.storage.schema import VERSION, ArraySpec, AxisLengths, Schema

__all__ = ["ArchiveWriter", "write_archive", "writing_archive"]

_ZIP_CREATED_ON_UNIX = 3
# Counts and masks are nearly all zeros: the fastest level already shrinks them tenfold.
_ZIP_LEVEL = 1
_ZIP64_FROM = 2**30
_COPY_BYTES = 2**20


def write_archive(
    path: Path,
    schema: Schema,
    arrays: Mapping[str, NDArray[Any]],
    *,
    lengths: Mapping[str, int] | None = None,
    compress: bool = True,
) -> None:
    """Write arrays atomically, in the order of the schema; equal arrays give equal bytes.

    Parameters
    ----------
    path : Path
        Where the file goes; one already there is replaced.
    schema : Schema
    arrays : mapping of str to ndarray
        All that the schema names, but optional ones.
    lengths : mapping of str to int, optional
        AxisLengths of axes, by letter, that the shapes must agree with.
    compress : bool
        Smaller, but slow: not for what is soon replaced.

    Raises
    ------
    ValueError
        If the arrays are not those of the schema.
    OutputError
        If the file cannot be written.
    """
    with writing_archive(path, schema, lengths=lengths, compress=compress) as archive:
        for name in (*schema.arrays, *(name for name in arrays if name not in schema.arrays)):
            if name in arrays:
                archive.write(name, arrays[name])


@contextlib.contextmanager
def writing_archive(
    path: Path, schema: Schema, *, lengths: Mapping[str, int] | None = None, compress: bool = True
) -> Iterator[ArchiveWriter]:
    """Write an archive whose arrays should not all be in memory at once.

    Parameters
    ----------
    path, schema, lengths, compress
        As for `write_archive`.

    Yields
    ------
    ArchiveWriter
        The file appears under its name when the body has ended well.

    Raises
    ------
    ValueError
        As `write_archive`, also when an array is written.
    OutputError
        If the file cannot be written.
    """
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with (
        replacing(path) as file,
        zipfile.ZipFile(file, "w", method, compresslevel=_ZIP_LEVEL) as archive,
        contextlib.ExitStack() as stack,
    ):
        writer = ArchiveWriter(path, schema, AxisLengths(lengths or {}), archive, stack)
        yield writer
        writer.finish()


class ArchiveWriter:
    """An archive being written; made by `writing_archive`.

    Parameters
    ----------
    path : Path
        Of the archive.
    schema : Schema
    lengths : AxisLengths
    archive : ZipFile
        Open for writing.
    stack : ExitStack
        Closed after the archive is written or given up.
    """

    def __init__(
        self,
        path: Path,
        schema: Schema,
        lengths: AxisLengths,
        archive: zipfile.ZipFile,
        stack: contextlib.ExitStack,
    ) -> None:
        self._path, self._schema, self._lengths = path, schema, lengths
        self._archive, self._stack = archive, stack
        self._written: set[str] = set()
        self._growing: dict[str, _GrowingArray] = {}
        if schema.version is not None:
            self._write_whole(VERSION, np.array(schema.version, np.int64))

    def write(self, name: str, array: NDArray[Any]) -> None:
        """Write one array, C-contiguous, behind those already written.

        Parameters
        ----------
        name : str
            In the schema, and not written yet.
        array : ndarray

        Raises
        ------
        ValueError
            If it is not what the schema says.
        """
        self._check(name, array.dtype, array.shape)
        self._written.add(name)
        self._write_whole(name, array)

    def append(self, name: str, rows: NDArray[Any]) -> None:
        """Add rows to an array that grows along its first axis.

        The rows wait in a file beside the archive. Such arrays stand behind all others, in the order of the
        schema.

        Parameters
        ----------
        name : str
            In the schema, and not written.
        rows : ndarray
            Of one dtype and length of rows throughout.

        Raises
        ------
        ValueError
            If they are not what the schema says.
        """
        growing = self._growing.get(name)
        if growing is None:
            self._spec(name).check_kind(name, rows.dtype, rows.shape)
            held = self._path.with_name(f"{self._path.name}.{name.replace('/', '-')}{PARTIAL_SUFFIX}")
            growing = self._growing[name] = self._stack.enter_context(_growing(held, rows[:0]))
        growing.append(rows)

    def finish(self) -> None:
        """Write the arrays that have grown, and see that none is missing.

        Raises
        ------
        ValueError
            If one is missing.
        """
        for name in self._schema.arrays:
            growing = self._growing.get(name)
            if growing is None:
                continue
            self._check(name, growing.rows.dtype, growing.shape)
            self._written.add(name)
            with self._member(name, growing.nbytes) as member:
                header = np.lib.format.header_data_from_array_1_0(growing.rows)
                np.lib.format.write_array_header_1_0(member, header | {"shape": growing.shape})
                growing.copy_to(member)
        missing = [name for name in self._schema.required() if name not in self._written]
        if missing:
            raise ValueError(f"{self._path.name} lacks {', '.join(missing)}")

    def _spec(self, name: str) -> ArraySpec:
        if name not in self._schema.arrays or name in self._written:
            raise ValueError(f"{self._path.name} cannot take {name}: written already, or not in its schema")
        return self._schema.arrays[name]

    def _check(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self._lengths.check(name, self._spec(name), dtype, shape)

    def _write_whole(self, name: str, array: NDArray[Any]) -> None:
        with self._member(name, array.nbytes) as member:
            np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)

    @contextlib.contextmanager
    def _member(self, name: str, size: int) -> Iterator[BinaryIO]:
        # Equal arrays give equal bytes whenever they are written: a name alone has the date of 1980.
        with self._archive.open(f"{name}.npy", "w", force_zip64=size > _ZIP64_FROM) as member:
            yield cast(BinaryIO, member)
        entry = self._archive.getinfo(f"{name}.npy")
        entry.create_system = _ZIP_CREATED_ON_UNIX
        entry.external_attr = 0o644 << 16


class _GrowingArray:
    """Rows that have been gathered in a file."""

    def __init__(self, file: BinaryIO, rows: NDArray[Any]) -> None:
        self.rows = rows  # none of them; says dtype and length
        self._file = file
        self._count = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._count, *self.rows.shape[1:])

    @property
    def nbytes(self) -> int:
        return self.rows.itemsize * math.prod(self.shape)

    def append(self, rows: NDArray[Any]) -> None:
        if rows.dtype != self.rows.dtype or rows.shape[1:] != self.rows.shape[1:]:
            raise ValueError(f"rows of {rows.dtype}, shape {rows.shape}, after those of shape {self.shape}")
        self._file.write(np.ascontiguousarray(rows).data)
        self._count += len(rows)

    def copy_to(self, member: BinaryIO) -> None:
        self._file.seek(0)
        shutil.copyfileobj(self._file, member, _COPY_BYTES)


@contextlib.contextmanager
def _growing(held: Path, rows: NDArray[Any]) -> Iterator[_GrowingArray]:
    try:
        with held.open("w+b") as file:
            yield _GrowingArray(file, rows)
    finally:
        with contextlib.suppress(OSError):
            held.unlink()
