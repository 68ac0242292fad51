"""Memory for what a pass keeps."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.records import Records

__all__ = ["Room"]

_Kind = TypeVar("_Kind", np.int64, np.int32, np.unsignedinteger, np.float32)


class Room:
    """Copies of records, side by side in large pieces of memory.

    A piece goes back to the system when nothing in it is held any more. Asking for large pieces is much
    cheaper than asking for every array: the system hands out large pages then.

    Parameters
    ----------
    piece : int
        Bytes asked for at a time, at least.
    """

    def __init__(self, piece: int = 16 * 2**20) -> None:
        self._piece = piece
        self._free: NDArray[np.uint8] = np.empty(0, np.uint8)

    def take_in(self, records: Records) -> Records:
        """Copy records.

        Parameters
        ----------
        records : Records

        Returns
        -------
        Records
        """
        return Records(
            shape=records.shape,
            image_starts=self._copy(records.image_starts),
            units=self._copy(records.units),
            starts=self._copy(records.starts),
            cells=self._copy(records.cells),
            values=self._copy(records.values),
        )

    def _copy(self, array: NDArray[_Kind]) -> NDArray[_Kind]:
        if array.nbytes > self._free.size:
            self._free = np.empty(max(self._piece, array.nbytes), np.uint8)
        copy = self._free[: array.nbytes].view(array.dtype)
        copy[:] = array
        # The next array is to begin at a multiple of eight.
        self._free = self._free[-(-array.nbytes // 8) * 8 :]
        return copy
