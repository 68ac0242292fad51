"""The four tables of a run directory, written and read back exactly."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from onnxdissect.errors import RunFormatError
from onnxdissect.results.records import Concept, ImageInfo, LayerSummary, Unit
from onnxdissect.storage.files import write_csv

__all__ = [
    "CONCEPTS",
    "IMAGES",
    "LAYERS",
    "UNITS",
    "read_concepts",
    "read_images",
    "read_summaries",
    "read_units",
    "unit_header",
    "unit_row",
    "write_concepts",
    "write_images",
    "write_summaries",
    "write_units",
]

UNITS = "units.csv"
LAYERS = "layers.csv"
CONCEPTS = "concepts.csv"
IMAGES = "images.csv"

_UNIT_COLUMNS = (
    "layer",
    "quantile",
    "unit",
    "label",
    "category",
    "iou",
    "iou_low",
    "iou_high",
    "stability",
    "p_value",
    "q_value",
    "detector",
    "reliable",
    "threshold",
)
_SUMMARY_COLUMNS = (
    "layer",
    "quantile",
    "units",
    "detectors",
    "unique_detectors",
    "unique_any",
    "detectors_fdr",
    "unique_low",
    "unique_high",
    "reliable_detectors",
    "unique_reliable",
    "rare_labels",
    "plateau_units",
    "constant_units",
)
# Columns that came later; runs without them are still read.
_LATER = frozenset(
    {
        *("p_value", "q_value", "detectors_fdr", "unique_low", "unique_high"),
        *("reliable", "reliable_detectors", "unique_reliable", "rare_labels"),
        *("plateau_units", "constant_units"),
    }
)
_CONCEPT_COLUMNS = ("number", "name", "category", "truth", "images")
_IMAGE_COLUMNS = ("index", "image", "split", "sh", "sw")
_TRUTHS = {"true": True, "false": False}

_Record = TypeVar("_Record")


def unit_header(categories: Sequence[str]) -> list[str]:
    """Columns of ``units.csv``.

    Parameters
    ----------
    categories : sequence of str
        In the run's order.

    Returns
    -------
    list of str
    """
    return [*_UNIT_COLUMNS, *(f"{name}_{what}" for name in categories for what in ("label", "iou"))]


def unit_row(unit: Unit, categories: Sequence[str]) -> list[object]:
    """Give a unit's values in the order of `unit_header`.

    Parameters
    ----------
    unit : Unit
        The unit.
    categories : sequence of str
        In the run's order.

    Returns
    -------
    list
    """
    row: list[object] = [getattr(unit, name) for name in _UNIT_COLUMNS]
    for name in categories:
        row.extend(unit.best[name])
    return row


def write_units(folder: Path, units: Iterable[Unit], categories: Sequence[str]) -> None:
    """Write ``units.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.
    units : iterable of Unit
        By layer, quantile and unit.
    categories : sequence of str
        In the run's order.
    """
    rows = (unit_row(unit, categories) for unit in units)
    write_csv(folder / UNITS, unit_header(categories), rows)


def write_summaries(folder: Path, summaries: Iterable[LayerSummary], categories: Sequence[str]) -> None:
    """Write ``layers.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.
    summaries : iterable of LayerSummary
        By layer and quantile.
    categories : sequence of str
        In the run's order.
    """
    rows = (
        [*(getattr(summary, name) for name in _SUMMARY_COLUMNS), *(summary.unique[c] for c in categories)]
        for summary in summaries
    )
    write_csv(folder / LAYERS, _summary_header(categories), rows)


def write_concepts(folder: Path, concepts: Iterable[Concept]) -> None:
    """Write ``concepts.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.
    concepts : iterable of Concept
        In order of their numbers.
    """
    rows = ([getattr(concept, name) for name in _CONCEPT_COLUMNS] for concept in concepts)
    write_csv(folder / CONCEPTS, _CONCEPT_COLUMNS, rows)


def write_images(folder: Path, images: Iterable[ImageInfo]) -> None:
    """Write ``images.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.
    images : iterable of ImageInfo
        In the run's order.
    """
    rows = ([index, image.name, image.split, *image.grid] for index, image in enumerate(images))
    write_csv(folder / IMAGES, _IMAGE_COLUMNS, rows)


def read_units(folder: Path, categories: Sequence[str]) -> tuple[Unit, ...]:
    """Read ``units.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.
    categories : sequence of str
        In the run's order.

    Returns
    -------
    tuple of Unit

    Raises
    ------
    RunFormatError
        If the file is missing or malformed.
    """

    def unit(cells: Mapping[str, str], rest: Sequence[str]) -> Unit:
        return Unit(
            layer=cells["layer"],
            quantile=float(cells["quantile"]),
            unit=int(cells["unit"]),
            label=cells["label"],
            category=cells["category"],
            iou=float(cells["iou"]),
            iou_low=_optional(cells["iou_low"]),
            iou_high=_optional(cells["iou_high"]),
            stability=_optional(cells["stability"]),
            p_value=_optional(cells["p_value"]),
            q_value=_optional(cells["q_value"]),
            detector=_TRUTHS[cells["detector"]],
            reliable=_TRUTHS[cells["reliable"]] if cells["reliable"] else None,
            threshold=float(cells["threshold"]),
            best={
                name: (best, float(value))
                for name, best, value in zip(categories, rest[::2], rest[1::2], strict=True)
            },
        )

    return tuple(_read(folder / UNITS, _UNIT_COLUMNS, unit_header(categories), unit))


def read_summaries(folder: Path, categories: Sequence[str]) -> tuple[LayerSummary, ...]:
    """Read ``layers.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.
    categories : sequence of str
        In the run's order.

    Returns
    -------
    tuple of LayerSummary

    Raises
    ------
    RunFormatError
        If the file is missing or malformed.
    """

    def summary(cells: Mapping[str, str], rest: Sequence[str]) -> LayerSummary:
        return LayerSummary(
            layer=cells["layer"],
            quantile=float(cells["quantile"]),
            units=int(cells["units"]),
            detectors=int(cells["detectors"]),
            unique_detectors=int(cells["unique_detectors"]),
            unique_any=int(cells["unique_any"]),
            unique=dict(zip(categories, map(int, rest), strict=True)),
            detectors_fdr=_count(cells["detectors_fdr"]),
            unique_low=_count(cells["unique_low"]),
            unique_high=_count(cells["unique_high"]),
            reliable_detectors=_count(cells["reliable_detectors"]),
            unique_reliable=_count(cells["unique_reliable"]),
            rare_labels=_count(cells["rare_labels"]) or 0,
            plateau_units=_count(cells["plateau_units"]) or 0,
            constant_units=_count(cells["constant_units"]) or 0,
        )

    # Runs of earlier versions have two columns of one name where a category is called "any".
    former = [f"unique_{name}" for name in categories]
    return tuple(_read(folder / LAYERS, _SUMMARY_COLUMNS, _summary_header(categories), summary, former))


def read_concepts(folder: Path) -> tuple[Concept, ...]:
    """Read ``concepts.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.

    Returns
    -------
    tuple of Concept

    Raises
    ------
    RunFormatError
        If the file is missing or malformed.
    """

    def concept(cells: Mapping[str, str], _: Sequence[str]) -> Concept:
        number, name, category, truth, images = cells.values()
        return Concept(int(number), name, category, int(truth), int(images))

    return tuple(_read(folder / CONCEPTS, _CONCEPT_COLUMNS, _CONCEPT_COLUMNS, concept))


def read_images(folder: Path) -> tuple[ImageInfo, ...]:
    """Read ``images.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.

    Returns
    -------
    tuple of ImageInfo

    Raises
    ------
    RunFormatError
        If the file is missing or malformed.
    """

    def image(cells: Mapping[str, str], _: Sequence[str]) -> ImageInfo:
        return ImageInfo(cells["image"], cells["split"], (int(cells["sh"]), int(cells["sw"])))

    return tuple(_read(folder / IMAGES, _IMAGE_COLUMNS, _IMAGE_COLUMNS, image))


def _summary_header(categories: Sequence[str]) -> list[str]:
    header = list(_SUMMARY_COLUMNS)
    for name in categories:
        column = f"unique_{name}"
        # Who reads by names must find the layer's own numbers, also where a category is called "any".
        taken = {*_SUMMARY_COLUMNS, *(f"unique_{other}" for other in categories if other != name)}
        while column in taken:
            column += "_category"
        header.append(column)
    return header


def _read(
    path: Path,
    fixed: Sequence[str],
    header: Sequence[str],
    parse: Callable[[Mapping[str, str], Sequence[str]], _Record],
    former: Sequence[str] = (),
) -> Iterator[_Record]:
    by_category = len(header) - len(fixed)
    line = 1
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file, strict=True)
            found = next(rows, [])
            named = found[: len(found) - by_category]
            absent = [name for name in fixed if name not in named]
            present = [name for name in fixed if name in named]
            rest = found[len(present) :]
            known = found[: len(present)] == present and rest in (list(header[len(fixed) :]), list(former))
            if not _LATER.issuperset(absent) or not known:
                raise ValueError(f"its columns are {','.join(found)!r}, not {','.join(header)!r}")
            none = dict.fromkeys(absent, "")
            for row in rows:
                line = rows.line_num
                if len(row) != len(found):
                    raise ValueError(f"{len(row)} cells where there are {len(found)} columns")
                cells = dict(zip(present, row[: len(present)], strict=True))
                yield parse(cells | none, row[len(present) :])
    except FileNotFoundError as error:
        raise RunFormatError(f"{path} is missing", hint="dissect again with --fresh") from error
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise RunFormatError(f"{path}, line {line}: {error}", hint="dissect again with --fresh") from error


def _optional(cell: str) -> float | None:
    return float(cell) if cell else None


def _count(cell: str) -> int | None:
    return int(cell) if cell else None
