"""Lists of classes: which number or colour of a mask stands for what."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxdissect.data.broden.table_writer import LabelEntry
from onnxdissect.data.broden.tables import MOST_LISTED
from onnxdissect.data.broden.writer import check_category
from onnxdissect.data.importers.names import normal
from onnxdissect.data.limits import HIGHEST_INDEX, MOST_TABLE_BYTES
from onnxdissect.data.vocabulary import HIGHEST_NUMBER, has_control
from onnxdissect.errors import (
    DataFormatError,
    DataNotFoundError,
    EmptyDataError,
    ParameterError,
    shown,
    shown_path,
)
from onnxdissect.storage.numerals import whole_number
from onnxdissect.storage.regular_files import read_regular_file
from onnxdissect.wording import counted

__all__ = ["ClassList", "ListedClass", "class_text", "listed_classes", "parse_ignored", "read_class_list"]

Rgb = tuple[int, int, int]

_HEADER = {"index", "name", "category", "r", "g", "b"}
_EXAMPLE = (
    "a line is INDEX,NAME, perhaps with ,CATEGORY and ,R,G,B after it, such as 3,road,object,128,64,128"
)


@dataclass(frozen=True, slots=True)
class ListedClass:
    """A class.

    Attributes
    ----------
    index : int
        What its pixels hold in indexed masks.
    name : str
    category : str
        Empty for the one that is asked for.
    color : (int, int, int) or None
        What its pixels hold in RGB masks.
    """

    index: int
    name: str
    category: str = ""
    color: Rgb | None = None


@dataclass(frozen=True, slots=True)
class ClassList:
    """Classes, and numbers of labels for them.

    Attributes
    ----------
    classes : tuple of ListedClass
        Those of one name, in several categories, are one label.
    default : str
        Category of the classes that name none.
    source : str
        Where they are listed, for messages.
    """

    classes: tuple[ListedClass, ...]
    default: str
    source: str

    @property
    def categories(self) -> tuple[str, ...]:
        """As they first come."""
        return tuple(dict.fromkeys(one.category or self.default for one in self.classes))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The number of each class's label: from 1, as their names first come."""
        known: dict[str, int] = {}
        return tuple(known.setdefault(one.name, len(known) + 1) for one in self.classes)

    @property
    def labels(self) -> tuple[LabelEntry, ...]:
        """A label for each name, with all its categories."""
        found: dict[int, LabelEntry] = {}
        for number, one in zip(self.numbers, self.classes, strict=True):
            before = found[number].categories if number in found else ()
            found[number] = LabelEntry(number, one.name, (*before, one.category or self.default))
        return tuple(found.values())


def read_class_list(path: Path, category: str) -> ClassList:
    """Read a list of classes.

    Parameters
    ----------
    path : Path
        Text, a class a line: its index, its name, perhaps its category, perhaps its colour as three numbers,
        between commas. A first line of names of these columns may put them in another order. Lines that begin
        with ``#``, and empty ones, say nothing.
    category : str
        Of the classes that name none.

    Returns
    -------
    ClassList

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    DataFormatError
        If it is malformed, or lists an index, a name or a colour twice.
    EmptyDataError
        If it lists no class.
    """
    category = normal(category)
    check_category(category)
    classes = [one for _, one in listed_classes(path, class_text(path))]
    if not classes:
        raise EmptyDataError(f"{shown_path(path)} lists no class", hint=_EXAMPLE)
    if len(classes) > HIGHEST_NUMBER:
        raise DataFormatError(
            f"{shown_path(path)} lists {len(classes):,} classes; at most {HIGHEST_NUMBER:,} go"
        )
    _refuse_double(path, "index", classes, lambda one: one.index)
    _refuse_double(path, "name", classes, lambda one: (one.name, one.category or category))
    _refuse_double(path, "colour", classes, lambda one: one.color)
    return ClassList(tuple(classes), category, str(path))


def parse_ignored(text: str | None) -> tuple[frozenset[int], frozenset[Rgb]]:
    """Read which pixels of masks are unlabelled.

    Parameters
    ----------
    text : str or None
        Indices, and colours as ``#rrggbb``, between commas.

    Returns
    -------
    indices : frozenset of int
    colors : frozenset of (int, int, int)

    Raises
    ------
    ParameterError
        If it is anything else.
    """
    indices: set[int] = set()
    colors: set[Rgb] = set()
    for part in (text or "").split(",") if text else ():
        item = part.strip()
        if re.fullmatch(r"#[0-9a-fA-F]{6}", item):
            colors.add((int(item[1:3], 16), int(item[3:5], 16), int(item[5:7], 16)))
            continue
        index = whole_number(item, most=HIGHEST_INDEX)
        if index is None:
            raise ParameterError(
                f"--ignore takes indices, and colours as #rrggbb, between commas, not {shown(text or '')}",
                hint="--ignore 0,255",
            )
        indices.add(index)
    return frozenset(indices), frozenset(colors)


def class_text(path: Path) -> str:
    """Read the text of a list of classes.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    DataFormatError
        If it cannot be read, is too large, or no UTF-8.
    """
    try:
        return read_regular_file(path, MOST_TABLE_BYTES).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no list of classes {shown_path(path)}", hint=_EXAMPLE) from error
    except OSError as error:
        raise DataFormatError(f"cannot read {shown_path(path)}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{shown_path(path)} is not UTF-8 text", hint="save it as UTF-8") from error


def listed_classes(path: Path, text: str) -> Iterator[tuple[int, ListedClass]]:
    """Read the rows of a list of classes.

    Parameters
    ----------
    path : Path
        Where it lies, for messages.
    text : str
        As for `read_class_list`.

    Yields
    ------
    (int, ListedClass)
        The line, and the class that it lists.

    Raises
    ------
    DataFormatError
        If a row is malformed.
    """
    for line, row in _rows(path, text):
        yield line, _class(f"{shown_path(path)}, line {line}", row)


def _rows(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    columns: Sequence[str] | None = None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            line, row = reader.line_num, [cell.strip() for cell in cells]
            if not any(row) or row[0].startswith("#"):
                continue
            if columns is None:
                named = [cell.lower() for cell in row]
                columns = ()
                if {"index", "name"} & {*named} and not named[0].isdigit():
                    if not {"index", "name"} <= {*named} <= _HEADER or len({*named}) != len(named):
                        raise DataFormatError(
                            f"{shown_path(path)}, line {line}, names the columns "
                            f"{', '.join(map(shown, row[:MOST_LISTED]))}; a list of classes has index, name "
                            "and perhaps category, r, g, b, each once",
                            hint=_EXAMPLE,
                        )
                    columns = named
                    continue
            yield line, _cells(f"{shown_path(path)}, line {line}", row, columns)
    except csv.Error as error:
        raise DataFormatError(
            f"{shown_path(path)}, line {reader.line_num}, is not readable: {error}"
        ) from error


def _cells(where: str, row: Sequence[str], columns: Sequence[str]) -> Mapping[str, str]:
    if not columns:
        known = {
            2: ("index", "name"),
            3: ("index", "name", "category"),
            5: ("index", "name", "r", "g", "b"),
            6: ("index", "name", "category", "r", "g", "b"),
        }
        columns = known.get(len(row), ())
    if len(columns) != len(row):
        raise DataFormatError(f"{where}: {counted(len(row), 'cell')} between commas", hint=_EXAMPLE)
    return dict(zip(columns, row, strict=True))


def _class(where: str, row: Mapping[str, str]) -> ListedClass:
    index = whole_number(row["index"], most=HIGHEST_INDEX)
    if index is None:
        raise DataFormatError(
            f"{where}: an index is a whole number, 0 to {HIGHEST_INDEX:,}, not {shown(row['index'])}",
            hint=_EXAMPLE,
        )
    name = normal(row["name"])
    if not name or has_control(name):
        raise DataFormatError(f"{where}: {shown(name)} is no name of a class", hint=_EXAMPLE)
    category = normal(row.get("category", ""))
    if category:
        check_category(category)
    texts = [row.get(channel, "") for channel in "rgb"]
    if not any(texts):
        return ListedClass(index, name, category)
    values = [whole_number(text, most=255) for text in texts]
    if None in values:
        raise DataFormatError(
            f"{where}: a colour is three whole numbers, 0 to 255, not {shown(','.join(texts))}", hint=_EXAMPLE
        )
    red, green, blue = (value or 0 for value in values)
    return ListedClass(index, name, category, (red, green, blue))


def _refuse_double(
    path: Path, what: str, classes: Sequence[ListedClass], key: Callable[[ListedClass], object]
) -> None:
    seen: dict[object, ListedClass] = {}
    for one in classes:
        value = key(one)
        if value is None:
            continue
        other = seen.setdefault(value, one)
        if other is not one:
            said = value if what == "index" else shown(one.name) if what == "name" else _hex(one.color)
            raise DataFormatError(
                f"{shown_path(path)} lists the {what} {said} twice: for {other.index},{other.name} and "
                f"{one.index},{one.name}",
                hint="a class has an index, a name and perhaps a colour of its own",
            )


def _hex(color: Rgb | None) -> str:
    return "" if color is None else "#{:02x}{:02x}{:02x}".format(*color)
