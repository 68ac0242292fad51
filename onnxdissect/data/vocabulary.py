"""Concepts and their categories: what label.csv, category.csv and c_<category>.csv say."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.tables import MOST_LISTED, Row, Table, number_cell, read_table, whole_cell
from onnxdissect.data.limits import LONGEST_CATEGORY, MOST_CATEGORIES, MOST_COUNTED
from onnxdissect.errors import DataFormatError, nearest, shown
from onnxdissect.storage.numerals import whole_number
from onnxdissect.storage.regular_files import Enclosure

__all__ = ["HIGHEST_NUMBER", "Concept", "Vocabulary", "has_control", "make_vocabulary", "read_vocabulary"]

HIGHEST_NUMBER = 0xFFFF
"""Label maps hold R + 256 * G, so sixteen bits."""


@dataclass(frozen=True, slots=True)
class Concept:
    """An entry of label.csv that has a name.

    Attributes
    ----------
    index : int
        Position among the vocabulary's concepts.
    number : int
        Label number, as in label maps and result files.
    name : str
    category : str
        Primary category: the one where the concept covers most.
    categories : tuple of str
        All categories that list it, in category.csv order.
    frequency : int
        In how many images it occurs, by label.csv; 0 where that is not told.
    coverage : float
        What it covers, in whole images, by label.csv; 0 where that is not told.
    """

    index: int
    number: int
    name: str
    category: str
    categories: tuple[str, ...]
    frequency: int = 0
    coverage: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The concepts of a data set.

    Attributes
    ----------
    categories : tuple of str
        In category.csv order.
    concepts : tuple of Concept
        By number; label 0 and labels without a name are none.
    category_of : ndarray of int64, shape (concepts,)
        Primary category of each concept, as a position in `categories`.
    lookup : ndarray of int32, shape (highest number + 1,)
        From label number to concept index + 1; 0 for label 0 and nameless labels, -1 for numbers that
        label.csv does not list.
    """

    categories: tuple[str, ...]
    concepts: tuple[Concept, ...]
    category_of: NDArray[np.int64]
    lookup: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Label:
    number: int
    name: str
    frequencies: Mapping[str, int]  # by category
    frequency: int
    coverage: float
    line: int


def make_vocabulary(labels: Mapping[str, Mapping[int, str]]) -> Vocabulary:
    """Make a vocabulary of names in memory.

    Parameters
    ----------
    labels : mapping of str to mapping of int to str
        By category, in the order that decides ties: names by label number, 1 to 65,535. A number in several
        categories has one name, and belongs to the last of them. One without a name is no concept.

    Returns
    -------
    Vocabulary

    Raises
    ------
    DataFormatError
        If there is no category, a number is out of range, or has two names.
    """
    if not labels:
        raise DataFormatError("a vocabulary has at least one category")
    names: dict[int, str] = {}
    belongs: dict[int, list[str]] = {}
    for category, members in labels.items():
        for number, name in members.items():
            if not 0 < number <= HIGHEST_NUMBER:
                raise DataFormatError(
                    f"{number} ({name!r}) is no label number: they are 1 to {HIGHEST_NUMBER}"
                )
            if names.setdefault(number, name) != name:
                raise DataFormatError(f"label {number} is called {names[number]!r} and {name!r}")
            belongs.setdefault(number, []).append(category)
    concepts: list[Concept] = []
    lookup = np.full(max(names, default=0) + 1, -1, np.int32)
    lookup[0] = 0
    for number in sorted(names):
        lookup[number] = 0
        if names[number]:
            categories = tuple(belongs[number])
            concepts.append(Concept(len(concepts), number, names[number], categories[-1], categories))
            lookup[number] = len(concepts)
    position = {category: i for i, category in enumerate(labels)}
    category_of = np.array([position[concept.category] for concept in concepts], np.int64)
    for array in (category_of, lookup):
        array.setflags(write=False)
    return Vocabulary(tuple(labels), tuple(concepts), category_of, lookup)


def read_vocabulary(
    folder: Path, inside: Enclosure | None = None, contents: Mapping[str, bytes] | None = None
) -> tuple[Vocabulary, tuple[Table, ...]]:
    """Read the tables that name concepts and categories.

    A concept listed in several categories belongs to the one where c_<category>.csv gives it most coverage;
    the later one in category.csv wins a tie, as in the original. Where one of those files is missing, the
    image counts in label.csv's category column decide instead.

    Parameters
    ----------
    folder : Path
        Holds label.csv, category.csv and, as a rule, a c_<category>.csv per category.
    inside : Enclosure, optional
        The folder that links may not lead out of.
    contents : mapping of str to bytes, optional
        These files, by name, where they have been read.

    Returns
    -------
    vocabulary : Vocabulary
    tables : tuple of Table
        Those read.

    Raises
    ------
    DataFormatError
        If a table is missing or malformed, or if the tables contradict each other.
    """
    read = partial(read_table, inside=inside, contents=contents)
    category_table = read(folder / "category.csv", ["name"], most_rows=MOST_CATEGORIES)
    categories = _category_names(category_table)
    label_table = read(folder / "label.csv", ["number", "name"], most_rows=HIGHEST_NUMBER + 1)
    labels = _labels(label_table, categories)
    listings = {
        category: read(path, ["number", "coverage"], most_rows=HIGHEST_NUMBER + 1)
        for category in categories
        if _is_there(path := folder / f"c_{category}.csv", contents)
    }
    coverages = {category: _coverages(table) for category, table in listings.items()}

    lookup = np.full(max(labels, default=0) + 1, -1, np.int32)
    lookup[0] = 0
    concepts: list[Concept] = []
    for number in sorted(labels):
        label = labels[number]
        if not label.name:
            lookup[number] = 0
            continue
        belongs = tuple(
            category
            for category in categories
            if category in label.frequencies or number in coverages.get(category, {})
        )
        if not belongs:
            raise DataFormatError(
                f"{label_table.name}, line {label.line}: label {number} ({label.name!r}) has no category",
                candidates=categories[:MOST_LISTED],
                hint="give it one, as in object(12), or list it in a c_<category>.csv",
            )
        concepts.append(
            Concept(
                index=len(concepts),
                number=number,
                name=label.name,
                category=_primary(number, belongs, coverages, label.frequencies),
                categories=belongs,
                frequency=label.frequency,
                coverage=label.coverage,
            )
        )
        lookup[number] = len(concepts)
    position = {category: i for i, category in enumerate(categories)}
    category_of = np.array([position[concept.category] for concept in concepts], np.int64)
    for array in (category_of, lookup):
        array.setflags(write=False)
    vocabulary = Vocabulary(categories, tuple(concepts), category_of, lookup)
    return vocabulary, (category_table, label_table, *listings.values())


def _is_there(path: Path, contents: Mapping[str, bytes] | None) -> bool:
    return os.path.lexists(path) if contents is None else path.name in contents


def _category_names(table: Table) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for line, cells in table.rows:
        name = cells[table.columns["name"]].strip()
        if not name or "/" in name or "\\" in name or has_control(name):
            raise DataFormatError(f"{table.name}, line {line}: {shown(name)} cannot be a category's name")
        if len(name.encode()) > LONGEST_CATEGORY:
            raise DataFormatError(
                f"{table.name}, line {line}: {shown(name)} cannot be a category's name: it is longer than "
                f"{LONGEST_CATEGORY} bytes, too long for a file c_<category>.csv"
            )
        if name in names:
            raise DataFormatError(f"{table.name}, line {line}: the category {name!r} is listed twice")
        names[name] = None
    if not names:
        raise DataFormatError(f"{table.name} lists no category")
    return tuple(names)


def _labels(table: Table, categories: Sequence[str]) -> dict[int, _Label]:
    labels: dict[int, _Label] = {}
    known = frozenset(categories)
    for row in table.rows:
        number = whole_cell(table, row, "number")
        if number > HIGHEST_NUMBER:
            raise DataFormatError(
                f"{table.name}, line {row[0]}: label number {number} does not fit into a label map, "
                f"whose numbers end at {HIGHEST_NUMBER}"
            )
        if number in labels:
            raise DataFormatError(f"{table.name}, line {row[0]}: label number {number} is listed twice")
        if number == 0:
            continue
        labels[number] = _Label(
            number=number,
            name=row[1][table.columns["name"]].strip(),
            frequencies=_frequencies(table, row, categories, known),
            frequency=whole_cell(table, row, "frequency", default=0),
            coverage=number_cell(table, row, "coverage"),
            line=row[0],
        )
    return labels


def _frequencies(table: Table, row: Row, categories: Sequence[str], known: frozenset[str]) -> dict[str, int]:
    if "category" not in table.columns:
        return {}
    found: dict[str, int] = {}
    for part in row[1][table.columns["category"]].split(";"):
        if not part.strip():
            continue
        name, count = _category_count(part.strip())
        if count is None or name not in known:
            raise DataFormatError(
                f"{table.name}, line {row[0]}: there is no category {shown(name)} in category.csv",
                candidates=nearest(name, categories) or tuple(categories[:MOST_LISTED]),
            )
        found[name] = count
    return found


def _category_count(text: str) -> tuple[str, int | None]:
    """Part ``object(12)``; no count is zero, and None of what is written in another way, with all of it."""
    name, bracket, rest = text.partition("(")
    name = name.rstrip()
    if not name or ")" in name or (bracket and not rest.endswith(")")):
        return text, None
    if not bracket:
        return name, 0
    count = whole_number(rest[:-1], most=MOST_COUNTED)
    return (name, count) if count is not None else (text, None)


def has_control(text: str) -> bool:
    """Tell whether a name holds control characters, such as line ends, which no name in a table does.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool
    """
    return not text.isprintable() and any(letter < " " or letter == "\x7f" for letter in text)


def _coverages(table: Table) -> dict[int, float]:
    return {whole_cell(table, row, "number"): number_cell(table, row, "coverage") for row in table.rows}


def _primary(
    number: int,
    belongs: Sequence[str],
    coverages: Mapping[str, Mapping[int, float]],
    frequencies: Mapping[str, int],
) -> str:
    told = all(number in coverages.get(category, {}) for category in belongs)

    def extent(position: int) -> tuple[float, int]:
        category = belongs[position]
        return (coverages[category][number] if told else frequencies.get(category, 0), position)

    return belongs[max(range(len(belongs)), key=extent)]
