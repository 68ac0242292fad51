"""Large pieces of memory from the system, used again."""

from __future__ import annotations

import mmap
import weakref
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

__all__ = ["PagePool"]

# What the system gives as one page where it has large ones; pieces are whole multiples of it.
_LARGE = 2 * 2**20
_IDLE = 64 * 2**20


class PagePool:
    """Pieces of memory, each of which comes back to be given out again once nothing looks at it any more.

    The system clears memory page by page before it hands it out, which costs more than to read a chunk from
    a file into it. And memory from the C library that threads free again would stay with the process, in
    pieces too small to use. Several threads may take pieces at once.

    Parameters
    ----------
    idle : int
        Bytes that wait to be used again at most; beyond it, what comes back goes to the system.
    """

    def __init__(self, idle: int = _IDLE) -> None:
        self._idle = idle
        # A piece may come back in the middle of anything, wherever Python finds that its last view is gone.
        # So there is no lock to wait for: to append to a list and to remove from it is one step for threads.
        self._free: list[mmap.mmap] = []

    def keep(self, idle: int = _IDLE) -> None:
        """From now on let so much memory wait at most, and give the system what waits beyond it.

        Parameters
        ----------
        idle : int
            Bytes.
        """
        self._idle = idle
        while sum(map(len, self._free)) > idle:
            # Another thread may have taken the last one meanwhile.
            with suppress(IndexError):
                self._free.pop()

    def __call__(self, size: int) -> NDArray[np.uint8]:
        """Get a piece of memory.

        Parameters
        ----------
        size : int
            Bytes.

        Returns
        -------
        ndarray of uint8, shape (size,)
            Aligned to pages, writable. Its content is of no use.

        Raises
        ------
        MemoryError
            If the system has not as much.
        """
        if size == 0:
            return np.empty(0, np.uint8)
        rounded = -(-size // _LARGE) * _LARGE
        piece = self._taken(rounded) or _mapped(rounded)
        whole = np.frombuffer(piece, np.uint8)
        # All views of an array refer to the array that looks at the memory itself, so it goes last.
        weakref.finalize(whole, self._give_back, piece).atexit = False
        return whole[:size]

    def _taken(self, size: int) -> mmap.mmap | None:
        """Take the smallest idle piece that is large enough, unless half of it would lie idle still."""
        for piece in sorted(self._free, key=len):
            if size <= len(piece) <= 2 * size:
                # Another thread may have taken it meanwhile.
                with suppress(ValueError):
                    self._free.remove(piece)
                    return piece
        return None

    def _give_back(self, piece: mmap.mmap) -> None:
        if sum(map(len, self._free)) + len(piece) <= self._idle:
            self._free.append(piece)


def _mapped(size: int) -> mmap.mmap:
    # Memory that processes could share, which is what the module maps by default, is never in large pages.
    flags = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    try:
        piece = mmap.mmap(-1, size, **flags)
    except OSError as error:
        raise MemoryError(f"Unable to map {size / 2**20:,.0f} MiB: {error.strerror}") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # the system may not have them
            piece.madvise(mmap.MADV_HUGEPAGE)
    return piece
