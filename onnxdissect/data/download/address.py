"""Addresses that are asked: http and https alone, wherever a server sends the request on to."""

from __future__ import annotations

from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from onnxdissect.errors import DownloadError, ParameterError, shown

__all__ = ["checked_address", "redirected", "shown_address"]

_SCHEMES = ("http", "https")
_EXAMPLE = "--from https://HOST/broden1_224.zip"
# what stands in addresses as it is; whatever else a server sends is written as bytes in hexadecimal
_AS_IT_IS = "%/:=&?~+!$,;'@()*[]"


def checked_address(text: str) -> str:
    """Refuse what is no address of a file on a server.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Without a fragment, blanks and letters beyond ASCII written in hexadecimal.

    Raises
    ------
    ParameterError
        If it is of another scheme than http and https, names no server, or holds a user's name.
    """
    parts = _split(text)
    if isinstance(parts, str):
        raise ParameterError(f"{shown(text, 200)} {parts}", hint=_EXAMPLE)
    return _joined(parts)


def redirected(address: str, location: str | None, began: str) -> str:
    """Follow a server that names another address.

    Parameters
    ----------
    address : str
        The one that was asked.
    location : str or None
        What the server sent as the other; may be relative.
    began : str
        The address that was asked first.

    Returns
    -------
    str

    Raises
    ------
    DownloadError
        If that is no address of http or https, or if what began encrypted would go on in the clear.
    """
    if not location:
        raise DownloadError(f"{shown_address(address)} says that the file has moved, and not where to")
    try:
        joined = urljoin(address, location.strip())
    except ValueError:
        joined = location
    parts = _split(joined)
    if isinstance(parts, str):
        raise DownloadError(
            f"{shown_address(address)} sends the request on to {shown(joined, 200)}, which {parts}"
        )
    if parts.scheme == "http" and urlsplit(began).scheme == "https":
        raise DownloadError(
            f"{shown_address(address)} sends the request on to {shown_address(joined)}: a download that "
            "began encrypted does not go on in the clear",
            hint="if you trust the network, --from that address",
        )
    return _joined(parts)


def shown_address(address: str) -> str:
    """Name an address in a message and in files: without its query, which may hold a key.

    Parameters
    ----------
    address : str

    Returns
    -------
    str
    """
    return address.partition("?")[0]


def _split(text: str) -> SplitResult | str:
    """Take an address apart, or say what is wrong with it."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"is no address: {error}"
    if parts.scheme not in _SCHEMES:
        return "is no address of http or https"
    if not host or not host.isprintable() or " " in host:
        return "names no server"
    if parts.username is not None or parts.password is not None:
        return "holds a user's name or password, which would be written down"
    return parts


def _joined(parts: SplitResult) -> str:
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    path, query = quote(parts.path or "/", _AS_IT_IS), quote(parts.query, _AS_IT_IS)
    return urlunsplit((parts.scheme, host, path, query, ""))
