"""A file of published results as rows of texts: encoding, separator and shape are seen to here."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from onnxdissect.errors import ResultFileError, nearest, shown, shown_path
from onnxdissect.storage.regular_files import read_regular_file
from onnxdissect.wording import counted

__all__ = ["EXPECTED", "ResultTable", "read_table"]

EXPECTED = (
    "a result file has the columns unit, category, label and score, and for every category "
    "<category>-label and <category>-iou, mostly with -truth, -activation and -intersect"
)
"""What a user is told who gave another file."""

# The largest that was published has a few megabytes.
_LARGEST = 2**28
_LONGEST_HEADER = 2**20
_SEPARATORS = (",", ";", "\t")
_OTHERS = ("|", ":", " ")
_NAMES = {"|": "'|'", ":": "':'", " ": "blanks"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class ResultTable:
    """The cells of a file.

    Attributes
    ----------
    path : Path
    sha256 : str
        Of its bytes, in hexadecimal digits.
    header : tuple of str
        Names of its columns, no two alike.
    rows : tuple of (int, tuple of str)
        Each with the line that it ends on; as many cells as there are columns. Never empty.
    """

    path: Path
    sha256: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def fault(self, problem: str, line: int | None = None, hint: str | None = None) -> ResultFileError:
        """Make the error of something that is wrong with the file.

        Parameters
        ----------
        problem : str
        line : int, optional
            Where.
        hint : str, optional
            What to do.

        Returns
        -------
        ResultFileError
        """
        return _fault(self.path, problem, line, hint)


def read_table(path: Path) -> ResultTable:
    """Read a file whose columns are separated by commas, semicolons or tabs.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ResultTable

    Raises
    ------
    ResultFileError
        If it cannot be read, or is no such table.
    """
    content = _bytes_of(path)
    text = _decoded(path, content)
    if not text[:_LONGEST_HEADER].strip():
        raise _fault(path, "it is empty", hint=EXPECTED)
    separator = _separator(path, text)
    header: tuple[str, ...] = ()
    rows: list[tuple[int, tuple[str, ...]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            if not any(cells):
                continue
            if not header:
                header = tuple(cell.strip() for cell in cells)
                continue
            if len(cells) != len(header):
                raise _fault(
                    path,
                    f"{counted(len(cells), 'cell')} where there are {counted(len(header), 'column')}: "
                    "the file is cut short, or a name holds a separator and is not quoted",
                    reader.line_num,
                )
            rows.append((reader.line_num, tuple(cells)))
    except csv.Error as error:
        raise _fault(path, f"it is no table: {error}", reader.line_num) from error
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise _fault(path, f"it has two columns called {shown(doubled[0])}")
    if not rows:
        raise _fault(path, "it has a header and no rows: there are no units in it")
    return ResultTable(path, hashlib.sha256(content).hexdigest(), header, tuple(rows))


def _bytes_of(path: Path) -> bytes:
    try:
        return read_regular_file(path, _LARGEST)
    except FileNotFoundError as error:
        names = [str(one) for one in path.parent.glob("*.csv")] if path.parent.is_dir() else []
        near = nearest(str(path), names) or tuple(sorted(names)[:5])
        raise ResultFileError(f"there is no file {shown_path(path)}", candidates=near) from error
    except OSError as error:
        raise _fault(path, error.strerror or str(error)) from error


def _decoded(path: Path, content: bytes) -> str:
    again = "save it as UTF-8"
    if content.startswith(_UTF16):
        raise _fault(path, "it is written in UTF-16, and UTF-8 is read", hint=again)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _fault(path, f"it is not UTF-8: byte {content[error.start]:#04x}", line, again) from error
    if "\0" in text:
        raise _fault(path, "it holds NUL characters and is no table", hint=EXPECTED)
    return text


def _separator(path: Path, text: str) -> str:
    first = next(line for line in text[:_LONGEST_HEADER].splitlines() if line.strip())
    for separator in (*_SEPARATORS, *_OTHERS):
        try:
            cells = next(csv.reader([first], delimiter=separator), [])
        except csv.Error:
            continue
        if len(cells) > 1 and "unit" in (cell.strip() for cell in cells):
            if separator in _SEPARATORS:
                return separator
            raise _fault(
                path,
                f"its columns are separated by {_NAMES[separator]}",
                hint="separate them by commas, semicolons or tabs",
            )
    raise _fault(path, f"it has no column called unit; its first line is {shown(first)}", hint=EXPECTED)


def _fault(path: Path, problem: str, line: int | None = None, hint: str | None = None) -> ResultFileError:
    where = "" if line is None else f", line {line}"
    return ResultFileError(f"{shown_path(path)}{where}: {problem}", hint=hint)
