"""How much memory there is, and what is said where it does not suffice."""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Iterator
from pathlib import Path

from onnxdissect.errors import OutOfMemoryError

__all__ = ["explained_memory", "memory_limit", "raise_memory_error", "trim_memory"]

_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
# OpenCV's own number for it; its errors are of a class of the module's.
_CV2_NO_MEMORY = -4
# Python's own words where the system has no room for the stack of a thread.
_NO_THREAD = "can't start new thread"
# What stands for no limit in control groups of the first kind.
_NO_LIMIT = 1 << 60
_RUN_WITH_LESS = "a smaller --batch-size or --image-size, fewer layers or fewer --workers take less"


def memory_limit() -> int | None:
    """Tell how much memory this process may use.

    Returns
    -------
    int or None
        Bytes: the memory of the machine, or less where a container or ``ulimit -v`` allows less. None where
        the system does not tell.
    """
    found = [*_machine(), *_containers(), *_process()]
    return min(found, default=None)


def trim_memory() -> None:
    """Give the system back what lies free between pieces of memory in use.

    glibc keeps arrays of up to 32 MiB in one heap and gives back its end alone: after the matrices of wide
    bases, a run would go on with as much that nobody uses. Elsewhere nothing is done.
    """
    if sys.platform != "linux":
        return
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _machine() -> Iterator[int]:
    import os

    with contextlib.suppress(AttributeError, ValueError, OSError):
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _containers() -> Iterator[int]:
    for name in _CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):
            limit = int((_CGROUP / name).read_text(encoding="ascii"))  # "max" where there is none
            if limit < _NO_LIMIT:
                yield limit


def _process() -> Iterator[int]:
    if sys.platform == "win32":
        return
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        yield limit


@contextlib.contextmanager
def explained_memory(hint: str = _RUN_WITH_LESS) -> Iterator[None]:
    """Turn a lack of memory in the body, or in the decorated function, into an error that a user can act on.

    Python has a `MemoryError` for it; the system, OpenCV and threads have others.

    Parameters
    ----------
    hint : str
        What to do; by default what lets a run take less.

    Raises
    ------
    OutOfMemoryError
        With how much was asked for, where that is known, and how much there is.
    """
    try:
        yield
    except Exception as error:
        if not _is_memory_error(error):
            raise
        said = error.strerror if isinstance(error, OSError) else str(error).strip()
        asked = said or "more was asked for than is left"
        limit = memory_limit()
        told = "" if limit is None else f"; this process may use {limit / 2**30:.1f} GiB"
        raise OutOfMemoryError(f"there is not enough memory: {asked}{told}", hint=hint) from error


def raise_memory_error(error: BaseException) -> None:
    """Raise a lack of memory again that an error came of, which is no fault of what was read or called.

    Parameters
    ----------
    error : exception
        Of any kind: libraries wrap what they meet in errors of their own.

    Raises
    ------
    MemoryError
        If it is one, or one is among what it was raised from.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            raise cause
        cause = cause.__cause__ or cause.__context__


def _is_memory_error(error: Exception) -> bool:
    if isinstance(error, OSError):  # processes that cannot be started, files that cannot be mapped
        return error.errno == errno.ENOMEM
    if isinstance(error, RuntimeError) and str(error).startswith(_NO_THREAD):
        return True
    return isinstance(error, MemoryError) or (
        type(error).__module__ == "cv2" and getattr(error, "code", None) == _CV2_NO_MEMORY
    )
