"""Blocks of a file that is far away: kept for a while, and fetched ahead where they are read in order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

__all__ = ["BLOCK_BYTES", "HELD_BLOCKS", "Blocks"]

BLOCK_BYTES = 1 << 22
"""Fetched at once where images are read in order."""
HELD_BLOCKS = 16
"""Blocks in memory: workers that read in several places at once have two or three each."""
_FETCHING = 4  # threads, which mostly wait
# Read of a block piece by piece before it is fetched whole: a dozen images.
_PIECES = BLOCK_BYTES // 16
_MOST_COUNTED = 1024


class Blocks:
    """Reads ranges of bytes through blocks.

    What is read by itself, such as one image of many, is fetched as it is. Once so much of a block was read
    that images are rather read in order, it is fetched whole, and the next one ahead.

    Parameters
    ----------
    fetch : callable
        Fetches ``(offset, count)``; called from several threads at once.
    size : int
        Bytes of the file.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._lock = Lock()
        self._held: OrderedDict[int, Future[bytes]] = OrderedDict()
        # bytes of blocks that were fetched piece by piece
        self._pieces: OrderedDict[int, int] = OrderedDict()
        self._pool = ThreadPoolExecutor(_FETCHING, thread_name_prefix="onnxdissect-fetch")

    def read(self, offset: int, count: int) -> bytes:
        """Read a range.

        Parameters
        ----------
        offset : int
        count : int

        Returns
        -------
        bytes

        Raises
        ------
        DataError
            If it cannot be fetched; another attempt fetches again.
        """
        first, last = offset // BLOCK_BYTES, (offset + count - 1) // BLOCK_BYTES
        with self._lock:
            alone = first not in self._held and not self._often(first, count)
        if alone:
            return self._fetch(offset, count)
        # One after the other, as an image may be longer than all blocks that are held.
        parts = bytearray()
        for number in range(first, last + 1):
            block = self._block(number)
            begin = max(offset - number * BLOCK_BYTES, 0)
            parts += block[begin : offset + count - number * BLOCK_BYTES]
        return bytes(parts)

    def _often(self, number: int, count: int) -> bool:
        """Count what is read of a block piece by piece; whether that is much."""
        before = self._pieces.pop(number, 0)
        self._pieces[number] = before + count
        if len(self._pieces) > _MOST_COUNTED:
            self._pieces.popitem(last=False)
        return before >= _PIECES

    def _block(self, number: int) -> bytes:
        with self._lock:
            wanted = self._ask(number)
            if (number + 1) * BLOCK_BYTES < self._size:
                self._ask(number + 1)
                self._held.move_to_end(number)
            while len(self._held) > HELD_BLOCKS:
                self._held.popitem(last=False)
        return wanted.result()

    def _ask(self, number: int) -> Future[bytes]:
        held = self._held.get(number)
        # What could not be fetched ahead may be had by now.
        if held is None or (held.done() and held.exception() is not None):
            begin = number * BLOCK_BYTES
            count = min(BLOCK_BYTES, self._size - begin)
            held = self._held[number] = self._pool.submit(self._fetch, begin, count)
        self._held.move_to_end(number)
        return held
