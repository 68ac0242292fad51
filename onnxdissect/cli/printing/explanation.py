"""What a terminal is told of an explanation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table

from onnxdissect.cli.printing.names import visible_cell
from onnxdissect.cli.printing.tables import plain_table

if TYPE_CHECKING:
    from onnxdissect.experiments.explanation import Explanation, UnitContribution

__all__ = ["explanation_sentences", "explanation_table"]


def explanation_table(explanation: Explanation, top: int) -> Table:
    """Lay out the units of the largest contributions, with labels, certainty and places; or the concepts."""
    from onnxdissect.experiments.explanation.formats.wording import fired, prediction

    # names of files and classes may hold what rich takes for markup
    title = escape(visible_cell(f"{explanation.image}: {prediction(explanation)}"))
    if explanation.orders is not None and explanation.orders.over == "concepts":
        return _concept_table(explanation, title, top)
    estimated = any(unit.standard_error is not None for unit in explanation.units)
    resampled = any(unit.iou_low is not None for unit in explanation.units)
    size = explanation.pixels.shape[:2]
    columns = [
        "unit",
        "label",
        "category",
        ">IoU",
        *([">95 %", ">stability", "reliable"] if resampled else []),
    ]
    columns += [">contribution", *([">s.e."] if estimated else []), ">share", "fired"]
    rows = [
        [
            *_label(unit, resampled),
            f"{unit.contribution:+.4g}",
            *([_error(unit.standard_error)] if estimated else []),
            f"{100 * unit.share:+.0f} %",
            fired(unit, size),
        ]
        for unit in explanation.units
    ]
    return plain_table(title, columns, rows)


def _concept_table(explanation: Explanation, title: str, top: int) -> Table:
    """Lay out the concepts of the largest contributions, where only those have any."""
    strongest = sorted(explanation.concepts, key=lambda one: -abs(one.contribution))[:top]
    rows = [
        [
            one.concept,
            one.category,
            f"{len(one.units):,}",
            f"{one.contribution:+.4g}",
            _error(one.standard_error),
            f"{100 * one.share:+.0f} %",
        ]
        for one in strongest
        if one.contribution
    ]
    table = plain_table(title, ["concept", "category", ">units", ">contribution", ">s.e.", ">share"], rows)
    # what the image is called does not have to fold because labels are short
    table.min_width = cell_len(str(table.title))
    return table


def _error(error: float | None) -> str:
    return "" if error is None else f"{error:.2g}"


def _label(unit: UnitContribution, resampled: bool) -> list[object]:
    # only detectors have a label that counts
    label = unit.label if unit.detector else f"({unit.label})" if unit.label else ""
    cells: list[object] = [unit.unit, label, unit.category, f"{unit.iou:.3f}"]
    if resampled and unit.iou_low is not None and unit.iou_high is not None:
        stability = "" if unit.stability is None else f"{unit.stability:.2f}"
        cells += [f"{unit.iou_low:.3f}-{unit.iou_high:.3f}", stability, "yes" if unit.reliable else "no"]
    elif resampled:
        cells += ["", "", ""]
    return cells


def explanation_sentences(explanation: Explanation) -> Iterator[str]:
    """Say which concepts made the score, and what contributions are."""
    from onnxdissect.experiments.explanation.formats.wording import attribution_sentence, concept_sentence

    yield concept_sentence(explanation)
    yield f"{explanation.alias}, {attribution_sentence(explanation)}"
