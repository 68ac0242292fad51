"""Files of the web, fetched by ranges of bytes (RFC 9110, section 14)."""

from __future__ import annotations

import http.client
import re
import time
import urllib.error
import urllib.request

from onnxdissect.data.broden.about import one_line
from onnxdissect.errors import DataError, DataFormatError, DataNotFoundError, ParameterError, shown_path

__all__ = ["WebFetcher"]

_SECONDS = 60.0
# of waiting before another attempt; as many attempts, and one more
_PAUSES = (0.5, 2.0)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_MISSING = (404, 410)
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_PARTIAL = 206


class WebFetcher:
    """Fetches from a file of the web, with a connection for each range.

    Redirects are followed, though not from ``https`` to anything else. What breaks off, takes longer than a
    minute or is refused for the moment is tried three times.

    Parameters
    ----------
    address : str

    Attributes
    ----------
    size : int
        Bytes of the file.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    DataError
        If it cannot be fetched, or not by parts.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self.size = -1
        self.fetch(0, 1)

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
        for pause in (*_PAUSES, None):
            try:
                return self._attempt(offset, count)
            except ValueError as error:  # a port or a name of a host that there cannot be
                raise ParameterError(f"{shown_path(self._address)} cannot be asked for: {error}") from error
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, urllib.error.HTTPError):
                    error.close()
                if pause is None or not _passing(error):
                    raise self._told(error) from error
                time.sleep(pause)
        raise AssertionError

    def _attempt(self, offset: int, count: int) -> bytes:
        from onnxdissect import __version__

        asked = {
            "Range": f"bytes={offset}-{offset + count - 1}",
            # Compressed on the way, it would be another range.
            "Accept-Encoding": "identity",
            "User-Agent": f"onnxdissect/{__version__}",
        }
        request = urllib.request.Request(self._address, headers=asked)
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:
            self._check_answer(response, offset, count)
            content: bytes = response.read(count)
        if len(content) < count:
            raise http.client.IncompleteRead(content, count - len(content))
        return content

    def _check_answer(self, response: http.client.HTTPResponse, offset: int, count: int) -> None:
        place = shown_path(self._address)
        if self._address.lower().startswith("https:") and not response.url.lower().startswith("https:"):
            raise DataFormatError(f"{place} leads to {shown_path(response.url)}, which nobody vouches for")
        if response.status != _PARTIAL:
            raise DataFormatError(
                f"the server of {place} gives no parts of a file: it answers {response.status} to a range",
                hint="download the file, then --data FILE",
            )
        told = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if told is None or int(told[1]) != offset or int(told[2]) != offset + count - 1:
            raise DataFormatError(
                f"the server of {place} gives another range than bytes {offset}-{offset + count - 1}: "
                f"{shown_path(response.headers.get('Content-Range'))}",
                hint="download the file, then --data FILE",
            )
        size = int(told[3])
        if self.size not in (-1, size):
            raise DataFormatError(
                f"{place} was changed while it was read: it has {size:,} bytes now, and had {self.size:,}"
            )
        self.size = size

    def _told(self, error: Exception) -> DataError:
        place = shown_path(self._address)
        if isinstance(error, urllib.error.HTTPError):
            if error.code in _MISSING:
                return DataNotFoundError(f"there is no {place}: the server answers {error.code}")
            return DataError(
                f"cannot read {place}: the server answers {error.code} ({one_line(str(error.reason))})",
                hint="if it is not public, fsspec reads many places that ask who one is: s3://, gs://"
                if error.code in (401, 403)
                else None,
            )
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return DataError(
            f"cannot read {place}: {one_line(str(reason))}",
            hint="once it can be reached, the same command again",
        )


def _passing(error: Exception) -> bool:
    """Whether another attempt may do better."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _BUSY
    return not isinstance(error, http.client.InvalidURL)
