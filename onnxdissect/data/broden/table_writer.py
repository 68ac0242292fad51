"""The tables of a data set in the Broden layout, counted from what was written of each image."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from onnxdissect.data.broden.index import COLUMNS
from onnxdissect.data.broden.writer import ImageRecord, check_category
from onnxdissect.data.groups import GROUP_COLUMN
from onnxdissect.data.limits import MOST_CATEGORIES
from onnxdissect.data.vocabulary import HIGHEST_NUMBER
from onnxdissect.errors import DataFormatError, EmptyDataError, nearest
from onnxdissect.storage.files import write_csv

__all__ = ["LabelEntry", "check_categories", "write_tables"]


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """A row of label.csv.

    Attributes
    ----------
    number : int
        Label number, as in label maps, 1 to 65,535.
    name : str
        One without a name is no concept.
    categories : tuple of str
        All that it belongs to; the one where it covers most becomes its primary category.
    synonyms : tuple of str
    """

    number: int
    name: str
    categories: tuple[str, ...]
    synonyms: tuple[str, ...] = ()


class _Counts:
    """In how many images a label stands in a category, and how much of them it covers."""

    def __init__(self, records: Iterable[ImageRecord]) -> None:
        self._images: dict[tuple[str, int], int] = defaultdict(int)
        # By size of the label grid: sums of fractions are then exact, whatever order the images come in.
        self._pixels: dict[tuple[str, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for record in records:
            whole = record.grid[0] * record.grid[1]
            for category, found in record.pixels.items():
                for number, count in found.items():
                    self._images[category, number] += 1
                    self._pixels[category, number][whole] += count

    def images(self, category: str, number: int) -> int:
        return self._images.get((category, number), 0)

    def coverage(self, category: str, number: int) -> Fraction:
        """In whole images."""
        pixels = self._pixels.get((category, number), {})
        return sum((Fraction(count, whole) for whole, count in pixels.items()), Fraction())

    def found(self) -> Iterable[tuple[str, int]]:
        """Every category with every label number that stands in it."""
        return list(self._images)


def write_tables(
    folder: Path, categories: Sequence[str], labels: Iterable[LabelEntry], records: Sequence[ImageRecord]
) -> None:
    """Write index.csv, category.csv, label.csv and a c_<category>.csv per category.

    index.csv is written last: a folder that has one is a data set.

    Parameters
    ----------
    folder : Path
        The data set.
    categories : sequence of str
        Their order decides ties.
    labels : iterable of LabelEntry
        All label numbers that occur in the images, perhaps more.
    records : sequence of ImageRecord
        One per image, in the order that the images are to have.

    Raises
    ------
    DataFormatError
        If categories, labels and images do not fit each other, or if the layout cannot hold them.
    EmptyDataError
        If there is no image.
    OutputError
        If a file cannot be written.
    """
    labels = sorted(labels, key=lambda label: label.number)
    grouped = any(record.group for record in records)
    check_categories(categories, grouped=grouped)
    _check_labels(labels, categories)
    counts = _Counts(records)
    members = {c: [label for label in labels if c in label.categories] for c in categories}
    _check_records(records, counts, members)
    for category, listed in members.items():
        write_csv(
            folder / f"c_{category}.csv",
            ("code", "number", "name", "frequency", "coverage"),
            _listing(category, listed, counts),
        )
    write_csv(
        folder / "category.csv",
        ("name", "first", "last", "count", "frequency"),
        (_category_row(category, listed, counts) for category, listed in members.items()),
    )
    write_csv(
        folder / "label.csv",
        ("number", "name", "category", "frequency", "coverage", "syns"),
        (_label_row(label, categories, counts) for label in labels),
    )
    header = (*COLUMNS, *([GROUP_COLUMN] if grouped else []), *categories)
    rows = (_index_row(record, categories, grouped=grouped) for record in records)
    write_csv(folder / "index.csv", header, rows)


def check_categories(categories: Sequence[str], *, grouped: bool) -> None:
    """Refuse categories that the layout, or some file systems, cannot hold together.

    Parameters
    ----------
    categories : sequence of str
    grouped : bool
        Whether images have groups, which stand in a column of their own.

    Raises
    ------
    DataFormatError
        If they are such.
    """
    taken = {*COLUMNS, *([GROUP_COLUMN] if grouped else [])}
    seen: dict[str, int] = {}
    for position, category in enumerate(categories):
        check_category(category)
        if category in taken:
            raise DataFormatError(
                f"{category!r} cannot be a category's name: index.csv has a column of that name"
            )
        first = seen.setdefault(unicodedata.normalize("NFC", category).casefold(), position)
        if first != position:
            other = categories[first]
            raise DataFormatError(
                f"the category {category!r} is listed twice"
                if other == category
                else f"the categories {other!r} and {category!r} differ by capitals or the form of a letter "
                "alone, and files that are called after them would be one on many systems"
            )
    if not categories:
        raise DataFormatError("a data set has at least one category")
    if len(categories) > MOST_CATEGORIES:
        raise DataFormatError(
            f"there are {len(categories):,} categories; at most {MOST_CATEGORIES:,} are read"
        )


def _check_labels(labels: Sequence[LabelEntry], categories: Sequence[str]) -> None:
    seen: set[int] = set()
    for label in labels:
        called = f"label {label.number} ({label.name!r})"
        if not 0 < label.number <= HIGHEST_NUMBER:
            raise DataFormatError(f"{called}: label numbers are 1 to {HIGHEST_NUMBER}")
        if label.number in seen:
            raise DataFormatError(f"{called}: the number is listed twice")
        seen.add(label.number)
        if label.name != label.name.strip():
            raise DataFormatError(f"{called}: a name neither begins nor ends with a blank")
        if not label.categories:
            raise DataFormatError(f"{called} has no category", candidates=categories)
        for category in label.categories:
            if category not in categories:
                raise DataFormatError(
                    f"{called} is of the category {category!r}, which is not listed",
                    candidates=nearest(category, categories) or tuple(categories),
                )


def _check_records(
    records: Sequence[ImageRecord], counts: _Counts, members: Mapping[str, Sequence[LabelEntry]]
) -> None:
    images: set[str] = set()
    for record in records:
        if record.image in images:
            raise DataFormatError(f"the image {record.image} is listed twice")
        images.add(record.image)
        for category in record.cells:
            if category not in members:
                raise DataFormatError(
                    f"{record.image} has labels of the category {category!r}, which is not listed",
                    candidates=nearest(category, members) or tuple(members),
                )
    if not records:
        raise EmptyDataError("a data set has at least one image")
    known = {(category, label.number) for category, listed in members.items() for label in listed}
    for category, number in counts.found():
        if (category, number) not in known:
            raise DataFormatError(
                f"images hold the label number {number} in the category {category!r}; no such label is listed"
            )


def _listing(category: str, labels: Sequence[LabelEntry], counts: _Counts) -> Iterable[Sequence[object]]:
    ordered = sorted(labels, key=lambda label: (-counts.images(category, label.number), label.number))
    for code, label in enumerate(ordered, 1):
        number = label.number
        images, coverage = counts.images(category, number), float(counts.coverage(category, number))
        yield code, number, label.name, images, coverage


def _category_row(category: str, labels: Sequence[LabelEntry], counts: _Counts) -> Sequence[object]:
    numbers = [label.number for label in labels]
    frequency = sum(counts.images(category, number) for number in numbers)
    return category, min(numbers, default=0), max(numbers, default=0), len(numbers), frequency


def _label_row(label: LabelEntry, categories: Sequence[str], counts: _Counts) -> Sequence[object]:
    within = sorted(
        (category for category in categories if category in label.categories),
        key=lambda category: -counts.images(category, label.number),
    )
    images = {category: counts.images(category, label.number) for category in within}
    listed = ";".join(f"{category}({count})" for category, count in images.items())
    coverage = float(sum((counts.coverage(category, label.number) for category in within), Fraction()))
    return label.number, label.name, listed, sum(images.values()), f"{coverage:.6f}", ";".join(label.synonyms)


def _index_row(record: ImageRecord, categories: Sequence[str], *, grouped: bool) -> Sequence[object]:
    group = [record.group] if grouped else []
    cells = (record.cells.get(category, "") for category in categories)
    return record.image, record.split, *record.size, *record.grid, *group, *cells
