"""Writing files so that a reader sees the whole of one or nothing: write beside, flush, rename into place.

An interrupted writer leaves at most a ``<name>.<token>.partial``, which no reader looks at.
"""

from __future__ import annotations

import contextlib
import csv
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from onnxdissect.errors import OutputError
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.regular_files import kind_of_file

__all__ = [
    "PARTIAL_SUFFIX",
    "free_bytes",
    "held_names",
    "is_partial",
    "make_folder",
    "replacing",
    "sweep_partial",
    "utf8",
    "write_bytes",
    "write_csv",
    "write_output",
    "write_text",
]

PARTIAL_SUFFIX = ".partial"
# but those that stand for bytes
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_PARTIAL_NAME = re.compile(r".+\.[0-9a-f]{8}\.partial")


def held_names(folder: Path, kept: str) -> list[str]:
    """Name what lies in a folder that is to be written to, files that are only begun apart.

    Parameters
    ----------
    folder : Path
        Need not exist.
    kept : str
        What it is to keep, for the message: "a comparison is".

    Returns
    -------
    list of str
        Sorted; empty where there is no such folder.

    Raises
    ------
    OutputError
        If it is a file, or cannot be read.
    """
    try:
        return sorted(path.name for path in folder.iterdir() if not is_partial(path))
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise OutputError(f"{folder} is a file, and {kept} a folder", hint="--out DIR") from error
    except OSError as error:
        raise OutputError(f"{folder} cannot be read: {error.strerror}") from error


def make_folder(folder: Path, *, inside: Path | None = None) -> Path:
    """Make a folder and the folders above it.

    Parameters
    ----------
    folder : Path
        May exist already.
    inside : Path, optional
        A folder that it must not lead out of by a link: it is read by whoever follows none that does.

    Returns
    -------
    Path
        The same folder.

    Raises
    ------
    OutputError
        If it cannot be made, or leads out.
    """
    if inside is not None:
        place = Path(os.path.realpath(folder))
        if not place.is_relative_to(os.path.realpath(inside)):
            raise OutputError(
                f"{folder} leads out of {inside}, to {place}: nothing is written there",
                hint="remove the link that leads there, then the same command again",
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        blocking = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), folder)
        raise OutputError(
            f"cannot make the folder {folder}: {blocking} is there and is no folder",
            hint=f"move {blocking} away, then the same command again",
        ) from error
    except OSError as error:
        raise write_error(folder, error, doing=f"make the folder {folder}") from error
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
    written = 0
    _refuse_special(path)
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
                written = partial.stat().st_size
                partial.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error, written=written) from error


def write_output(path: Path, content: bytes) -> None:
    """Write bytes to where the user wants them: to a file, or into a terminal, a pipe or ``/dev/null``.

    Only for paths that the user names. Within a folder that somebody else may have filled, a link to a device
    is replaced, and nothing is written to what it leads to: see `write_bytes`.

    Parameters
    ----------
    path : Path
        A file already there is replaced; a terminal, a pipe or such a device stays what it is.
    content : bytes
        All of it.

    Raises
    ------
    OutputError
        If it cannot be written; a pipe that nobody reads is told at once, not waited for.
    """
    if not _takes_bytes(path):
        write_bytes(path, content)
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "wb") as file:
            if hasattr(os, "O_NONBLOCK"):
                os.set_blocking(descriptor, True)
            file.write(content)
    except OSError as error:
        raise write_error(path, error) from error


def _takes_bytes(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # nothing is there, or writing tells why nothing can be
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _refuse_special(path: Path) -> None:
    """Refuse what a file must not take the place of; links are no such thing."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
        raise OutputError(
            f"cannot write {path}: it is {kind_of_file(mode)}, and no file takes its place",
            hint="name another file, or remove this one",
        )


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
    """Write text atomically, as `utf8` encodes it and with line ends as given.

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
    write_bytes(path, utf8(content))


def utf8(text: str) -> bytes:
    """Encode a text that may hold names of files.

    Python spells the bytes of a name that it cannot decode as halves of surrogate pairs, which no encoding
    takes.

    Parameters
    ----------
    text : str

    Returns
    -------
    bytes
        In UTF-8: such bytes as what they are in UTF-8, and the replacement character (U+FFFD) for what is
        nothing in it.
    """
    text = _HALF.sub("\N{REPLACEMENT CHARACTER}", text)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode()


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


def free_bytes(path: Path) -> int:
    """Tell how much room is left on the disk that a path is on, or would be on.

    Parameters
    ----------
    path : Path
        Need not exist.

    Returns
    -------
    int
        Bytes.
    """
    absolute = path.absolute()
    return shutil.disk_usage(next(p for p in (absolute, *absolute.parents) if p.exists())).free


def is_partial(path: Path) -> bool:
    """Tell by its name whether a file is one that an interrupted writer left.

    Parameters
    ----------
    path : Path
        Need not exist.

    Returns
    -------
    bool
    """
    return _PARTIAL_NAME.fullmatch(path.name) is not None


def sweep_partial(folder: Path) -> None:
    """Remove what interrupted writers left in a folder; nobody else may be writing there.

    Parameters
    ----------
    folder : Path
        Only the files directly in it are looked at.
    """
    for leftover in filter(is_partial, folder.glob(f"*{PARTIAL_SUFFIX}")):
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
