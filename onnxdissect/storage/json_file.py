"""Reading JSON that somebody else wrote: bounded in size, depth and numbers, no name twice, no half texts.

And writing it such that names of files come back as they were, and that a terminal obeys nothing in them.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from onnxdissect.storage.fields import FieldError, shown
from onnxdissect.storage.regular_files import read_regular_file

__all__ = ["UNSEEN", "json_bytes", "json_text", "parse_json", "read_json"]

_DEEPEST = 60
_DEEP = f"it is nested more than {_DEEPEST} levels deep"
_MOST = 2**63
_DIGITS = len(str(_MOST))
# The second halves from DC80 on are how Python spells bytes of a file's name that are no UTF-8.
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_ANY_HALF = re.compile("[\ud800-\udfff]")
UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
"""What is not seen, by Unicode's categories of control, format and separation: a terminal obeys some of it,
and some turns the order of what is read. JSON escapes only that of ASCII by itself, and not all of it."""


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
    return f"{_escaped(text)}\n".encode()


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Write JSON as people read it, in which a terminal obeys nothing.

    Parameters
    ----------
    value : object
    indent : int, optional
        As `json.dumps`.

    Returns
    -------
    str
        Letters of all scripts as they are; what is not seen, such as characters that a terminal obeys or that
        turn the direction of writing, as escapes: programs read the same value.
    """
    return _escaped(json.dumps(value, indent=indent, ensure_ascii=False))


def _escaped(text: str) -> str:
    # outside of texts JSON has none of them
    return UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text) if UNSEEN.search(text) else text


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
