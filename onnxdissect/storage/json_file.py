"""Reading JSON that somebody else wrote: bounded in size, depth and numbers, no name twice, no half texts.

And writing it such that names of files come back as they were.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from onnxdissect.storage.fields import FieldError, shown
from onnxdissect.storage.regular_files import read_regular_file

__all__ = ["json_bytes", "parse_json", "read_json"]

_DEEPEST = 60
_DEEP = f"it is nested more than {_DEEPEST} levels deep"
_MOST = 2**63
_DIGITS = len(str(_MOST))
# The second halves from DC80 on are how Python spells bytes of a file's name that are no UTF-8.
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_ANY_HALF = re.compile("[\ud800-\udfff]")


def read_json(path: Path, limit: int, *, inside: Path | None = None) -> Any:
    """Read a file of JSON.

    Parameters
    ----------
    path : Path
    limit : int
        The most bytes that are read.
    inside : Path, optional
        The folder that it has to lie in, once every link is followed; anywhere by default.

    Returns
    -------
    object
        Every number in it is finite and within 64 bits.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file, is larger than the limit, or lies outside the folder.
    ValueError
        As `parse_json`.
    """
    return parse_json(read_regular_file(path, limit, inside=inside))


def parse_json(content: bytes) -> Any:
    """Understand JSON in UTF-8.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    object
        Every number in it is finite and within 64 bits.

    Raises
    ------
    ValueError
        If it is no JSON, is nested too deep, names something twice in one record, or holds a number that is
        infinite, none, or of more digits than 64 bits hold, or a text with half of a surrogate pair that is
        no byte of a file's name; the place is named.
    """
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_Pairs, parse_int=_integer)
    except RecursionError:
        raise ValueError(_DEEP) from None
    return _understood(value, "", 0)


def json_bytes(value: Any, *, indent: int | None = None, separators: tuple[str, str] | None = None) -> bytes:
    """Write JSON in UTF-8.

    Parameters
    ----------
    value : object
        Numbers have to be finite.
    indent : int, optional
        As `json.dumps`.
    separators : tuple of str, optional
        As `json.dumps`.

    Returns
    -------
    bytes
        With a line end. All in ASCII where a text holds half of a surrogate pair, as names of files may: that
        has no other way to be written.
    """
    for ascii_only in (False, True):
        text = json.dumps(
            value, ensure_ascii=ascii_only, allow_nan=False, indent=indent, separators=separators
        )
        if not _ANY_HALF.search(text):
            break
    return f"{text}\n".encode()


class _Pairs(list[tuple[str, Any]]):
    """A record as it was written, with names that come twice."""


class _Digits(str):
    """A whole number that is too long."""


def _integer(text: str) -> int | _Digits:
    return int(text) if len(text) <= _DIGITS + 1 else _Digits(text)


def _understood(value: Any, place: str, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError(_DEEP)
    if isinstance(value, _Pairs):
        record: dict[str, Any] = {}
        for name, item in value:
            _understood(name, place, depth)
            inner = f"{place}.{name}" if place else name
            if name in record:
                raise FieldError(inner, "is there twice")
            record[name] = _understood(item, inner, depth + 1)
        return record
    if isinstance(value, list):
        return [_understood(item, f"{place}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, str) and not isinstance(value, _Digits):
        half = _HALF.search(value)
        if half:
            raise FieldError(place or "it", f"holds {half[0]!a}, half of a pair that makes a character")
        return value
    if isinstance(value, _Digits):
        raise FieldError(place or "it", f"is a number of {len(value.lstrip('-')):,} digits")
    if isinstance(value, float) and not math.isfinite(value):
        raise FieldError(place or "it", f"is {value}, which is no finite number")
    if isinstance(value, int) and not -_MOST <= value < _MOST:
        raise FieldError(place or "it", f"is {shown(value)}, which 64 bits do not hold")
    return value
