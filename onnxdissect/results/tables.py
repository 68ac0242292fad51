"""The four tables of a run directory, written and read back exactly."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from onnxdissect.errors import RunFormatError
from onnxdissect.files import write_csv
from onnxdissect.results.records import Concept, ImageInfo, LayerSummary, Unit

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
)
# Columns that came later; runs without them are still read.
_LATER = frozenset({"p_value", "q_value", "detectors_fdr", "unique_low", "unique_high"})
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

    def unit(row: Sequence[str]) -> Unit:
        layer, quantile, number, label, category, iou, low, high, stability, *rest = row
        p_value, q_value, detector, threshold, *rest = rest
        return Unit(
            layer=layer,
            quantile=float(quantile),
            unit=int(number),
            label=label,
            category=category,
            iou=float(iou),
            iou_low=_optional(low),
            iou_high=_optional(high),
            stability=_optional(stability),
            p_value=_optional(p_value),
            q_value=_optional(q_value),
            detector=_TRUTHS[detector],
            threshold=float(threshold),
            best={
                name: (best, float(value))
                for name, best, value in zip(categories, rest[::2], rest[1::2], strict=True)
            },
        )

    return tuple(_read(folder / UNITS, unit_header(categories), unit))


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

    def summary(row: Sequence[str]) -> LayerSummary:
        layer, quantile, units, detectors, unique, unique_any, *rest = row
        detectors_fdr, low, high, *by_category = rest
        return LayerSummary(
            layer=layer,
            quantile=float(quantile),
            units=int(units),
            detectors=int(detectors),
            unique_detectors=int(unique),
            unique_any=int(unique_any),
            unique=dict(zip(categories, map(int, by_category), strict=True)),
            detectors_fdr=int(detectors_fdr) if detectors_fdr else None,
            unique_low=int(low) if low else None,
            unique_high=int(high) if high else None,
        )

    return tuple(_read(folder / LAYERS, _summary_header(categories), summary))


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

    def concept(row: Sequence[str]) -> Concept:
        number, name, category, truth, images = row
        return Concept(int(number), name, category, int(truth), int(images))

    return tuple(_read(folder / CONCEPTS, _CONCEPT_COLUMNS, concept))


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

    def image(row: Sequence[str]) -> ImageInfo:
        _, name, split, sh, sw = row
        return ImageInfo(name, split, (int(sh), int(sw)))

    return tuple(_read(folder / IMAGES, _IMAGE_COLUMNS, image))


def _summary_header(categories: Sequence[str]) -> list[str]:
    return [*_SUMMARY_COLUMNS, *(f"unique_{name}" for name in categories)]


def _read(path: Path, header: Sequence[str], parse: Callable[[Sequence[str]], _Record]) -> Iterator[_Record]:
    # By position, not by name: a category called "any" makes two columns of one name in layers.csv.
    line = 1
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file, strict=True)
            found = next(rows, [])
            earlier = [name for name in header if name not in _LATER]
            if found not in (list(header), earlier):
                raise ValueError(f"its columns are {','.join(found)!r}, not {','.join(header)!r}")
            places = [i for i, name in enumerate(header) if name in _LATER] if found == earlier else []
            for row in rows:
                line = rows.line_num
                if len(row) != len(found):
                    raise ValueError(f"{len(row)} cells where there are {len(found)} columns")
                for place in places:
                    row.insert(place, "")
                yield parse(row)
    except FileNotFoundError as error:
        raise RunFormatError(f"{path} is missing", hint="dissect again with --fresh") from error
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise RunFormatError(f"{path}, line {line}: {error}", hint="dissect again with --fresh") from error


def _optional(cell: str) -> float | None:
    return float(cell) if cell else None
