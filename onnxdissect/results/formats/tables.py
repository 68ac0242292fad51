"""The four tables of a run directory, written and read back exactly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import count
from pathlib import Path

from onnxdissect.results.formats.rows import Cells, Record, finite, integer, read_rows
from onnxdissect.results.records import Concept, ImageInfo, LayerSummary, Unit
from onnxdissect.storage.fields import shown
from onnxdissect.storage.files import write_csv

__all__ = [
    "CONCEPTS",
    "IMAGES",
    "LAYERS",
    "UNITS",
    "category_columns",
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
# Of a label grid: far more than any data set has, and little enough to be held.
_LONGEST_SIDE, _MOST_PIXELS = 2**17, 2**28


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


def category_columns(fixed: Sequence[str], prefix: str, categories: Sequence[str]) -> list[str]:
    """Name the columns that a table has for each category.

    Parameters
    ----------
    fixed : sequence of str
        Its other columns.
    prefix : str
        What each begins with, before ``_``.
    categories : sequence of str
        In the run's order.

    Returns
    -------
    list of str
        ``<prefix>_<category>``, followed by ``_category`` where another column has that name.
    """
    columns = []
    for name in categories:
        column = f"{prefix}_{name}"
        # Who reads by names must find the layer's own numbers, also where a category is called "any".
        taken = {*fixed, *(f"{prefix}_{other}" for other in categories if other != name)}
        while column in taken:
            column += "_category"
        columns.append(column)
    return columns


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


def write_concepts(folder: Path, concepts: Iterable[Concept], unknown: Collection[str] = ()) -> None:
    """Write ``concepts.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.
    concepts : iterable of Concept
        In order of their numbers.
    unknown : collection of str
        Columns that are left empty.
    """
    rows = (
        [None if name in unknown else getattr(concept, name) for name in _CONCEPT_COLUMNS]
        for concept in concepts
    )
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


def read_units(folder: Path, categories: Sequence[str], *, imported: bool = False) -> tuple[Unit, ...]:
    """Read ``units.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.
    categories : sequence of str
        In the run's order.
    imported : bool
        Whether the run was imported, and tells no thresholds.

    Returns
    -------
    tuple of Unit

    Raises
    ------
    RunFormatError
        If the file is missing or malformed.
    """

    def unit(cells: Cells, rest: Sequence[str]) -> Unit:
        return Unit(
            layer=cells.text("layer"),
            quantile=cells.share("quantile"),
            unit=cells.integer("unit"),
            label=cells.text("label"),
            category=cells.text("category"),
            iou=cells.share("iou"),
            iou_low=cells.share_or_none("iou_low"),
            iou_high=cells.share_or_none("iou_high"),
            stability=cells.share_or_none("stability"),
            p_value=cells.share_or_none("p_value"),
            q_value=cells.share_or_none("q_value"),
            detector=cells.truth("detector"),
            reliable=cells.truth("reliable") if cells.text("reliable") else None,
            threshold=None if imported else cells.finite("threshold"),
            best={
                name: (best, finite(value, f"{name}_iou", 0, 1))
                for name, best, value in zip(categories, rest[::2], rest[1::2], strict=True)
            },
        )

    return _read(folder / UNITS, _UNIT_COLUMNS, unit_header(categories), unit)


def read_summaries(
    folder: Path, categories: Sequence[str], *, imported: bool = False
) -> tuple[LayerSummary, ...]:
    """Read ``layers.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.
    categories : sequence of str
        In the run's order.
    imported : bool
        Whether the run was imported, and does not tell what takes images or activations to know.

    Returns
    -------
    tuple of LayerSummary

    Raises
    ------
    RunFormatError
        If the file is missing or malformed.
    """
    absent = None if imported else 0

    def summary(cells: Cells, rest: Sequence[str]) -> LayerSummary:
        return LayerSummary(
            layer=cells.text("layer"),
            quantile=cells.share("quantile"),
            units=cells.integer("units"),
            detectors=cells.integer("detectors"),
            unique_detectors=cells.integer("unique_detectors"),
            unique_any=cells.integer("unique_any"),
            unique={
                name: integer(count, f"unique_{name}") for name, count in zip(categories, rest, strict=True)
            },
            detectors_fdr=cells.count("detectors_fdr"),
            unique_low=cells.count("unique_low"),
            unique_high=cells.count("unique_high"),
            reliable_detectors=cells.count("reliable_detectors"),
            unique_reliable=cells.count("unique_reliable"),
            rare_labels=cells.count("rare_labels") or absent,
            plateau_units=cells.count("plateau_units") or absent,
            constant_units=cells.count("constant_units") or absent,
        )

    # Runs of earlier versions have two columns of one name where a category is called "any".
    former = [f"unique_{name}" for name in categories]
    return _read(folder / LAYERS, _SUMMARY_COLUMNS, _summary_header(categories), summary, former)


def read_concepts(folder: Path, *, imported: bool = False) -> tuple[Concept, ...]:
    """Read ``concepts.csv``.

    Parameters
    ----------
    folder : Path
        The run directory.
    imported : bool
        Whether the run was imported, and may leave numbers out.

    Returns
    -------
    tuple of Concept

    Raises
    ------
    RunFormatError
        If the file is missing or malformed.
    """

    def concept(cells: Cells, _: Sequence[str]) -> Concept:
        truth, images = (
            cells.count(name) or 0 if imported else cells.integer(name) for name in ("truth", "images")
        )
        return Concept(cells.integer("number"), cells.text("name"), cells.text("category"), truth, images)

    return _read(folder / CONCEPTS, _CONCEPT_COLUMNS, _CONCEPT_COLUMNS, concept)


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
    places = count()
    # There are as many rows as images, and few grids among them: each is checked once.
    grids: dict[tuple[str, str], tuple[int, int]] = {}

    def grid(cells: Cells) -> tuple[int, int]:
        sh, sw = cells.integer("sh", 1, _LONGEST_SIDE), cells.integer("sw", 1, _LONGEST_SIDE)
        if sh * sw > _MOST_PIXELS:
            raise ValueError(f"a label grid of {sh:,} x {sw:,}: at most {_MOST_PIXELS:,} pixels are read")
        return sh, sw

    def image(cells: Cells, _: Sequence[str]) -> ImageInfo:
        place = next(places)
        if cells.text("index") != str(place):
            raise ValueError(f"index is {shown(cells.text('index'))}, where {place} was to come")
        sides = cells.text("sh"), cells.text("sw")
        known = grids.get(sides)
        if known is None:
            known = grids[sides] = grid(cells)
        return ImageInfo(cells.text("image"), cells.text("split"), known)

    return _read(folder / IMAGES, _IMAGE_COLUMNS, _IMAGE_COLUMNS, image)


def _summary_header(categories: Sequence[str]) -> list[str]:
    return [*_SUMMARY_COLUMNS, *category_columns(_SUMMARY_COLUMNS, "unique", categories)]


def _read(
    path: Path,
    fixed: Sequence[str],
    header: Sequence[str],
    parse: Callable[[Cells, Sequence[str]], Record],
    former: Sequence[str] = (),
) -> tuple[Record, ...]:
    return tuple(read_rows(path, fixed, header, parse, later=_LATER, former=former))
