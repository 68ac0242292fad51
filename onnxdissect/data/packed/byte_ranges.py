"""What a packed file is read from, wherever it lies."""

from __future__ import annotations

from typing import Protocol

__all__ = ["ByteRanges"]


class ByteRanges(Protocol):
    """A file that is read by ranges of bytes, from many threads at once; pickled, it is opened anew."""

    @property
    def place(self) -> str:
        """Absolute path, or address."""
        ...

    @property
    def size(self) -> int:
        """Bytes of the file."""
        ...

    def read(self, offset: int, count: int) -> bytes | memoryview:
        """Read a range.

        Parameters
        ----------
        offset : int
            Where it begins.
        count : int
            Bytes.

        Returns
        -------
        bytes or memoryview
            All of them. Not to be written to.

        Raises
        ------
        DataError
            If they cannot be read, such as those of a file that was cut short since it was opened.
        """
        ...
