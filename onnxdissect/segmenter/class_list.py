"""What the classes of a segmenter are called: a text with a name a line, or rows of index and name."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxdissect.data.broden.tables import MOST_LISTED
from onnxdissect.data.broden.writer import check_category
from onnxdissect.data.limits import MOST_TABLE_BYTES
from onnxdissect.data.vocabulary import HIGHEST_NUMBER, has_control
from onnxdissect.errors import DataFormatError, DataNotFoundError, shown, shown_path
from onnxdissect.storage.numerals import whole_number
from onnxdissect.storage.regular_files import is_file, read_regular_file

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
    if not is_file(path):
        raise DataNotFoundError(
            f"there is no list of classes {shown_path(path)}",
            hint="classes=FILE names a text with the name of a class in each line, or a .csv of index,name",
        )
    text = _text(path)
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


def _text(path: Path) -> str:
    try:
        text = read_regular_file(path, MOST_TABLE_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise DataFormatError(f"cannot read {shown_path(path)}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{shown_path(path)} is not UTF-8 text", hint="save it as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def _of_lines(path: Path, lines: Sequence[str]) -> _Named:
    for line, name in enumerate(lines, 1):
        if not name.strip():
            raise DataFormatError(
                f"{shown_path(path)}, line {line}, is empty: it should name class {line - 1}",
                hint="each line names a class, the first class 0; remove what is no name",
            )
    return [(line, composed(name), "") for line, name in enumerate(lines, 1)]


def _of_table(path: Path, text: str) -> _Named:
    columns: Mapping[str, int] = {"index": 0, "name": 1, "category": 2}
    found: dict[int, tuple[int, str, str]] = {}
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for number, row in enumerate(reader):
            cells = [cell.strip() for cell in row]
            if number == 0 and "index" in cells:
                columns = _columns(path, cells)
            elif any(cells):
                index, name, category = _class(path, reader.line_num, cells, columns)
                if index in found:
                    raise DataFormatError(
                        f"{shown_path(path)}, line {reader.line_num}: class {index} is there already, in "
                        f"line {found[index][0]}"
                    )
                found[index] = (reader.line_num, name, category)
    except csv.Error as error:
        raise DataFormatError(
            f"{shown_path(path)}, line {reader.line_num}, is not readable as CSV: {error}"
        ) from error
    _check_gaps(path, found)
    return [found[index] for index in sorted(found)]


def _columns(path: Path, cells: Sequence[str]) -> Mapping[str, int]:
    columns = {name: at for at, name in enumerate(cells) if name}
    if "name" not in columns or len(columns) < sum(map(bool, cells)):
        raise DataFormatError(
            f"{shown_path(path)} has the columns {', '.join(map(shown, cells[:MOST_LISTED]))}; a table of "
            "classes has index, name and perhaps category, each once"
        )
    return columns


def _class(path: Path, line: int, cells: Sequence[str], columns: Mapping[str, int]) -> tuple[int, str, str]:
    def cell(column: str) -> str:
        at = columns.get(column, len(cells))
        return cells[at] if at < len(cells) else ""

    index = whole_number(cell("index"), most=HIGHEST_NUMBER)
    if index is None:
        raise DataFormatError(
            f"{shown_path(path)}, line {line}: an index is a whole number, 0 to {HIGHEST_NUMBER:,}, not "
            f"{shown(cell('index'))}",
            hint="a row is INDEX,NAME, perhaps with ,CATEGORY behind",
        )
    if not cell("name"):
        raise DataFormatError(
            f"{shown_path(path)}, line {line}: class {index} has no name",
            hint="give it one; ignore= leaves the pixels of a class unlabelled",
        )
    if cell("category"):
        check_category(cell("category"))
    return index, composed(cell("name")), cell("category")


def _check_gaps(path: Path, found: Mapping[int, object]) -> None:
    missing = sorted(set(range(max(found, default=-1) + 1)) - set(found))
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
