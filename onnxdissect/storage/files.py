"""Writing files so that a reader sees the whole of one or nothing: write beside, flush, rename into place.

An interrupted writer leaves at most a ``<name>.<token>.partial``, which no reader looks at.
"""

from __future__ import annotations

import contextlib
import csv
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import OutputError

__all__ = [
    "PARTIAL_SUFFIX",
    "make_folder",
    "replacing",
    "sweep_partial",
    "write_bytes",
    "write_csv",
    "write_npz",
    "write_text",
]

PARTIAL_SUFFIX = ".partial"
_ZIP_CREATED_ON_UNIX = 3
# Counts and masks are nearly all zeros: the fastest level already shrinks them tenfold.
_ZIP_LEVEL = 1
_ZIP64_FROM = 2**30
_COPY_BYTES = 2**20


def make_folder(folder: Path) -> Path:
    """Make a folder and the folders above it.

    Parameters
    ----------
    folder : Path
        May exist already.

    Returns
    -------
    Path
        The same folder.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {_reason(error)}") from error
    return folder


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under its name only when it is whole.

    Parameters
    ----------
    path : Path
        Where the file goes; one already there is replaced. Its folder must exist.

    Yields
    ------
    binary file
        Seekable, open for writing. If the body raises, nothing is left and the old file stays.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        try:
            with partial.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically.

    Parameters
    ----------
    path : Path
        Where the file goes; one already there is replaced.
    content : bytes
        All of it.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with replacing(path) as file:
        file.write(content)


def write_text(path: Path, content: str) -> None:
    """Write text atomically, in UTF-8 and with line ends as given.

    Parameters
    ----------
    path : Path
        Where the file goes; one already there is replaced.
    content : str
        All of it.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    write_bytes(path, content.encode("utf-8"))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table atomically, in UTF-8, with a header line and LF line ends.

    Parameters
    ----------
    path : Path
        Where the file goes; one already there is replaced.
    header : sequence of str
        Names of the columns.
    rows : iterable of sequences
        Floats keep the shortest form that reads back exactly, booleans are ``true`` and ``false``, None is
        an empty cell.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    lines = _Lines()
    # The writer quotes cells that hold a character of its line end, and readers stop at bare CRs as well.
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, "".join(f"{line.removesuffix(writer.dialect.lineterminator)}\n" for line in lines))


def write_npz(path: Path, arrays: Mapping[str, NDArray[np.generic] | Path], *, compress: bool = True) -> None:
    """Write arrays atomically as an ``.npz``; equal arrays give equal bytes.

    Parameters
    ----------
    path : Path
        Where the file goes; one already there is replaced.
    arrays : mapping of str to ndarray or Path
        Written in this order, C-contiguous. No object arrays. In place of an array that should not be in
        memory as a whole: a file with what `numpy.save` writes of it.
    compress : bool
        Smaller, but slow: not for what is soon replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with replacing(path) as file, zipfile.ZipFile(file, "w", method, compresslevel=_ZIP_LEVEL) as archive:
        for name, array in arrays.items():
            # Equal arrays give equal bytes whenever they are written: a name alone has the date of 1980.
            size = array.stat().st_size if isinstance(array, Path) else array.nbytes
            with archive.open(f"{name}.npy", "w", force_zip64=size > _ZIP64_FROM) as member:
                if isinstance(array, Path):
                    with array.open("rb") as held:
                        shutil.copyfileobj(held, member, _COPY_BYTES)
                else:
                    np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            entry = archive.getinfo(f"{name}.npy")
            entry.create_system = _ZIP_CREATED_ON_UNIX
            entry.external_attr = 0o644 << 16


def sweep_partial(folder: Path) -> None:
    """Remove what interrupted writers left in a folder; nobody else may be writing there.

    Parameters
    ----------
    folder : Path
        Only the files directly in it are looked at.
    """
    for leftover in folder.glob(f"*{PARTIAL_SUFFIX}"):
        with contextlib.suppress(OSError):
            leftover.unlink()


class _Lines(list[str]):
    write = list.append


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        return repr(float(value))
    return value


def _sync_folder(folder: Path) -> None:
    # The rename itself must survive a power cut; Windows cannot open folders and some file systems refuse.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
