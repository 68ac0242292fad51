"""Texts inside a SPEC, in which ``&``, ``?``, ``=`` and a few others have a meaning of their own."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from onnxdissect.errors import ParameterError, shown

__all__ = ["decoded", "encoded"]

_MEANING = re.compile(rb"[%&?=,\x00-\x1f\x7f-\xff]")
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")


def encoded(text: str, also: str = "") -> str:
    """Write a text so that it can stand in a SPEC.

    Parameters
    ----------
    text : str
        A path, or a name. Bytes that are no UTF-8 are surrogates in it, as in Python's paths.
    also : str
        Further characters that mean something where it is to stand.

    Returns
    -------
    str
        ASCII; what `decoded` takes back.
    """
    said = text.encode("utf-8", "surrogateescape")
    found = _MEANING.sub(lambda match: b"%%%02X" % match[0][0], said).decode("ascii")
    for letter in also:
        found = found.replace(letter, f"%{ord(letter):02X}")
    return found


def decoded(text: str) -> str:
    """Read a text that stands in a SPEC.

    Parameters
    ----------
    text : str
        With ``%26`` in place of ``&`` and so on; other characters as they are.

    Returns
    -------
    str

    Raises
    ------
    ParameterError
        If a percent sign is not followed by two hexadecimal digits.
    """
    broken = _BROKEN.search(text)
    if broken is not None:
        raise ParameterError(
            f"{shown(text)} has a percent sign without two hexadecimal digits behind it",
            hint="%25 is the sign itself, %26 is &, %3F is ?, %3D is =, %2C is a comma",
        )
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
