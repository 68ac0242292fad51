"""A packed file behind an address."""

from __future__ import annotations

import re
from threading import Lock

from onnxdissect.data.packed.remote.blocks import Blocks
from onnxdissect.data.packed.remote.fetcher import Fetcher
from onnxdissect.errors import DataFormatError, DataNotFoundError, ParameterError, shown_path

__all__ = ["RemoteFile", "open_fetcher"]

_WEB = re.compile("https?://", re.IGNORECASE)
_SECRET = re.compile(r"[^/?#]*://[^/?#]*:[^/?#]*@")


class RemoteFile:
    """A file behind an address as `ByteRanges`; asked for again where it is unpickled and first read.

    Parameters
    ----------
    address : str
        Such as ``https://...`` or ``s3://...``.

    Attributes
    ----------
    place : str
        The address.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    DataError
        If it cannot be read, or not by parts.
    ParameterError
        If the address holds a password.
    InstallationError
        If a library that reads such addresses is not installed.
    """

    def __init__(self, address: str) -> None:
        if _SECRET.match(address):
            raise ParameterError(
                f"the address {shown_path(_SECRET.sub('...@', address))} holds a password, and is recorded",
                hint="fsspec takes passwords from its own configuration; or download it, then --data FILE",
            )
        self.place = address
        self._lock = Lock()
        fetcher = open_fetcher(address)
        self.size = fetcher.size
        self._blocks: Blocks | None = Blocks(fetcher.fetch, self.size)

    def __getstate__(self) -> tuple[str, int]:
        return self.place, self.size

    def __setstate__(self, state: tuple[str, int]) -> None:
        self.place, self.size = state
        self._lock = Lock()
        self._blocks = None

    def read(self, offset: int, count: int) -> bytes:
        """Read a range; see `ByteRanges`.

        Parameters
        ----------
        offset, count : int

        Returns
        -------
        bytes

        Raises
        ------
        DataError
            If it cannot be fetched.
        """
        if not count:
            return b""
        if offset + count > self.size:
            raise DataFormatError(f"{shown_path(self.place)} ends before byte {offset + count:,}")
        return self._opened().read(offset, count)

    def _opened(self) -> Blocks:
        if self._blocks is None:
            with self._lock:
                if self._blocks is None:
                    fetcher = open_fetcher(self.place)
                    if fetcher.size != self.size:
                        raise DataFormatError(
                            f"{shown_path(self.place)} was changed while it was read: it has "
                            f"{fetcher.size:,} bytes now, and had {self.size:,}"
                        )
                    self._blocks = Blocks(fetcher.fetch, self.size)
        return self._blocks


def open_fetcher(address: str) -> Fetcher:
    """Find out how a file is fetched, and its size.

    Parameters
    ----------
    address : str

    Returns
    -------
    Fetcher

    Raises
    ------
    DataError, InstallationError
        As for `RemoteFile`.
    """
    fetcher: Fetcher
    if _WEB.match(address):
        from onnxdissect.data.packed.remote.web import WebFetcher

        fetcher = WebFetcher(address)
    else:
        from onnxdissect.data.packed.remote.fsspec_files import FsspecFetcher

        fetcher = FsspecFetcher(address)
    if fetcher.size < 1:
        raise DataNotFoundError(f"{shown_path(address)} is empty, and no packed data set")
    return fetcher
