"""Disks that do not take a file: where it was to go, what is free there, and what helps."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from pathlib import Path

from onnxdissect.errors import OutputError

__all__ = ["file_system", "full_disk", "size_text", "write_error"]

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_SAVED = "what was saved is good"


def write_error(
    path: Path, error: OSError, *, doing: str | None = None, written: int = 0, kept: str = _SAVED
) -> OutputError:
    """Tell why something cannot be written.

    Parameters
    ----------
    path : Path
        Where it was to go; need not exist.
    error : OSError
        What the system said.
    doing : str, optional
        What was to be done; by default to write the path.
    written : int
        Bytes of it that were written before the disk was full.
    kept : str
        What may be relied on once there is room; by default that whatever was saved before is good.

    Returns
    -------
    OutputError
        To be raised. Where the disk is full it names the file system and what is free there; where a file
        may not be so large, how large it may be.
    """
    said = f"cannot {doing or f'write {path}'}: {error.strerror or error}"
    if error.errno == errno.EFBIG:
        return _too_large(said, path, written)
    if error.errno not in _FULL:
        return OutputError(said)
    mount, free = file_system(path)
    needs = f"more than {size_text(written)}" if written else "more room"
    left = "" if free is None else f", where {size_text(free)} are free"
    return OutputError(
        f"{said}; it needs {needs} on the file system {mount}{left}",
        hint=f"make room on {mount}, then the same command again: {kept}",
    )


def full_disk(error: BaseException) -> OSError | None:
    """Find what the system said of a full disk among what an error was raised from.

    Parameters
    ----------
    error : exception
        Such as one that `write_error` has given for one file of many.

    Returns
    -------
    OSError or None
        None if no disk was full.
    """
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno in _FULL):
        cause = cause.__cause__
    return cause


def _too_large(said: str, path: Path, written: int) -> OutputError:
    """Tell of a file that this process, or the file system, does not let grow so large."""
    limit = _largest_file()
    if limit is not None:
        return OutputError(
            f"{said}; it needs more than the {size_text(limit)} that this process may write into a file",
            hint="ulimit -f unlimited, then the same command again",
        )
    mount, _ = file_system(path)
    needs = f"a file of more than {size_text(written)}" if written else "a larger file"
    return OutputError(
        f"{said}; it needs {needs}, which the file system {mount} does not take",
        hint="choose a folder on another file system",
    )


def _largest_file() -> int | None:
    """Bytes that this process may write into a file; None if there is no limit."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def file_system(path: Path) -> tuple[Path, int | None]:
    """Find the file system that a path is on, or would be on.

    Parameters
    ----------
    path : Path
        Need not exist.

    Returns
    -------
    mount : Path
        Where it is mounted.
    free : int or None
        Bytes that may still be written there; None if the system does not say.
    """
    place = Path(os.path.realpath(path))
    place = next((folder for folder in (place, *place.parents) if folder.exists()), place)
    mount = next((folder for folder in (place, *place.parents) if os.path.ismount(folder)), place)
    free = None
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(place).free
    return mount, free


def size_text(size: int) -> str:
    """Write a number of bytes for people."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size / 2**10:,.1f} KiB"
