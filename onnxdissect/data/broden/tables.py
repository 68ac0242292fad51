"""The tables of a data set: CSV files as people and programs really write them.

UTF-8 with or without a byte-order mark, LF or CRLF, quoted cells, blank lines and columns nobody asked for
are all read; anything that would have to be guessed is an error that names file and line.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from onnxdissect.data.limits import MOST_COLUMNS, MOST_COUNTED, MOST_ROWS, MOST_TABLE_BYTES
from onnxdissect.data.links import link_hint
from onnxdissect.errors import DataFormatError, shown
from onnxdissect.storage.numerals import finite_number, whole_number
from onnxdissect.storage.regular_files import Enclosure, read_regular_file

__all__ = ["MOST_LISTED", "Row", "Table", "digest", "listed", "number_cell", "read_table", "whole_cell"]

MOST_LISTED = 40
"""Names of columns or categories in a message."""
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a header.

    Attributes
    ----------
    name : str
        The file's name, for messages.
    columns : mapping of str to int
        Position of each named column.
    rows : tuple of Row
        Rows that hold anything, all as wide as the header.
    content : bytes
        The file as it is.
    uneven : mapping of int to str
        By line, what is wrong with the width of a row that was cut or filled up to that of the header.
    """

    name: str
    columns: Mapping[str, int]
    rows: tuple[Row, ...]
    content: bytes
    uneven: Mapping[int, str] = field(default_factory=dict)


Row = tuple[int, Sequence[str]]
"""Line number in the file (the header is 1) and cells."""


def read_table(
    path: Path,
    required: Sequence[str],
    *,
    most_rows: int = MOST_ROWS,
    inside: Enclosure | None = None,
    contents: Mapping[str, bytes] | None = None,
    uneven: bool = False,
) -> Table:
    """Read a table whole.

    Parameters
    ----------
    path : Path
        A CSV file.
    required : sequence of str
        Columns that must be there, in any order and among others.
    most_rows : int
        Rows that it may have.
    inside : Enclosure, optional
        The folder that links may not lead out of.
    contents : mapping of str to bytes, optional
        Files that have been read, by name: the table is looked for among them, and on no disk.
    uneven : bool
        Whether rows that are narrower or wider than the header are cut or filled up, and noted.

    Returns
    -------
    Table

    Raises
    ------
    DataFormatError
        If the file is missing, no regular file, no UTF-8 or no CSV, if a column is missing or there twice,
        if a row is narrower or wider than the header and that is not asked for, or if there is more of
        anything than the limits allow.
    """
    name = path.name
    try:
        content = _content(path, inside, contents)
    except FileNotFoundError as error:
        raise DataFormatError(
            f"{path.parent} has no {name}", hint="a Broden folder holds index.csv, label.csv and category.csv"
        ) from error
    except OSError as error:
        raise DataFormatError(
            f"cannot read {path}: {error.strerror or error}", hint=link_hint(error, inside)
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataFormatError(f"{path} is not UTF-8 text (line {line})", hint="save it as UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next((cells for cells in reader if any(cells)), None)
        if header is None:
            raise DataFormatError(f"{path} is empty: not even a header line")
        columns = _columns(path, header, required)
        noted: dict[int, str] = {}
        rows = tuple(
            _rows(path, ((reader.line_num, cells) for cells in reader), len(header), most_rows, noted)
        )
    except csv.Error as error:
        raise DataFormatError(f"{path}, line {reader.line_num}, is not readable as CSV: {error}") from error
    if noted and not uneven:
        line, said = next(iter(noted.items()))
        raise DataFormatError(f"{path}, line {line}: {said}")
    return Table(name, columns, rows, content, noted)


def _content(path: Path, inside: Enclosure | None, contents: Mapping[str, bytes] | None) -> bytes:
    if contents is None:
        return read_regular_file(path, MOST_TABLE_BYTES, inside=inside)
    if path.name not in contents:
        raise FileNotFoundError(path)
    return contents[path.name]


def whole_cell(
    table: Table, row: Row, column: str, *, default: int | None = None, most: int = MOST_COUNTED
) -> int:
    """Read a cell that holds a whole number, zero or more.

    Parameters
    ----------
    table : Table
    row : Row
    column : str
    default : int, optional
        Stands for an empty cell or an absent column.
    most : int
        The largest that will do.

    Returns
    -------
    int

    Raises
    ------
    DataFormatError
        If the cell holds anything else.
    """
    text = _cell(table, row, column)
    value = whole_number(text, most=most)
    if value is not None:
        return value
    if not text and default is not None:
        return default
    raise DataFormatError(
        f"{table.name}, line {row[0]}: {column} must be a whole number, 0 to {most:,}, not {shown(text)}"
    )


def number_cell(table: Table, row: Row, column: str) -> float:
    """Read a cell that holds a finite number, zero or more; empty or absent is zero.

    Parameters
    ----------
    table : Table
    row : Row
    column : str

    Returns
    -------
    float

    Raises
    ------
    DataFormatError
        If the cell holds anything else.
    """
    text = _cell(table, row, column)
    value = finite_number(text or "0", most=MOST_COUNTED)
    if value is None:
        raise DataFormatError(
            f"{table.name}, line {row[0]}: {column} must be a number, 0 to {MOST_COUNTED:,}, "
            f"not {shown(text)}"
        )
    return value


def digest(tables: Iterable[Table]) -> bytes:
    """Hash tables, whatever order they come in.

    Parameters
    ----------
    tables : iterable of Table

    Returns
    -------
    bytes
        SHA-256.
    """
    found = hashlib.sha256()
    for table in sorted(tables, key=lambda table: table.name):
        found.update(f"{table.name}:{len(table.content)}\n".encode())
        found.update(table.content)
    return found.digest()


def _cell(table: Table, row: Row, column: str) -> str:
    position = table.columns.get(column)
    return "" if position is None else row[1][position].strip()


def _columns(path: Path, header: Sequence[str], required: Sequence[str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    if len(header) > MOST_COLUMNS:
        raise DataFormatError(f"{path} has {len(header):,} columns; at most {MOST_COLUMNS:,} are read")
    for position, cell in enumerate(header):
        name = cell.strip()
        if name in columns:
            raise DataFormatError(f"{path} has two columns called {shown(name)}")
        # spreadsheets leave nameless columns behind
        if name:
            columns[name] = position
    missing = [name for name in required if name not in columns]
    if missing:
        raise DataFormatError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
            f"it has {listed(columns)}"
        )
    return columns


def _rows(path: Path, found: Iterable[Row], width: int, most: int, noted: dict[int, str]) -> Iterator[Row]:
    """Rows that hold anything, each made as wide as the header; those that were not are noted."""
    count = 0
    for line, cells in found:
        # str.join is the quickest way to see that a row holds nothing
        if not "".join(cells).strip():
            continue
        count += 1
        if count > most:
            raise DataFormatError(f"{path} has more than {most:,} rows, and no more are read")
        if len(cells) != width:
            if len(cells) < width or any(cells[width:]):
                noted[line] = f"the row has {len(cells):,} cells, and the header {width}"
            cells = [*cells[:width], *[""] * (width - len(cells))]
        yield line, cells


def listed(names: Iterable[str]) -> str:
    """Name columns or categories in a message.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    str
        With commas between; not more than 40 of them, and the long ones shortened.
    """
    texts = [name if len(name) <= _LONGEST_NAME and name.isprintable() else shown(name) for name in names]
    return ", ".join(texts[:MOST_LISTED]) + f" and {len(texts) - MOST_LISTED:,} more" * (
        len(texts) > MOST_LISTED
    )
