"""One question to a server, and its answer: redirects followed, everything else left as it is answered."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onnxdissect import __version__
from onnxdissect.data.download.address import checked_address, redirected, shown_address
from onnxdissect.errors import DownloadError, shown
from onnxdissect.storage.numerals import whole_number

__all__ = ["BrokenOffError", "Reply", "ask"]

_MOST_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_DIGITS = 10**18
# gaierror is raised for names, the others where a server or the way to it is not there
_NOBODY = (socket.gaierror, ConnectionRefusedError)


class BrokenOffError(Exception):
    """A connection that ended, stalled or was never made, or a server that is busy: it may do better later.

    Parameters
    ----------
    reason : str
        Half a sentence.
    answered : bool
        Whether anybody was there.
    wait : int
        Seconds that the server asks to be left alone for.
    """

    def __init__(self, reason: str, *, answered: bool = True, wait: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.answered = answered
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, of which the file has not been read yet.

    Attributes
    ----------
    address : str
        Who answered in the end.
    status : int
    headers : mapping of str to str
        By name, whatever its case.
    """

    address: str
    status: int
    headers: Mapping[str, str]
    _response: http.client.HTTPResponse
    _seconds: float

    @property
    def length(self) -> int | None:
        """Bytes that are announced; None where nothing is, or what is no number."""
        if self.headers.get("Transfer-Encoding"):
            return None
        return whole_number(self.headers.get("Content-Length", ""), most=_MOST_DIGITS)

    def read(self, most: int) -> bytes:
        """Read what has come.

        Parameters
        ----------
        most : int
            Bytes.

        Returns
        -------
        bytes
            Empty at the end, also where that is before the announced one.

        Raises
        ------
        BrokenOffError
            If nothing comes any more.
        """
        with _broken_off(self.address, self._seconds):
            return self._response.read1(most)


@contextlib.contextmanager
def ask(address: str, headers: Mapping[str, str], seconds: float) -> Iterator[Reply]:
    """Ask for a file. Proxies are those of the environment, as other programs use them.

    Parameters
    ----------
    address : str
        Checked by `checked_address`.
    headers : mapping of str to str
        Beside those that every question has.
    seconds : float
        How long nothing may come.

    Yields
    ------
    Reply
        With any status but that of a redirect.

    Raises
    ------
    BrokenOffError
        If there is no answer.
    DownloadError
        If redirects lead somewhere else than to a server, in a circle, or on and on, or if the server cannot
        prove to be who it is.
    """
    own = {"User-Agent": f"onnxdissect/{__version__}", "Accept-Encoding": "identity", **headers}
    opener = _opener()
    asked = checked_address(address)
    seen = [asked]
    for _ in range(_MOST_REDIRECTS + 1):
        request = urllib.request.Request(asked, headers=own)
        with _broken_off(asked, seconds):
            response = opener.open(request, timeout=seconds)
        with response:
            if response.status not in _REDIRECTS:
                yield Reply(asked, response.status, response.headers, response, seconds)
                return
            asked = redirected(asked, response.headers.get("Location"), seen[0])
        if asked in seen:
            raise DownloadError(
                f"{shown_address(address)} leads in a circle: {shown_address(asked)} sends the request back"
            )
        seen.append(asked)
    raise DownloadError(
        f"{shown_address(address)} leads on and on: after {_MOST_REDIRECTS} addresses still to another, "
        f"{shown_address(asked)}"
    )


def _opener() -> urllib.request.OpenerDirector:
    """Make what knows http and https, and neither files nor what an answer means."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


@contextlib.contextmanager
def _broken_off(address: str, seconds: float) -> Iterator[None]:
    """Tell what the libraries raise as what it means."""
    host = shown_address(address)
    try:
        yield
    except urllib.error.URLError as error:
        reason = error.reason if isinstance(error.reason, Exception) else error
        raise _meaning(reason, host, seconds) from error
    except http.client.HTTPException as error:
        # what is cut short says so itself; anything else is no HTTP
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise BrokenOffError(f"the answer of {host} broke off ({shown(said)})") from error
    except OSError as error:
        raise _meaning(error, host, seconds) from error


def _meaning(error: Exception, host: str, seconds: float) -> Exception:
    if isinstance(error, TimeoutError):
        return BrokenOffError(f"nothing came from {host} for {seconds:g} s")
    if isinstance(error, ssl.SSLCertVerificationError):
        return DownloadError(f"{host} cannot prove to be who it is: {error.verify_message}")
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return BrokenOffError(f"no connection to {host}: {said}", answered=not isinstance(error, _NOBODY))
