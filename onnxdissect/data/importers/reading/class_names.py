"""Names of classes as a format has them, made names of concepts, and numbered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from onnxdissect.data.broden.table_writer import LabelEntry
from onnxdissect.data.importers.names import normal
from onnxdissect.data.vocabulary import HIGHEST_NUMBER, has_control
from onnxdissect.errors import DataFormatError, shown

__all__ = ["clean_name", "label_entries", "split_synonyms"]

_LONGEST = 200
# no file of UTF-8 holds them, and JSON may
_HALF = re.compile("[\ud800-\udfff]")


def clean_name(name: object, called: str) -> str:
    """Make a name of a class that of a concept.

    Parameters
    ----------
    name : object
        Anything that a file may hold.
    called : str
        Whose name it is, for messages.

    Returns
    -------
    str
        In Unicode's composed form, without blanks around it.

    Raises
    ------
    DataFormatError
        If it is no text, is empty, very long, or holds control characters or halves of surrogate pairs.
    """
    if not isinstance(name, str):
        raise DataFormatError(f"{called} has no name")
    cleaned = normal(name).strip()
    if not cleaned or has_control(cleaned) or len(cleaned) > _LONGEST or _HALF.search(cleaned):
        raise DataFormatError(
            f"{called} is called {shown(name)}, and no concept can be",
            hint=f"a name has 1 to {_LONGEST} characters on one line",
        )
    return cleaned


def split_synonyms(text: str, called: str) -> tuple[str, tuple[str, ...]]:
    """Split names between commas or semicolons: the first is the name, the others are synonyms.

    Parameters
    ----------
    text : str
        Such as "door, double door".
    called : str
        Whose names they are, for messages.

    Returns
    -------
    name : str
    synonyms : tuple of str
    """
    names = [part for part in (part.strip() for part in text.replace(";", ",").split(",")) if part] or [text]
    cleaned = [clean_name(name, called) for name in names]
    return cleaned[0], tuple(name for name in dict.fromkeys(cleaned) if name != cleaned[0])


def label_entries(
    names: Iterable[tuple[str, str]], synonyms: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[LabelEntry, ...]:
    """Give names numbers in the order in which they come, and one number to one of several categories.

    Parameters
    ----------
    names : iterable of (str, str)
        Name and category.
    synonyms : mapping of str to tuple of str, optional
        By name.

    Returns
    -------
    tuple of LabelEntry
        From 1 on.

    Raises
    ------
    DataFormatError
        If there are more than label maps can hold.
    """
    categories: dict[str, dict[str, None]] = {}
    for name, category in names:
        categories.setdefault(name, {})[category] = None
    if len(categories) > HIGHEST_NUMBER:
        raise DataFormatError(
            f"there are {len(categories):,} names of classes; label maps hold {HIGHEST_NUMBER:,}"
        )
    return tuple(
        LabelEntry(number, name, tuple(within), (synonyms or {}).get(name, ()))
        for number, (name, within) in enumerate(categories.items(), 1)
    )
