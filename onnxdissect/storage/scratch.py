"""Arrays that are written here and there and seldom read: in a file without a name, not in memory."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["ScratchFile"]


class ScratchFile:
    """Gives arrays of zeros that lie in files of a folder; nothing of them stays when they are gone.

    Parameters
    ----------
    folder : Path
        Where they are. Must exist.

    Attributes
    ----------
    nbytes : int
        Of all arrays that lie in files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._maps: list[mmap.mmap] = []
        self.nbytes = 0

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Make an array.

        Parameters
        ----------
        shape : tuple of int
        dtype : dtype

        Returns
        -------
        ndarray
            In memory where the file system has no room for it, or it is empty.
        """
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        if not size:
            return np.zeros(shape, dtype)
        try:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                # Room is taken now: a page that finds none later on would end the process.
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, size)
                else:
                    _fill(file.fileno(), size)
                mapped = mmap.mmap(file.fileno(), size)
        except OSError:
            return np.zeros(shape, dtype)
        self._maps.append(mapped)
        self.nbytes += size
        return np.frombuffer(mapped, dtype).reshape(shape)

    def release(self) -> None:
        """Let the system take the memory of all arrays; they keep what they hold."""
        if hasattr(mmap, "MADV_DONTNEED"):
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED)


def _fill(descriptor: int, size: int) -> None:
    block = bytes(2**20)
    while size > 0:
        size -= os.write(descriptor, block[: min(size, len(block))])
