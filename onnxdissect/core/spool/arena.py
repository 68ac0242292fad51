"""Memory for the sparse maps that a pass keeps."""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.sparse_maps import SparseMaps

__all__ = ["Arena", "pages"]

_Kind = TypeVar("_Kind", np.int64, np.int32, np.unsignedinteger, np.float32)


class Arena:
    """Copies of sparse maps, side by side in large pieces of memory.

    A piece goes back to the system when nothing in it is held any more. To ask the system for large pieces is
    much cheaper than to ask for every array.

    Parameters
    ----------
    piece : int
        Bytes asked for at a time, at least.
    """

    def __init__(self, piece: int = 16 * 2**20) -> None:
        self._piece = piece
        self._free: NDArray[np.uint8] = np.empty(0, np.uint8)

    def take_in(self, sparse_maps: SparseMaps) -> SparseMaps:
        """Copy sparse maps into this memory.

        Parameters
        ----------
        sparse_maps : SparseMaps

        Returns
        -------
        SparseMaps
        """
        return SparseMaps(
            shape=sparse_maps.shape,
            image_starts=self._copy(sparse_maps.image_starts),
            units=self._copy(sparse_maps.units),
            starts=self._copy(sparse_maps.starts),
            cells=self._copy(sparse_maps.cells),
            values=self._copy(sparse_maps.values),
        )

    def _copy(self, array: NDArray[_Kind]) -> NDArray[_Kind]:
        if array.nbytes > self._free.size:
            self._free = pages(max(self._piece, array.nbytes))
        copy = self._free[: array.nbytes].view(array.dtype)
        copy[:] = array
        # The next array is to begin at a multiple of eight.
        self._free = self._free[-(-array.nbytes // 8) * 8 :]
        return copy


def pages(size: int) -> NDArray[np.uint8]:
    """Get memory straight from the system, in large pages where it has them.

    Memory from the C library that threads free again would stay with the process, in pieces too small to use.

    Parameters
    ----------
    size : int
        Bytes.

    Returns
    -------
    ndarray of uint8, shape (size,)
        Zeros. The system has the memory back once no view of it is left.
    """
    if size == 0:
        return np.empty(0, np.uint8)
    block = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # the system may not have them
            block.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(block, np.uint8)
