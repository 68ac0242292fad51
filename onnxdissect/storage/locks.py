"""Locks between processes, on files; whoever holds one gives it back when it ends, however it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from onnxdissect.errors import OnnxDissectError, OutputError

__all__ = ["locked"]


@contextlib.contextmanager
def locked(path: Path, *, taken: OnnxDissectError | None = None) -> Iterator[None]:
    """Hold a lock while the body runs.

    The file stays when the lock is given back. On network file systems the lock holds between machines where
    the file system carries locks over, as NFS from version 4 on does.

    Parameters
    ----------
    path : Path
        The file; made if it is not there. Its folder exists.
    taken : OnnxDissectError, optional
        Raised if another process holds the lock. Without it, the lock is waited for.

    Raises
    ------
    OutputError
        If the file cannot be written, or the file system has no locks.
    """
    # Not for commands that lock nothing: it takes a twentieth of a second.
    from filelock import FileLock, Timeout

    if path.is_symlink() or (path.exists() and not path.is_file()):
        # What a link leads to would be emptied.
        raise OutputError(f"{path} cannot be locked: it is no file", hint=f"remove {path}")
    lock = FileLock(path, timeout=-1 if taken is None else 0)
    try:
        lock.acquire()
    except Timeout as error:
        if taken is None:
            raise
        raise taken from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            f"{path} cannot be locked: {reason}", hint="choose a folder that can be written, on a local disk"
        ) from error
    try:
        yield
    finally:
        lock.release()
