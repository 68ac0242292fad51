"""Reading files that somebody else made: only regular ones, and no more of them than a stated limit.

A named pipe, a device or a socket in a file's place has no end, or never comes; a link may lead to one, or
out of the folder that it lies in. What is refused is a `RefusedFileError`, an `OSError` whose ``strerror``
says why in words, so that a reader which tells its users of an `OSError` tells them of this too.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["RefusedFileError", "open_regular_file", "read_regular_file"]

# Not to wait for the other end of a pipe, nor to become the terminal's process; unknown on Windows.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
_LEAST_READ = 1 << 16
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class RefusedFileError(OSError):
    """A file that is not read: none that ends, one above the limit, or one outside the folder.

    Parameters
    ----------
    reason : str
        Becomes the ``strerror``: ``"it is a named pipe, and only regular files are read"``.
    path : Path
        The file.
    """

    def __init__(self, reason: str, path: Path) -> None:
        super().__init__(errno.EINVAL, reason, str(path))


def read_regular_file(path: Path, limit: int, *, inside: Path | None = None) -> bytes:
    """Read a file whole.

    Parameters
    ----------
    path : Path
        The file. Links to it are followed.
    limit : int
        The most bytes that are read; a larger file is refused before any of it is.
    inside : Path, optional
        The folder that it has to lie in, once every link is followed; anywhere by default.

    Returns
    -------
    bytes

    Raises
    ------
    RefusedFileError
        If it is no regular file, is larger than the limit, or lies outside the folder.
    OSError
        If it cannot be read; `FileNotFoundError` if it is not there.
    """
    with open_regular_file(path, inside=inside) as file:
        descriptor = file.fileno()
        size = os.fstat(descriptor).st_size
        if size > limit:
            raise _too_large(path, size, limit)
        chunks: list[bytes] = []
        read = 0
        # One byte more than there should be: a file may have grown since, or tell no size, as those of /proc.
        while chunk := os.read(descriptor, max(size - read, _LEAST_READ) + 1):
            read += len(chunk)
            if read > limit:
                raise _too_large(path, read, limit)
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def open_regular_file(path: Path, *, inside: Path | None = None) -> BinaryIO:
    """Open a file for reading, by parts.

    Parameters
    ----------
    path : Path
        The file. Links to it are followed.
    inside : Path, optional
        The folder that it has to lie in, once every link is followed; anywhere by default.

    Returns
    -------
    binary file

    Raises
    ------
    RefusedFileError
        If it is no regular file, or lies outside the folder.
    OSError
        If it cannot be opened; `FileNotFoundError` if it is not there.
    """
    flags = _FLAGS
    wanted = os.fspath(path)
    try:
        if inside is not None:
            wanted = _followed(path, inside)
            flags |= getattr(os, "O_NOFOLLOW", 0)
        # Looked at before it is opened, as the mere opening of a device may do something; and after, as it
        # may be another by then.
        _require_regular(os.stat(wanted).st_mode, path)  # noqa: PTH116 - a plain text is quicker than a Path
        descriptor = os.open(wanted, flags)
    except ValueError as error:  # a NUL, or half of a surrogate pair
        raise RefusedFileError("no file can have this name", path) from error
    try:
        _require_regular(os.fstat(descriptor).st_mode, path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _followed(path: Path, inside: Path) -> str:
    """Where a path leads, or an error if that is not in the folder."""
    real, folder = os.path.realpath(path), os.path.realpath(inside)
    if real != folder and not real.startswith(folder.rstrip(os.sep) + os.sep):
        raise RefusedFileError(f"it leads out of {inside}, to {real}", path)
    return real


def _require_regular(mode: int, path: Path) -> None:
    if stat.S_ISREG(mode):
        return
    kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "something else")
    raise RefusedFileError(f"it is {kind}, and only regular files are read", path)


def _too_large(path: Path, size: int, limit: int) -> RefusedFileError:
    return RefusedFileError(f"it has {size:,} bytes or more; at most {limit:,} are read", path)
