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

__all__ = [
    "Enclosure",
    "OutsideError",
    "RefusedFileError",
    "is_file",
    "is_folder",
    "kind_of_file",
    "open_regular_file",
    "read_regular_file",
    "regular_size",
]

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
    path : str or Path
        The file.
    """

    def __init__(self, reason: str, path: str | Path) -> None:
        super().__init__(errno.EINVAL, reason, str(path))


class OutsideError(RefusedFileError):
    """A file that is not read since it lies outside the folder that it was looked for in."""


class Enclosure:
    """A folder that nothing which is read of it may lead out of.

    It remembers the folders that it has found inside, as nearly all files of a data set lie in a few. Links
    are looked at whenever they are followed. Several threads may ask at once.

    Parameters
    ----------
    folder : Path
        May be a link itself, to anywhere.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: set[str] = set()

    def follow(self, path: str) -> tuple[str, os.stat_result]:
        """Follow links, inside the folder.

        Parameters
        ----------
        path : str
            As it is asked for.

        Returns
        -------
        path : str
            No link; a folder on the way to it may be one, which stays inside.
        found : os.stat_result
            What lies there.

        Raises
        ------
        RefusedFileError
            If it leads out.
        OSError
            If there is nothing.
        """
        parent = os.path.dirname(path)  # noqa: PTH120 - a plain text is quicker than a Path
        if parent not in self._known:
            self._require_inside(path, os.path.realpath(parent))
            self._known.add(parent)
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            # Told as it is where the link goes in a ring or to nothing, before where it goes.
            found = os.stat(path)  # noqa: PTH116
            real = os.path.realpath(path)
            self._require_inside(path, real)
            return real, found
        return path, found

    def _require_inside(self, path: str, real: str) -> None:
        folder = os.path.realpath(self.folder)
        if real != folder and not real.startswith(folder.rstrip(os.sep) + os.sep):
            raise OutsideError(f"it leads out of {self.folder}, to {os.path.realpath(path)}", path)


def is_file(path: str | Path) -> bool:
    """Tell whether a regular file lies at a path, also of names that no file can have.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    bool
    """
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises where a name is too long


def is_folder(path: str | Path) -> bool:
    """Tell whether a folder lies at a path, also of names that no folder can have.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    bool
    """
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where a name is too long


def regular_size(path: str, inside: Enclosure | None = None) -> int:
    """Tell the size of a file.

    Parameters
    ----------
    path : str
        The file. Links to it are followed.
    inside : Enclosure, optional
        The folder that it has to lie in.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    RefusedFileError
        If it is no regular file, or lies outside the folder.
    OSError
        If it is not there.
    """
    found = os.stat(path) if inside is None else inside.follow(path)[1]  # noqa: PTH116
    _require_regular(found.st_mode, path)
    return found.st_size


def read_regular_file(path: str | Path, limit: int, *, inside: Path | Enclosure | None = None) -> bytes:
    """Read a file whole.

    Parameters
    ----------
    path : str or Path
        The file. Links to it are followed.
    limit : int
        The most bytes that are read; a larger file is refused before any of it is.
    inside : Path or Enclosure, optional
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
    # A data set is hundreds of thousands of small files: no object of Python's is made for each.
    descriptor, size = _descriptor(path, inside)
    try:
        if size > limit:
            raise _too_large(path, size, limit)
        chunks: list[bytes] = []
        read = 0
        # One byte more than there should be: a file may have grown since, or tell no size, as those of /proc.
        while chunk := os.read(descriptor, (size - read if read < size else _LEAST_READ) + 1):
            read += len(chunk)
            if read > limit:
                raise _too_large(path, read, limit)
            chunks.append(chunk)
            # A regular file gives less than it is asked for only at its end.
            if read == size:
                break
    finally:
        os.close(descriptor)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def open_regular_file(path: Path, *, inside: Path | Enclosure | None = None) -> BinaryIO:
    """Open a file for reading, by parts.

    Parameters
    ----------
    path : Path
        The file. Links to it are followed.
    inside : Path or Enclosure, optional
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
    descriptor, _ = _descriptor(path, inside)
    try:
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _descriptor(path: str | Path, inside: Path | Enclosure | None) -> tuple[int, int]:
    """Open a file, and give its descriptor and its size."""
    flags = _FLAGS
    wanted = os.fspath(path)
    try:
        # Looked at before it is opened, as the mere opening of a device may do something; and after, as it
        # may be another by then.
        if inside is None:
            found = os.stat(wanted)  # noqa: PTH116
        else:
            enclosure = inside if isinstance(inside, Enclosure) else Enclosure(inside)
            wanted, found = enclosure.follow(wanted)
            flags |= getattr(os, "O_NOFOLLOW", 0)
        _require_regular(found.st_mode, path)
        descriptor = os.open(wanted, flags)
    except ValueError as error:  # a NUL, or half of a surrogate pair
        raise RefusedFileError("no file can have this name", path) from error
    try:
        opened = os.fstat(descriptor)
        _require_regular(opened.st_mode, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, opened.st_size


def _require_regular(mode: int, path: str | Path) -> None:
    if stat.S_ISREG(mode):
        return
    raise RefusedFileError(f"it is {kind_of_file(mode)}, and only regular files are read", path)


def kind_of_file(mode: int) -> str:
    """Say what lies where no regular file does.

    Parameters
    ----------
    mode : int
        As `os.stat` gives it.

    Returns
    -------
    str
        Such as "a named pipe".
    """
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "something else")


def _too_large(path: str | Path, size: int, limit: int) -> RefusedFileError:
    return RefusedFileError(f"it has {size:,} bytes or more; at most {limit:,} are read", path)
