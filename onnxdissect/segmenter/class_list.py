"""What the classes of a segmenter are called: a text with a name a line, or a table of index and name."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onnxdissect.data.broden.tables import MOST_LISTED, read_table, whole_cell
from onnxdissect.data.broden.writer import check_category
from onnxdissect.data.limits import MOST_TABLE_BYTES
from onnxdissect.data.vocabulary import HIGHEST_NUMBER, has_control
from onnxdissect.errors import DataFormatError, DataNotFoundError, shown, shown_path
from onnxdissect.storage.regular_files import is_file, read_regular_file

__all__ = ["ClassList", "read_class_list"]


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
        Ending in ``.csv``: a table with the columns ``index``, from 0, ``name`` and perhaps ``category``, in
        any order. Else a text with the name of a class in each line, the first being class 0.

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
    named = _of_table(path) if path.suffix.lower() == ".csv" else _of_lines(path)
    if not named:
        raise DataFormatError(f"{shown_path(path)} names no class", hint="it has a line for each class")
    if len(named) > HIGHEST_NUMBER:
        raise DataFormatError(
            f"{shown_path(path)} names {len(named):,} classes; label maps tell {HIGHEST_NUMBER:,} apart"
        )
    lines: dict[str, int] = {}
    for line, name, _ in named:
        if has_control(name):
            raise DataFormatError(f"{shown_path(path)}, line {line}: {shown(name)} cannot be a name")
        if name in lines:
            raise DataFormatError(
                f"{shown_path(path)}, line {line}: {shown(name)} is there already, in line {lines[name]}",
                hint="two classes of one name could not be told apart: give one of them another",
            )
        lines[name] = line
    return ClassList(path, tuple(name for _, name, _ in named), tuple(category for *_, category in named))


_Named = list[tuple[int, str, str]]
"""Line, name and category of each class, in the order of their numbers."""


def _of_lines(path: Path) -> _Named:
    try:
        text = read_regular_file(path, MOST_TABLE_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise DataFormatError(f"cannot read {shown_path(path)}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{shown_path(path)} is not UTF-8 text", hint="save it as UTF-8") from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    if lines == [""]:
        return []
    for line, name in enumerate(lines, 1):
        if not name.strip():
            raise DataFormatError(
                f"{shown_path(path)}, line {line}, is empty: it should name class {line - 1}",
                hint="each line names a class, the first class 0; remove what is no name",
            )
    return [(line, _composed(name), "") for line, name in enumerate(lines, 1)]


def _of_table(path: Path) -> _Named:
    table = read_table(path, ["index", "name"], most_rows=HIGHEST_NUMBER + 1)
    found: dict[int, tuple[int, str, str]] = {}
    for row in table.rows:
        index = whole_cell(table, row, "index", most=HIGHEST_NUMBER)
        line, cells = row
        if index in found:
            raise DataFormatError(
                f"{shown_path(path)}, line {line}: class {index} is there already, in line {found[index][0]}"
            )
        name = _composed(cells[table.columns["name"]])
        if not name:
            raise DataFormatError(
                f"{shown_path(path)}, line {line}: class {index} has no name",
                hint="give it one; ignore= leaves the pixels of a class unlabelled",
            )
        category = cells[table.columns["category"]].strip() if "category" in table.columns else ""
        if category:
            check_category(category)
        found[index] = (line, name, category)
    _check_gaps(path, found)
    return [found[index] for index in sorted(found)]


def _check_gaps(path: Path, found: Mapping[int, object]) -> None:
    missing = sorted(set(range(max(found, default=-1) + 1)) - set(found))
    if missing:
        told = ", ".join(map(str, missing[:MOST_LISTED])) + ", ..." * (len(missing) > MOST_LISTED)
        raise DataFormatError(
            f"{shown_path(path)} names classes up to {max(found)}, and not {told}",
            hint="every class that the segmenter tells apart has a row, from 0, also those to be ignored",
        )


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()
