"""Fetching a range of bytes of a file behind an address."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Fetcher"]


class Fetcher(Protocol):
    """Fetches from one file; called from several threads at once."""

    @property
    def size(self) -> int:
        """Bytes of the file."""
        ...

    def fetch(self, offset: int, count: int) -> bytes:
        """Fetch a range.

        Parameters
        ----------
        offset : int
            Where it begins.
        count : int
            Bytes, one at least; the file has all of them.

        Returns
        -------
        bytes
            All of them.

        Raises
        ------
        DataError
            If they are not to be had.
        """
        ...
