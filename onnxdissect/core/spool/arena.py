"""Memory for the sparse maps that a pass keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.spool.pages import PagePool

__all__ = ["Arena"]

_Kind = TypeVar("_Kind", bound=np.generic)


class Arena:
    """Copies of sparse maps, side by side in large pieces of memory.

    A piece is given back when nothing in it is held any more. To ask for large pieces is much cheaper than to
    ask for every array.

    Parameters
    ----------
    pages : PagePool, optional
        Where the pieces are from.
    piece : int
        Bytes asked for at a time, at least.
    """

    def __init__(self, pages: PagePool | None = None, piece: int = 4 * 2**20) -> None:
        self._pages = pages or PagePool()
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

    def concatenated(self, arrays: Sequence[NDArray[_Kind]]) -> NDArray[_Kind]:
        """Copy arrays of one axis into this memory, one behind the other.

        Parameters
        ----------
        arrays : sequence of ndarray
            At least one, all of one dtype.

        Returns
        -------
        ndarray
        """
        dtype = arrays[0].dtype
        size = sum(array.nbytes for array in arrays)
        if size > self._free.size:
            self._free = self._pages(max(self._piece, size))
        copy = self._free[:size].view(dtype)
        np.concatenate(arrays, out=copy)
        # The next array is to begin at a multiple of eight.
        self._free = self._free[-(-size // 8) * 8 :]
        return copy

    def _copy(self, array: NDArray[_Kind]) -> NDArray[_Kind]:
        return self.concatenated([array])
