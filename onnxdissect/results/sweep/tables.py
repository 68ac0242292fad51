"""The three tables of a threshold sweep in a run directory; read back only where they agree with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from onnxdissect.errors import RunFormatError
from onnxdissect.results.formats.rows import Cells, Record, integer, read_rows
from onnxdissect.results.formats.tables import CONCEPTS, LAYERS, UNITS, category_columns
from onnxdissect.results.records import LayerInfo, LayerSummary, Unit
from onnxdissect.results.sweep.counting import unit_labels
from onnxdissect.results.sweep.generic import REASONS
from onnxdissect.results.sweep.records import (
    GenericConcept,
    LayerSweep,
    QuantileCounts,
    ThresholdSweep,
    UnitLabels,
)
from onnxdissect.storage.fields import shown
from onnxdissect.storage.files import write_csv

if TYPE_CHECKING:
    from onnxdissect.results.dissection import Dissection

__all__ = ["GENERIC", "LABELS", "QUANTILES", "read_sweep", "write_sweep"]

QUANTILES = "quantiles.csv"
LABELS = "labels_by_quantile.csv"
GENERIC = "generic_labels.csv"

_AGAIN = "onnxdissect rescore makes the file anew"
_COUNTED = (
    *("layer", "quantile", "units", "labelled", "detectors", "unique_detectors", "unique_low", "unique_high"),
    *("generic_labels", "generic_detectors", *(f"generic_{reason}" for reason in REASONS), "changed"),
)
_NOT_WHOLE = ("layer", "quantile", "unique_low", "unique_high", "changed")
_COUNT_COLUMNS = (*_COUNTED, "generic_share", "generic_label_share")
_UNIT_COLUMNS = ("layer", "unit", "same_label", "changes", "detections", "first_detector", "last_detector")
_BY_QUANTILE = ("label", "category", "detector")
_GENERIC_COLUMNS = ("number", "name", "category", "share", "reason")
# A spreadsheet that writes a table again keeps 15 digits.
_ALMOST = 1e-9


def write_sweep(folder: Path, sweep: ThresholdSweep, categories: Sequence[str]) -> None:
    """Write ``quantiles.csv``, ``labels_by_quantile.csv`` and ``generic_labels.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.
    sweep : ThresholdSweep
    categories : sequence of str
        In the run's order.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    counts = (counted for layer in sweep.layers for counted in layer.counts)
    rows = (
        [
            *(getattr(counted, name) for name in _COUNT_COLUMNS),
            *(counted.detectors_by[name] for name in categories),
            *(counted.unique[name] for name in categories),
        ]
        for counted in counts
    )
    write_csv(folder / QUANTILES, _count_header(categories), rows)
    units = (_unit_row(unit) for layer in sweep.layers for unit in layer.units)
    write_csv(folder / LABELS, _unit_header(sweep.quantiles), units)
    concepts = ([getattr(concept, name) for name in _GENERIC_COLUMNS] for concept in sweep.generic)
    write_csv(folder / GENERIC, _GENERIC_COLUMNS, concepts)


def read_sweep(run: Dissection) -> ThresholdSweep | None:
    """Read what a run stores of its threshold sweep.

    Parameters
    ----------
    run : Dissection
        Its layers, units and summaries are those that the tables must be of.

    Returns
    -------
    ThresholdSweep or None
        None if the run was made by a version that did not store it.

    Raises
    ------
    RunFormatError
        If a file is missing beside the others, damaged, or not of this run.
    """
    paths = [run.path / name for name in (QUANTILES, LABELS, GENERIC)]
    present = [os.path.lexists(path) for path in paths]
    if not any(present):
        return None
    if not all(present):
        missing = paths[present.index(False)]
        raise RunFormatError(
            f"{missing} is missing, and {paths[present.index(True)].name} is there", hint=_AGAIN
        )
    rising = tuple(sorted(run.quantiles))
    units, summaries = _by_layer_and_quantile(run)
    generic = _read_generic(paths[2], run)
    labels = _read_labels(paths[1], run.layers, rising, units)
    counts = _read_counts(paths[0], run, [summaries[info.name, q] for info in run.layers for q in rising])
    layers = tuple(
        LayerSweep(info.name, rising, counts[i * len(rising) : (i + 1) * len(rising)], labels[i])
        for i, info in enumerate(run.layers)
    )
    return ThresholdSweep(rising, layers, generic)


_Units = dict[tuple[str, float], Sequence[Unit]]


def _by_layer_and_quantile(run: Dissection) -> tuple[_Units, dict[tuple[str, float], LayerSummary]]:
    every, first = run.units(), 0
    rows: _Units = {}
    for info in run.layers:
        for quantile in run.quantiles:
            rows[info.name, quantile] = every[first : first + info.units]
            first += info.units
    return rows, {(summary.layer, summary.quantile): summary for summary in run.summary()}


def _read_counts(
    path: Path, run: Dissection, summaries: Sequence[LayerSummary]
) -> tuple[QuantileCounts, ...]:
    expected = iter(summaries)
    smallest = min(run.quantiles)

    def counts(cells: Cells, rest: Sequence[str]) -> QuantileCounts:
        summary = next(expected, None)
        if summary is None:
            raise ValueError(f"it has more rows than {LAYERS}")
        by_category = [
            integer(cell, name) for cell, name in zip(rest, header[len(_COUNT_COLUMNS) :], strict=True)
        ]
        half = len(run.categories)
        found = QuantileCounts(
            layer=cells.text("layer"),
            quantile=cells.share("quantile"),
            unique_low=cells.count("unique_low"),
            unique_high=cells.count("unique_high"),
            changed=cells.count("changed"),
            detectors_by=dict(zip(run.categories, by_category[:half], strict=True)),
            unique=dict(zip(run.categories, by_category[half:], strict=True)),
            **{name: cells.integer(name) for name in _COUNTED if name not in _NOT_WHOLE},
        )
        _expect_counts(found, summary, summary.quantile == smallest)
        for name in ("generic_share", "generic_label_share"):
            if not _almost(getattr(found, name), cells.share_or_none(name)):
                raise ValueError(f"{name} is {shown(cells.text(name))}, not what its counts make")
        return found

    header = _count_header(run.categories)
    rows = tuple(_rows(path, _COUNT_COLUMNS, header, counts))
    if next(expected, None) is not None:
        raise RunFormatError(f"{path} has fewer rows than {LAYERS}", hint=_AGAIN)
    return rows


def _expect_counts(found: QuantileCounts, summary: LayerSummary, smallest: bool) -> None:
    """See that a row is that of a layer's summary, and that its counts are parts of each other."""
    same = (
        "layer",
        "quantile",
        "units",
        "detectors",
        "unique_detectors",
        "unique_low",
        "unique_high",
        "unique",
    )
    for name in same:
        if getattr(found, name) != getattr(summary, name):
            raise ValueError(f"{name} is not that of {LAYERS}")
    for part, whole in (
        ("labelled", "units"),
        ("detectors", "labelled"),
        ("generic_labels", "labelled"),
        ("generic_detectors", "detectors"),
        ("generic_detectors", "generic_labels"),
    ):
        if getattr(found, part) > getattr(found, whole):
            raise ValueError(f"{part} is {getattr(found, part):,}, more than {whole}")
    if sum(getattr(found, f"generic_{reason}") for reason in REASONS) != found.generic_detectors:
        raise ValueError("generic_detectors is not the sum of its reasons")
    if sum(found.detectors_by.values()) != found.detectors:
        raise ValueError("detectors is not the sum of its categories")
    if any(found.unique[name] > count for name, count in found.detectors_by.items()):
        raise ValueError("a category has more unique detectors than detectors")
    if (found.changed is None) != smallest or (found.changed or 0) > found.units:
        raise ValueError(f"changed is {found.changed}, which cannot be at quantile {found.quantile:g}")


def _read_labels(
    path: Path, layers: Sequence[LayerInfo], quantiles: tuple[float, ...], units: _Units
) -> tuple[tuple[UnitLabels, ...], ...]:
    """Read each unit's row; what it says has to be what ``units.csv`` does."""
    read = tuple(unit_labels(info, quantiles, [units[info.name, q] for q in quantiles]) for info in layers)
    expected = chain.from_iterable(read)
    header = _unit_header(quantiles)

    def expect(cells: Cells, rest: Sequence[str]) -> None:
        unit = next(expected, None)
        if unit is None:
            raise ValueError(f"it lists more units than {UNITS}")
        found = [*(cells.text(name) for name in _UNIT_COLUMNS), *rest]
        for name, cell, other in zip(header, found, map(_text, _unit_row(unit)), strict=True):
            if cell != other:
                raise ValueError(f"{name} is {shown(cell)}, and by {UNITS} {shown(other)}")

    for _ in _rows(path, _UNIT_COLUMNS, header, expect):
        pass
    if next(expected, None) is not None:
        raise RunFormatError(f"{path} lists fewer units than {UNITS}", hint=_AGAIN)
    return read


def _read_generic(path: Path, run: Dissection) -> tuple[GenericConcept, ...]:
    known = {concept.number: concept for concept in run.concepts}

    def generic(cells: Cells, _: Sequence[str]) -> GenericConcept:
        number, reason = cells.integer("number"), cells.text("reason")
        concept = known.get(number)
        if concept is None or (concept.name, concept.category) != (
            cells.text("name"),
            cells.text("category"),
        ):
            raise ValueError(f"{number} is not the number of {shown(cells.text('name'))} in {CONCEPTS}")
        if reason not in REASONS:
            raise ValueError(f"reason is {shown(reason)}, not one of {', '.join(REASONS)}")
        return GenericConcept(number, concept.name, concept.category, cells.share("share"), reason)

    found = tuple(_rows(path, _GENERIC_COLUMNS, _GENERIC_COLUMNS, generic))
    if any(one.number >= other.number for one, other in pairwise(found)):
        raise RunFormatError(f"{path} is not in order of the concepts' numbers", hint=_AGAIN)
    return found


def _rows(
    path: Path,
    fixed: Sequence[str],
    header: Sequence[str],
    parse: Callable[[Cells, Sequence[str]], Record],
) -> Iterator[Record]:
    try:
        yield from read_rows(path, fixed, header, parse)
    except RunFormatError as error:
        # unlike the tables that a run is made of, these can be made again
        raise RunFormatError(error.message, hint=_AGAIN) from error


def _count_header(categories: Sequence[str]) -> list[str]:
    return [
        *_COUNT_COLUMNS,
        *category_columns(_COUNT_COLUMNS, "detectors", categories),
        *category_columns(_COUNT_COLUMNS, "unique", categories),
    ]


def _unit_header(quantiles: Sequence[float]) -> list[str]:
    by_quantile = (f"{quantile!r}_{what}" for quantile in quantiles for what in _BY_QUANTILE)
    return [*_UNIT_COLUMNS, *by_quantile]


def _unit_row(unit: UnitLabels) -> list[object]:
    row: list[object] = [getattr(unit, name) for name in _UNIT_COLUMNS]
    for seen in zip(unit.labels, unit.categories, unit.detector, strict=True):
        row.extend(seen)
    return row


def _text(value: object) -> str:
    """Write a cell as `write_csv` does."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _almost(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _ALMOST
