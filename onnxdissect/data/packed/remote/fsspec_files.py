"""Files of whatever file system fsspec knows, such as object stores."""

from __future__ import annotations

from typing import Any

from onnxdissect.data.broden.about import one_line
from onnxdissect.errors import DataError, DataNotFoundError, InstallationError, nearest, shown_path
from onnxdissect.libraries import raise_interrupt
from onnxdissect.storage.memory import raise_memory_error

__all__ = ["FsspecFetcher"]


class FsspecFetcher:
    """Fetches from a file by fsspec.

    Parameters
    ----------
    address : str
        As fsspec takes it.

    Attributes
    ----------
    size : int
        Bytes of the file.

    Raises
    ------
    DataNotFoundError
        If there is no such file, or fsspec knows no such addresses.
    DataError
        If it cannot be read.
    InstallationError
        If fsspec, or what it needs for such addresses, is not installed.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        fsspec = _import_fsspec(address)
        scheme = address.partition("://")[0].rpartition("::")[2]
        known = tuple(fsspec.available_protocols())
        if scheme not in known:
            raise DataNotFoundError(
                f"{shown_path(address)}: fsspec knows no addresses that begin with {scheme}://",
                candidates=[f"{name}://" for name in nearest(scheme, known)],
                hint="a data set is a folder, a packed file, an address of one, or a source",
            )
        try:
            self._files, self._path = fsspec.core.url_to_fs(address)
            self.size = int(self._files.size(self._path))
        except ImportError as error:
            raise_interrupt(error)
            raise InstallationError(
                f"{shown_path(address)} needs a library that is not installed, or does not load: {error}",
                hint=f"pip install {_LIBRARIES.get(scheme, f'what fsspec needs for {scheme}://')}",
            ) from error
        except Exception as error:  # whatever a foreign file system does
            raise self._told(error) from error

    def fetch(self, offset: int, count: int) -> bytes:
        """Fetch a range; see `Fetcher`.

        Parameters
        ----------
        offset, count : int

        Returns
        -------
        bytes

        Raises
        ------
        DataError
            If it is not to be had.
        """
        try:
            content = bytes(self._files.cat_file(self._path, start=offset, end=offset + count))
        except Exception as error:  # whatever a foreign file system does
            raise self._told(error) from error
        if len(content) != count:
            raise DataError(
                f"{shown_path(self._address)} was changed while it was read: of {count:,} bytes it gives "
                f"{len(content):,}"
            )
        return content

    def _told(self, error: Exception) -> DataError:
        raise_memory_error(error)
        place = shown_path(self._address)
        if isinstance(error, FileNotFoundError):
            return DataNotFoundError(f"there is no {place}")
        return DataError(f"cannot read {place}: {type(error).__name__}: {one_line(str(error))}")


_LIBRARIES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}


def _import_fsspec(address: str) -> Any:
    try:
        import fsspec
        import fsspec.core
    except ImportError as error:
        raise_interrupt(error)
        raise InstallationError(
            f"{shown_path(address)} is read by fsspec, which is not installed, or does not load: {error}",
            hint='pip install "onnxdissect[remote]", and what fsspec needs for such addresses: s3fs for s3://',
        ) from error
    return fsspec
