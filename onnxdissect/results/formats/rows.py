"""Rows of a run's tables: cells as texts and bounded numbers; what will not do is told by line and column."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from onnxdissect.errors import RunFormatError
from onnxdissect.storage.fields import shown
from onnxdissect.storage.regular_files import open_regular_file

__all__ = ["Cells", "Record", "finite", "integer", "read_rows"]

Record = TypeVar("Record")

# A row has some tens of characters for each category.
_LONGEST_LINE = 2**24
# As they are written: no spaces, signs, underscores, nor digits of other scripts.
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_FINITE = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,400})?(e[+-]?[0-9]{1,3})?")
_MOST = 2**62
_TRUTHS = {"true": True, "false": False}


def integer(text: str, column: str, least: int = 0, most: int = _MOST) -> int:
    """Read a whole number.

    Parameters
    ----------
    text : str
        The cell.
    column : str
        Its name, for the message.
    least, most : int
        Both are allowed.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it is none, or outside the bounds.
    """
    if _INTEGER.fullmatch(text) and least <= int(text) <= most:
        return int(text)
    raise ValueError(f"{column} is {shown(text)}, not a whole number from {least:,} to {most:,}")


def finite(text: str, column: str, least: float = -math.inf, most: float = math.inf) -> float:
    """Read a number that is neither infinite nor NaN.

    Parameters
    ----------
    text : str
        The cell.
    column : str
        Its name, for the message.
    least, most : float
        Both are allowed.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If it is none, or outside the bounds.
    """
    if _FINITE.fullmatch(text):
        value = float(text)
        if math.isfinite(value) and least <= value <= most:
            return value
    between = "" if math.isinf(most) else f" between {least:g} and {most:g}"
    raise ValueError(f"{column} is {shown(text)}, not a finite number{between}")


class Cells:
    """One row, by the names of its columns.

    Parameters
    ----------
    row : mapping of str to str
        Cells that the table lacks are empty.
    """

    def __init__(self, row: Mapping[str, str]) -> None:
        self._row = row

    def text(self, column: str) -> str:
        """Give a cell as it is."""
        return self._row[column]

    def integer(self, column: str, least: int = 0, most: int = _MOST) -> int:
        """Give a whole number, see `integer`."""
        return integer(self._row[column], column, least, most)

    def count(self, column: str) -> int | None:
        """Give a whole number from 0, or None where the cell is empty."""
        return integer(self._row[column], column) if self._row[column] else None

    def finite(self, column: str, least: float = -math.inf, most: float = math.inf) -> float:
        """Give a finite number, see `finite`."""
        return finite(self._row[column], column, least, most)

    def share(self, column: str) -> float:
        """Give a number in 0..1."""
        return finite(self._row[column], column, 0, 1)

    def share_or_none(self, column: str) -> float | None:
        """Give a number in 0..1, or None where the cell is empty."""
        return self.share(column) if self._row[column] else None

    def truth(self, column: str) -> bool:
        """Give ``true`` or ``false``."""
        text = self._row[column]
        if text not in _TRUTHS:
            raise ValueError(f"{column} is {shown(text)}, not true or false")
        return _TRUTHS[text]


def read_rows(
    path: Path,
    fixed: Sequence[str],
    header: Sequence[str],
    parse: Callable[[Cells, Sequence[str]], Record],
    *,
    later: Collection[str] = (),
    former: Sequence[str] = (),
) -> Iterator[Record]:
    """Read a table row by row.

    Parameters
    ----------
    path : Path
        In the folder of the run.
    fixed : sequence of str
        Columns that every run has, first.
    header : sequence of str
        All columns: the fixed ones, then those of the run's categories.
    parse : callable
        Makes a record of the fixed columns' cells and the others'; raises ValueError if they will not do.
    later : collection of str
        Fixed columns that came later: runs of earlier versions lack them.
    former : sequence of str
        What earlier versions called the columns of the categories.

    Yields
    ------
    record

    Raises
    ------
    RunFormatError
        If the file is missing or malformed, naming the line.
    """
    by_category = len(header) - len(fixed)
    line = 1
    try:
        with (
            open_regular_file(path, inside=path.parent) as content,
            io.TextIOWrapper(content, encoding="utf-8", newline="") as file,
        ):
            rows = csv.reader(_lines(file), strict=True)
            found = next(rows, [])
            named = found[: len(found) - by_category]
            absent = [name for name in fixed if name not in named]
            present = [name for name in fixed if name in named]
            rest = found[len(present) :]
            known = found[: len(present)] == present and rest in (list(header[len(fixed) :]), list(former))
            if not set(later).issuperset(absent) or not known:
                raise ValueError(f"its columns are {','.join(found)[:1000]!r}, not {','.join(header)!r}")
            none = dict.fromkeys(absent, "")
            for row in rows:
                line = rows.line_num
                if len(row) != len(found):
                    raise ValueError(f"{len(row)} cells where there are {len(found)} columns")
                cells = dict(zip(present, row[: len(present)], strict=True))
                yield parse(Cells(cells | none if none else cells), row[len(present) :])
    except FileNotFoundError as error:
        raise RunFormatError(f"{path} is missing", hint="dissect again with --fresh") from error
    except OSError as error:
        reason = f"{path} cannot be read: {error.strerror or error}"
        raise RunFormatError(reason, hint="dissect again with --fresh") from error
    except (ValueError, csv.Error) as error:
        raise RunFormatError(f"{path}, line {line}: {error}", hint="dissect again with --fresh") from error


def _lines(file: io.TextIOWrapper) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise ValueError(f"it is longer than {_LONGEST_LINE:,} characters")
        yield line
