"""What a result file says of each unit of each layer; a file that contradicts itself is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import shown
from onnxdissect.experiments.published.cells import pixels, ratio, unit_number
from onnxdissect.experiments.published.columns import CategoryColumns, ResultColumns
from onnxdissect.experiments.published.table import ResultTable

__all__ = ["PublishedLayer", "read_layers"]

# Two ways to divide the same numbers; NetDissect-Lite adds 1e-10 to what it divides by.
_ALMOST = 1e-9
_LISTED = 5

Row = tuple[int, tuple[str, ...]]
"""A line of the file and its cells."""


@dataclass(frozen=True, slots=True)
class PublishedLayer:
    """One layer of a result file. K units, G categories.

    Attributes
    ----------
    name : str
        As the column ``layer`` has it; empty where the file has none.
    labels : tuple of tuple of str
        For each unit and category the name of the best concept; empty where the mask meets none, or where
        the best one has no name.
    iou : ndarray of float64, shape (K, G)
        Its IoU, of nameless ones too; 0 where the mask meets none.
    truth, activation, intersection : ndarray of int64, shape (K, G)
        Its counts; zeros if the file does not tell them.
    lines : tuple of int
        Where each unit stands.
    decimal : bool
        Whether every count of pixels of a concept is written with a decimal point, as NetDissect-Lite does.
    """

    name: str
    labels: tuple[tuple[str, ...], ...]
    iou: NDArray[np.float64]
    truth: NDArray[np.int64]
    activation: NDArray[np.int64]
    intersection: NDArray[np.int64]
    lines: tuple[int, ...]
    decimal: bool


@dataclass(frozen=True, slots=True)
class _Best:
    """The best concept of one category for one unit."""

    label: str
    iou: float
    rounding: float
    truth: int = 0
    activation: int = 0
    intersection: int = 0


def read_layers(table: ResultTable, columns: ResultColumns) -> list[PublishedLayer]:
    """Read the layers of a file.

    Parameters
    ----------
    table : ResultTable
    columns : ResultColumns
        Of it.

    Returns
    -------
    list of PublishedLayer
        In the order in which they first appear; one if there is no column ``layer``.

    Raises
    ------
    ResultFileError
        If a number is none, a unit is missing or there twice, an IoU is not what its counts give, or a label
        is not the best of the categories.
    """
    return [_layer(table, columns, name, rows) for name, rows in _rows_by_layer(table, columns.layer).items()]


def _rows_by_layer(table: ResultTable, column: int | None) -> Mapping[str, list[Row]]:
    if column is None:
        return {"": list(table.rows)}
    found: dict[str, list[Row]] = {}
    for line, cells in table.rows:
        name = cells[column].strip()
        if not name:
            raise table.fault("layer is empty", line, "every row has to name its layer, or the column to go")
        found.setdefault(name, []).append((line, cells))
    numbers = [name for name in found if name.replace(".", "", 1).isdecimal()]
    if numbers and len(numbers) < len(found):
        other = next(name for name in found if name not in numbers)
        raise table.fault(
            "the column layer holds numbers and names: "
            f"{shown(numbers[0])} on line {found[numbers[0]][0][0]:,}, "
            f"{shown(other)} on line {found[other][0][0]:,}",
            hint="call the layers all by numbers or all by names",
        )
    _refuse_alike(table, numbers, {name: found[name][0][0] for name in numbers})
    return found


def _refuse_alike(table: ResultTable, numbers: Sequence[str], lines: Mapping[str, int]) -> None:
    """Refuse one number written in two ways, as a column is left that was taken for text and numbers."""
    first: dict[float, str] = {}
    for name in numbers:
        other = first.setdefault(float(name), name)
        if other != name:
            raise table.fault(
                "the column layer holds one number written in two ways: "
                f"{shown(other)} on line {lines[other]:,}, {shown(name)} on line {lines[name]:,}",
                hint="write the number of a layer in one way",
            )


def _layer(table: ResultTable, columns: ResultColumns, name: str, rows: Sequence[Row]) -> PublishedLayer:
    by_unit = _rows_by_unit(table, columns, name, rows)
    bests: list[list[_Best]] = []
    for line, cells in by_unit:
        try:
            found = [_best(cells, one) for one in columns.categories]
            _expect_label(cells, columns, found)
        except ValueError as error:
            raise table.fault(str(error), line) from error
        bests.append(found)
    counted = [one.counts for one in columns.categories if one.counts is not None]
    decimal = bool(counted) and all("." in cells[truth] for _, cells in by_unit for truth, *_ in counted)
    return PublishedLayer(
        name=name,
        labels=tuple(tuple(best.label for best in row) for row in bests),
        iou=np.array([[best.iou for best in row] for row in bests], np.float64),
        truth=np.array([[best.truth for best in row] for row in bests], np.int64),
        activation=np.array([[best.activation for best in row] for row in bests], np.int64),
        intersection=np.array([[best.intersection for best in row] for row in bests], np.int64),
        lines=tuple(line for line, _ in by_unit),
        decimal=decimal,
    )


def _rows_by_unit(table: ResultTable, columns: ResultColumns, name: str, rows: Sequence[Row]) -> list[Row]:
    """Order the rows of a layer by unit: each from 1 on has to be there once."""
    where = f" of layer {shown(name)}" if name else ""
    found: dict[int, Row] = {}
    for line, cells in rows:
        try:
            unit = unit_number(cells[columns.unit])
        except ValueError as error:
            raise table.fault(str(error), line) from error
        if unit in found:
            raise table.fault(f"unit {unit}{where} is there twice, on lines {found[unit][0]:,} and {line:,}")
        found[unit] = line, cells
    last = max(found)
    if len(found) < last:
        missing = list(islice((unit for unit in range(1, last) if unit not in found), _LISTED))
        more = last - len(found) - len(missing)
        listed = ", ".join(map(str, missing)) + (f" and {more:,} more" if more else "")
        raise table.fault(
            f"there are units up to {last:,}{where}, and unit {listed} is missing"
            if len(missing) + more == 1
            else f"there are units up to {last:,}{where}, and units {listed} are missing",
            hint="take the whole file: what is said of a layer goes by all of its units",
        )
    return [found[unit] for unit in range(1, last + 1)]


def _best(cells: Sequence[str], columns: CategoryColumns) -> _Best:
    """Read what a row says of a category, and see that its IoU is what its counts give."""
    label, name = cells[columns.label].strip(), columns.name
    told = ratio(cells[columns.iou], f"{name}-iou")
    if columns.counts is None:
        return _Best(label, told.value, told.rounding)
    truth, activation, intersection = (
        pixels(cells[place], f"{name}-{what}")
        for place, what in zip(columns.counts, ("truth", "activation", "intersect"), strict=True)
    )
    if intersection > truth:
        raise ValueError(f"{name}-intersect is {intersection:,}, and {name}-truth {truth:,}: a part of it")
    union = activation + truth - intersection
    iou = intersection / union if union else 0.0
    if iou > 1 or abs(iou - told.value) > told.rounding + _ALMOST:
        raise ValueError(
            f"{name}-iou is {told.value:.10g}, and its counts give {iou:.10g}: "
            f"{intersection:,} / ({activation:,} + {truth:,} - {intersection:,})"
        )
    return _Best(label, iou, told.rounding, truth, activation, intersection)


def _expect_label(cells: Sequence[str], columns: ResultColumns, bests: Sequence[_Best]) -> None:
    """See that label and score of a row, where it has them, are those of its best category."""
    best = max(bests, key=lambda one: one.iou)
    rounding = max(one.rounding for one in bests)
    if columns.score is not None:
        score = ratio(cells[columns.score], "score")
        if abs(score.value - best.iou) > score.rounding + rounding + _ALMOST:
            raise ValueError(f"score is {score.value:.10g}, and the best IoU of the row {best.iou:.10g}")
    if best.iou == 0:
        return
    equal = list(_equally_good(columns, bests, best.iou - 2 * rounding - _ALMOST))
    for column, what, candidates in (
        (columns.label, "label", [label for _, label in equal]),
        (columns.category, "category", [category for category, _ in equal]),
    ):
        if column is not None and cells[column].strip() not in candidates:
            raise ValueError(
                f"{what} is {shown(cells[column])}, and the best IoU of the row is that of "
                f"{shown(candidates[0])}"
            )


def _equally_good(columns: ResultColumns, bests: Sequence[_Best], least: float) -> Iterator[tuple[str, str]]:
    for one, best in zip(columns.categories, bests, strict=True):
        if best.iou >= least:
            yield one.name, best.label
