"""index.csv: which image has which annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from onnxdissect.data.broden.tables import MOST_LISTED, Row, Table, listed, read_table
from onnxdissect.data.groups import GROUP_COLUMN, GroupOf, group_rule
from onnxdissect.data.limits import LONGEST_PATH, MOST_MAPS, MOST_PIXELS, MOST_SIDE
from onnxdissect.data.vocabulary import HIGHEST_NUMBER, Vocabulary, has_control
from onnxdissect.errors import DataFormatError, nearest, shown
from onnxdissect.storage.numerals import whole_number
from onnxdissect.storage.regular_files import Enclosure

__all__ = ["COLUMNS", "Entry", "IndexProblem", "cell_items", "read_index", "refuse_rows"]

COLUMNS = ("image", "split", "ih", "iw", "sh", "sw")
"""What index.csv tells of an image, before its column per category."""


class Entry(NamedTuple):
    """An image of the index. Not a dataclass: there are tens of thousands, made at every start.

    Attributes
    ----------
    line : int
        Line in index.csv.
    image : str
        Path inside the images folder, with forward slashes.
    split : str
    size : tuple of int
        (ih, iw), of the image.
    grid : tuple of int
        (sh, sw), of its label maps.
    maps : tuple of str
        Paths of its label maps, without repeats. A label map's category does not matter: a number counts
        as its concept wherever it is found.
    image_labels : tuple of int
        Label numbers that hold for the image as a whole, without repeats.
    annotated : tuple of int
        Categories with a cell that is not empty, as positions in category.csv.
    group : str
        What the image is one of, such as a film; empty where it stands for itself.
    """

    line: int
    image: str
    split: str
    size: tuple[int, int]
    grid: tuple[int, int]
    maps: tuple[str, ...]
    image_labels: tuple[int, ...]
    annotated: tuple[int, ...]
    group: str


class IndexProblem(NamedTuple):
    """Something wrong with a row of index.csv.

    Attributes
    ----------
    line : int
    message : str
    """

    line: int
    message: str


def read_index(
    path: Path,
    vocabulary: Vocabulary,
    groups: str | None = None,
    inside: Enclosure | None = None,
    contents: Mapping[str, bytes] | None = None,
) -> tuple[tuple[Entry, ...], tuple[IndexProblem, ...], Table, str | None]:
    """Read index.csv.

    Parameters
    ----------
    path : Path
        The file.
    vocabulary : Vocabulary
        What its category columns and label numbers are checked against.
    groups : str, optional
        What groups the images; see `onnxdissect.data.groups.group_rule`.
    inside : Enclosure, optional
        The folder that links may not lead out of.
    contents : mapping of str to bytes, optional
        The file by its name, where it has been read.

    Returns
    -------
    entries : tuple of Entry
        Rows that can be read.
    problems : tuple of IndexProblem
        What is wrong with the others, in order.
    table : Table
        The file as read.
    grouped_by : str or None
        What groups the images.

    Raises
    ------
    DataFormatError
        If the table as a whole is malformed, or if its columns do not fit category.csv.
    ParameterError
        If there is no such column to group images by.
    """
    table = read_table(path, COLUMNS, inside=inside, contents=contents, uneven=True)
    grouped_by, group_of = group_rule(groups, table.columns, vocabulary.categories)
    columns = _category_columns(table, vocabulary.categories, (GROUP_COLUMN, grouped_by))
    reader = _Rows(table, columns, vocabulary, group_of)
    entries: list[Entry] = []
    problems: list[IndexProblem] = []
    for row in table.rows:
        if row[0] in table.uneven:
            problems.append(IndexProblem(row[0], table.uneven[row[0]]))
            continue
        try:
            entries.append(reader.entry(row))
        except ValueError as error:
            problems.append(IndexProblem(row[0], str(error)))
    return tuple(entries), tuple(problems), table, grouped_by


def _category_columns(table: Table, categories: Sequence[str], others: Sequence[str | None]) -> list[int]:
    columns = [name for name in table.columns if name not in COLUMNS]
    known = {*categories, *others}
    unknown = [name for name in columns if name not in known]
    if unknown:
        raise DataFormatError(
            f"{table.name} has the column{'s' * (len(unknown) > 1)} {listed(unknown)}, "
            f"and category.csv lists no such {'category' if len(unknown) == 1 else 'categories'}",
            candidates=nearest(unknown[0], categories) or tuple(categories[:MOST_LISTED]),
            hint=f"if it groups images, --groups {listed(unknown[:1])}, or call it {GROUP_COLUMN}",
        )
    absent = [name for name in categories if name not in table.columns]
    if absent:
        raise DataFormatError(
            f"{table.name} has no column for {listed(absent)}, which category.csv lists",
            candidates=columns[:MOST_LISTED],
        )
    return [table.columns[name] for name in categories]


def refuse_rows(folder: Path, problems: Sequence[IndexProblem], index: str = "index.csv") -> None:
    """Refuse a data set with rows that cannot be read.

    Parameters
    ----------
    folder : Path
        The data set.
    problems : sequence of IndexProblem
        What is wrong with them.
    index : str
        The table that lists the images.

    Raises
    ------
    DataFormatError
        If there are any; it names the first.
    """
    if problems:
        others = len(problems) - 1
        raise DataFormatError(
            f"{folder / index}, line {problems[0].line}: {problems[0].message}"
            + f" (and {others} more like it)" * bool(others),
            hint=f"onnxdissect data check {folder} lists every problem" if others else None,
        )


def cell_items(cell: str) -> tuple[str | int, ...]:
    """Give what a category's cell holds of an image that has been read: see `Entry`.

    Parameters
    ----------
    cell : str

    Returns
    -------
    tuple of (str or int)
        Paths of label maps, as in `Entry.maps`, and label numbers, as in `Entry.image_labels`; each once.
    """
    names = filter(None, map(str.strip, cell.split(";")))
    items = (int(name) if name.isascii() and name.isdecimal() else _checked_path(name) for name in names)
    return tuple(dict.fromkeys(items))


class _Rows:
    """Turns rows into entries; raises ValueError with what is wrong with a row."""

    def __init__(
        self, table: Table, category_columns: Sequence[int], vocabulary: Vocabulary, group_of: GroupOf
    ) -> None:
        self._fixed = tuple(table.columns[name] for name in COLUMNS)
        self._categories = tuple(enumerate(category_columns))
        self._lookup: list[int] = vocabulary.lookup.tolist()
        self._group_of = group_of
        # rows share what nearly all have in common
        self._pairs: dict[tuple[str, str], tuple[int, int]] = {}
        self._annotated: dict[tuple[int, ...], tuple[int, ...]] = {}

    def entry(self, row: Row) -> Entry:
        line, cells = row
        image, split, ih, iw, sh, sw = (cells[position] for position in self._fixed)
        maps: list[str] = []
        image_labels: list[int] = []
        annotated: list[int] = []
        for category, position in self._categories:
            cell = cells[position]
            if not cell:
                continue
            for token in cell.split(";"):
                name = token.strip()
                if not name:
                    continue
                if name.isascii() and name.isdecimal():
                    image_labels.append(self._known(name))
                else:
                    maps.append(_checked_path(name))
                if not annotated or annotated[-1] != category:
                    annotated.append(category)
        held = tuple(annotated)
        image = _checked_path(image.strip())
        grid = self._pairs.get((sh, sw)) or self._pair("sh", sh, "sw", sw)
        if len(maps) > 1:
            maps = list(dict.fromkeys(maps))
            _check_maps(len(maps), grid)
        return Entry(
            line=line,
            image=image,
            split=split.strip(),
            size=self._pairs.get((ih, iw)) or self._pair("ih", ih, "iw", iw),
            grid=grid,
            maps=tuple(maps),
            image_labels=tuple(dict.fromkeys(image_labels)),
            annotated=self._annotated.setdefault(held, held),
            group=self._group_of(cells, image),
        )

    def _known(self, text: str) -> int:
        number = whole_number(text, most=HIGHEST_NUMBER)
        if number is None or number >= len(self._lookup) or self._lookup[number] < 0:
            raise ValueError(f"label number {text if len(text) < 20 else shown(text)} is not in label.csv")
        return number

    def _pair(self, first: str, a: str, second: str, b: str) -> tuple[int, int]:
        pair = (_extent(first, a), _extent(second, b))
        if pair[0] * pair[1] > MOST_PIXELS:
            raise ValueError(
                f"{first} and {second} ask for {pair[0]:,} x {pair[1]:,} pixels; "
                f"at most {MOST_PIXELS:,} are read"
            )
        self._pairs[a, b] = pair
        return pair


def _extent(column: str, text: str) -> int:
    value = whole_number(text, least=1, most=MOST_SIDE)
    if value is None:
        raise ValueError(
            f"{column} must be a whole number above zero, up to {MOST_SIDE:,}, not {shown(text.strip())}"
        )
    return value


def _check_maps(count: int, grid: tuple[int, int]) -> None:
    """Refuse more label maps than can be laid over each other, or ValueError."""
    if count > MOST_MAPS:
        raise ValueError(f"the image has {count:,} label maps; at most {MOST_MAPS:,} are read")
    if count * grid[0] * grid[1] > MOST_PIXELS:
        raise ValueError(
            f"the image has {count} label maps of {grid[0]:,} x {grid[1]:,} pixels; "
            f"at most {MOST_PIXELS:,} are read in all"
        )


def _checked_path(text: str) -> str:
    """Path inside the images folder, or ValueError."""
    if not text:
        raise ValueError("the image has no file name")
    if len(text) > LONGEST_PATH or has_control(text):
        raise ValueError(f"{shown(text)} cannot be a file name")
    if "\\" in text or ":" in text or ".." in text or text[0] == "/":
        text = text.replace("\\", "/")
        if text[0] == "/" or text[1:2] == ":" or ".." in text.split("/"):
            raise ValueError(f"{shown(text)} leads out of the images folder")
    if (text[0] in "+-" or text[0].isdecimal()) and _is_number(text):
        raise ValueError(f"{shown(text)} is neither a label number nor the name of a PNG file")
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
