"""The tables of a data set: CSV files as people and programs really write them.

UTF-8 with or without a byte-order mark, LF or CRLF, quoted cells, blank lines and columns nobody asked for
are all read; anything that would have to be guessed is an error that names file and line.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxdissect.errors import DataFormatError

__all__ = ["Row", "Table", "digest", "number_cell", "read_table", "whole_cell"]


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
    """

    name: str
    columns: Mapping[str, int]
    rows: tuple[Row, ...]
    content: bytes


Row = tuple[int, Sequence[str]]
"""Line number in the file (the header is 1) and cells."""


def read_table(path: Path, required: Sequence[str]) -> Table:
    """Read a table whole.

    Parameters
    ----------
    path : Path
        A CSV file.
    required : sequence of str
        Columns that must be there, in any order and among others.

    Returns
    -------
    Table

    Raises
    ------
    DataFormatError
        If the file is missing, no UTF-8 or no CSV, if a column is missing or there twice, or if a row is
        narrower or wider than the header.
    """
    name = path.name
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataFormatError(
            f"{path.parent} has no {name}", hint="a Broden folder holds index.csv, label.csv and category.csv"
        ) from error
    except OSError as error:
        raise DataFormatError(f"cannot read {path}: {error.strerror or error}") from error
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
        # str.join is the quickest way to see that a row holds nothing
        rows: tuple[Row, ...] = tuple((reader.line_num, cells) for cells in reader if "".join(cells).strip())
    except csv.Error as error:
        raise DataFormatError(f"{path}, line {reader.line_num}, is not readable as CSV: {error}") from error
    width = len(header)
    if any(len(cells) != width for _, cells in rows):
        rows = tuple((line, _fit(path, line, cells, width)) for line, cells in rows)
    return Table(name, columns, rows, content)


def whole_cell(table: Table, row: Row, column: str, *, default: int | None = None) -> int:
    """Read a cell that holds a whole number, zero or more.

    Parameters
    ----------
    table : Table
    row : Row
    column : str
    default : int, optional
        Stands for an empty cell or an absent column.

    Returns
    -------
    int

    Raises
    ------
    DataFormatError
        If the cell holds anything else.
    """
    text = _cell(table, row, column)
    if text.isascii() and text.isdigit():
        return int(text)
    if not text and default is not None:
        return default
    raise DataFormatError(
        f"{table.name}, line {row[0]}: {column} must be a whole number, zero or more, not {text!r}"
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
    try:
        value = float(text or "0")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise DataFormatError(
            f"{table.name}, line {row[0]}: {column} must be a number, zero or more, not {text!r}"
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
    for position, cell in enumerate(header):
        name = cell.strip()
        if name in columns:
            raise DataFormatError(f"{path} has two columns called {name!r}")
        # spreadsheets leave nameless columns behind
        if name:
            columns[name] = position
    missing = [name for name in required if name not in columns]
    if missing:
        raise DataFormatError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
            f"it has {', '.join(columns)}"
        )
    return columns


def _fit(path: Path, line: int, cells: Sequence[str], width: int) -> Sequence[str]:
    if len(cells) < width or any(cells[width:]):
        raise DataFormatError(f"{path}, line {line}, has {len(cells)} cells; the header has {width}")
    return cells[:width]
