"""A packed file on this machine, mapped into memory."""

from __future__ import annotations

import mmap
from pathlib import Path
from threading import Lock

from onnxdissect.errors import DataFormatError, DataNotFoundError, shown_path
from onnxdissect.storage.regular_files import open_regular_file

__all__ = ["MappedFile"]


class MappedFile:
    """A file of this machine as `ByteRanges`; opened when it is first read.

    Parameters
    ----------
    path : Path
        A regular file, or a link to one.

    Attributes
    ----------
    place : str
        Its absolute path.

    Raises
    ------
    DataNotFoundError
        If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.place = str(path.absolute())
        self._lock = Lock()
        self._mapping = self._map()
        self.size = 0 if self._mapping is None else len(self._mapping)

    def __getstate__(self) -> tuple[str, int]:
        return self.place, self.size

    def __setstate__(self, state: tuple[str, int]) -> None:
        self.place, self.size = state
        self._lock = Lock()
        self._mapping = None

    def read(self, offset: int, count: int) -> memoryview:
        """Read a range; see `ByteRanges`.

        Parameters
        ----------
        offset, count : int

        Returns
        -------
        memoryview

        Raises
        ------
        DataError
            If the file is no longer there, or no longer so long.
        """
        if not count:
            return memoryview(b"")
        mapping = self._mapping
        if mapping is None:
            with self._lock:
                if self._mapping is None:
                    self._mapping = self._map()
                mapping = self._mapping
        # To read behind the end of a file that was cut short would end the process.
        now = 0 if mapping is None else min(mapping.size(), len(mapping))
        if mapping is None or now != self.size or offset + count > now:
            raise DataFormatError(
                f"{shown_path(self.place)} was changed while it was read: it has {now:,} bytes now, and had "
                f"{self.size:,}"
            )
        return memoryview(mapping)[offset : offset + count]

    def _map(self) -> mmap.mmap | None:
        """Map the file; an empty one cannot be."""
        try:
            with open_regular_file(Path(self.place)) as file:
                try:
                    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                except ValueError:
                    return None
        except OSError as error:
            raise DataNotFoundError(
                f"cannot read {shown_path(self.place)}: {error.strerror or error}"
            ) from error
