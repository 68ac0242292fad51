"""What the columns of a result file are: units, layers, and what is told of each category."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onnxdissect.experiments.published.table import EXPECTED, ResultTable

__all__ = ["CategoryColumns", "ResultColumns", "find_columns"]

_COUNTS = ("truth", "activation", "intersect")
_FIXED = ("unit", "category", "label", "score", "layer")


@dataclass(frozen=True, slots=True)
class CategoryColumns:
    """Where a category stands.

    Attributes
    ----------
    name : str
        Of the category.
    label, iou : int
        Positions of the columns.
    counts : tuple of int or None
        Of ``-truth``, ``-activation`` and ``-intersect``; None unless all three are there.
    """

    name: str
    label: int
    iou: int
    counts: tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class ResultColumns:
    """Where everything stands.

    Attributes
    ----------
    unit : int
    layer, category, label, score : int or None
        None where there is no such column.
    categories : tuple of CategoryColumns
        In the order of the file; at least one.
    left_out : tuple of str
        Columns that mean nothing here.
    """

    unit: int
    layer: int | None
    category: int | None
    label: int | None
    score: int | None
    categories: tuple[CategoryColumns, ...]
    left_out: tuple[str, ...]

    @property
    def counted(self) -> bool:
        """Whether the counts of every category are there."""
        return all(one.counts is not None for one in self.categories)


def find_columns(table: ResultTable) -> ResultColumns:
    """Find out what each column of a file is.

    Parameters
    ----------
    table : ResultTable

    Returns
    -------
    ResultColumns

    Raises
    ------
    ResultFileError
        If there are no units or no categories, or a category lacks its IoU.
    """
    place = {name: i for i, name in enumerate(table.header)}
    categories = tuple(_categories(table, place))
    if not categories:
        raise table.fault("it tells of no category", hint=EXPECTED)
    used = {place[name] for name in _FIXED if name in place}
    for one in categories:
        used |= {one.label, one.iou, *(one.counts or ())}
    return ResultColumns(
        unit=place["unit"],
        layer=place.get("layer"),
        category=place.get("category"),
        label=place.get("label"),
        score=place.get("score"),
        categories=categories,
        left_out=tuple(name for i, name in enumerate(table.header) if i not in used),
    )


def _categories(table: ResultTable, place: dict[str, int]) -> Iterator[CategoryColumns]:
    for column in table.header:
        name, _, what = column.rpartition("-")
        # Some tools add a ranking, whose columns are called top1-label, top1-category and top1-iou.
        if what != "label" or not name or f"{name}-category" in place:
            continue
        if f"{name}-iou" not in place:
            raise table.fault(f"it has a column {name}-label and none called {name}-iou", hint=EXPECTED)
        truth, activation, intersect = (place.get(f"{name}-{count}") for count in _COUNTS)
        counts = None
        if truth is not None and activation is not None and intersect is not None:
            counts = truth, activation, intersect
        yield CategoryColumns(name, place[column], place[f"{name}-iou"], counts)
