"""Tables of results for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from onnxdissect.results import Dissection, Unit

__all__ = ["best_units", "plain_table", "summary_json", "summary_table"]


def plain_table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Make a table; columns whose name starts with ``>`` are right-aligned.

    Parameters
    ----------
    title : str or None
        Printed above it.
    columns : sequence of str
        Headings.
    rows : iterable of sequences
        Cells; anything that can be printed.

    Returns
    -------
    Table
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    return table


def summary_table(dissection: Dissection) -> Table:
    """Layers of a run, with their unique detectors by category.

    Parameters
    ----------
    dissection : Dissection

    Returns
    -------
    Table
    """
    several = len(dissection.quantiles) > 1
    aliases = {layer.name: layer.alias for layer in dissection.layers}
    rows: list[list[object]] = []
    for line in dissection.summary():
        cells: list[object] = [aliases[line.layer], line.layer]
        cells += [line.quantile] if several else []
        cells += [line.units, line.detectors, line.unique_detectors]
        rows.append(cells + [line.unique[category] for category in dissection.categories])
    columns = ["layer", "value", *([">quantile"] if several else []), ">units", ">detectors", ">unique"]
    return plain_table(
        f"Unique detectors (IoU > {dissection.iou_threshold:g}, scored as {dissection.scoring})",
        columns + [f">{category}" for category in dissection.categories],
        rows,
    )


def best_units(dissection: Dissection, count: int = 5) -> Table:
    """Strongest detectors of each layer, each concept once.

    Parameters
    ----------
    dissection : Dissection
    count : int
        How many per layer.

    Returns
    -------
    Table
    """
    rows: list[list[object]] = []
    for layer in dissection.layers:
        concepts: dict[str, Unit] = {}
        units = dissection.units(layer.name, dissection.quantiles[0])
        for unit in sorted(units, key=lambda unit: -unit.iou):
            if unit.detector:
                concepts.setdefault(unit.label, unit)
        rows += [
            [layer.alias, unit.unit, unit.label, unit.category, f"{unit.iou:.3f}"]
            for unit in list(concepts.values())[:count]
        ]
    return plain_table("Best detectors", ["layer", ">unit", "label", "category", ">IoU"], rows)


def summary_json(dissection: Dissection) -> dict[str, object]:
    """Give the same facts as JSON values.

    Parameters
    ----------
    dissection : Dissection

    Returns
    -------
    dict
    """
    return {
        "run": str(dissection.path),
        "iou_threshold": dissection.iou_threshold,
        "scoring": dissection.scoring,
        "layers": [
            {
                "layer": line.layer,
                "quantile": line.quantile,
                "units": line.units,
                "detectors": line.detectors,
                "unique_detectors": line.unique_detectors,
                "unique_any": line.unique_any,
                "unique": dict(line.unique),
            }
            for line in dissection.summary()
        ],
    }
