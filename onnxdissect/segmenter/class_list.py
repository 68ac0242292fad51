"""What the classes of a segmenter are called: a text with a name a line, or rows of index and name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from onnxdissect.data.broden.tables import MOST_LISTED
from onnxdissect.data.importers.reading.class_list import class_text, listed_classes
from onnxdissect.data.vocabulary import HIGHEST_NUMBER, has_control
from onnxdissect.errors import DataFormatError, shown, shown_path

__all__ = ["ClassList", "composed", "read_class_list"]

_ROW = re.compile(r"\s*[0-9]+\s*,")


@dataclass(frozen=True, slots=True)
class ClassList:
    """The classes of an output, in its order.

    Attributes
    ----------
    path : Path
        The file.
    names : tuple of str
        In Unicode's composed form; no two are alike.
    categories : tuple of str
        Of each class; "" where the file does not tell.
    """

    path: Path
    names: tuple[str, ...]
    categories: tuple[str, ...]


def read_class_list(path: Path) -> ClassList:
    """Read a list of classes.

    Parameters
    ----------
    path : Path
        A text with the name of a class in each line, the first being class 0. If it ends in ``.csv``, or
        every line begins with a number and a comma, a table: ``index``, from 0, ``name`` and perhaps
        ``category``, where a header may put these columns in another order.

    Returns
    -------
    ClassList

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    DataFormatError
        If a class has no name, two have the same, or numbers are left out or there twice.
    """
    text = class_text(path).replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    lines = text.split("\n") if text else []
    in_rows = path.suffix.lower() == ".csv" or (bool(lines) and all(map(_ROW.match, lines)))
    named = _of_table(path, text) if in_rows else _of_lines(path, lines)
    if not named:
        raise DataFormatError(f"{shown_path(path)} names no class", hint="it has a line for each class")
    if len(named) > HIGHEST_NUMBER:
        raise DataFormatError(
            f"{shown_path(path)} names {len(named):,} classes; label maps tell {HIGHEST_NUMBER:,} apart"
        )
    seen: dict[str, int] = {}
    for line, name, _ in named:
        if has_control(name):
            raise DataFormatError(f"{shown_path(path)}, line {line}: {shown(name)} cannot be a name")
        if name in seen:
            raise DataFormatError(
                f"{shown_path(path)}, line {line}: {shown(name)} is there already, in line {seen[name]}",
                hint="two classes of one name could not be told apart: give one of them another",
            )
        seen[name] = line
    return ClassList(path, tuple(name for _, name, _ in named), tuple(category for *_, category in named))


_Named = list[tuple[int, str, str]]
"""Line, name and category of each class, in the order of their numbers."""


def _of_lines(path: Path, lines: Sequence[str]) -> _Named:
    for line, name in enumerate(lines, 1):
        if not name.strip():
            raise DataFormatError(
                f"{shown_path(path)}, line {line}, is empty: it should name class {line - 1}",
                hint="each line names a class, the first class 0; remove what is no name",
            )
    return [(line, composed(name), "") for line, name in enumerate(lines, 1)]


def _of_table(path: Path, text: str) -> _Named:
    found: dict[int, tuple[int, str, str]] = {}
    for line, one in listed_classes(path, text):
        if one.index in found:
            raise DataFormatError(
                f"{shown_path(path)}, line {line}: class {one.index} is there already, in "
                f"line {found[one.index][0]}"
            )
        found[one.index] = (line, one.name, one.category)
    _check_gaps(path, found)
    return [found[index] for index in sorted(found)]


def _check_gaps(path: Path, found: Mapping[int, object]) -> None:
    # numbers may be large: no more of those between are made than are told
    absent = (number for number in range(max(found, default=-1) + 1) if number not in found)
    missing = list(islice(absent, MOST_LISTED + 1))
    if missing:
        told = ", ".join(map(str, missing[:MOST_LISTED])) + ", ..." * (len(missing) > MOST_LISTED)
        raise DataFormatError(
            f"{shown_path(path)} names classes up to {max(found)}, and not {told}",
            hint="every class that the segmenter tells apart has a row, from 0, also those to be ignored",
        )


def composed(name: str) -> str:
    """Write a name so that it is the same text however its letters and accents were typed.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        In Unicode's composed form, without blanks at its ends.
    """
    return unicodedata.normalize("NFC", name).strip()
