"""Tables of results for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table

from onnxdissect.cli.printing.names import visible_cell

if TYPE_CHECKING:
    from onnxdissect.results import Dissection, Unit

__all__ = [
    "aligned_lines",
    "best_units",
    "headlines",
    "plain_table",
    "summary_json",
    "summary_table",
]


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
        table.add_row(*(escape(visible_cell(str(cell))) for cell in row))
    return table


def aligned_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lay a table out without folding any cell, as `plain_table` does where there is room.

    Parameters
    ----------
    columns, rows
        As `plain_table` takes them.

    Returns
    -------
    list of str
        The headings, then a line per row. Thousands of rows take a fraction of a second.
    """
    right = [column.startswith(">") for column in columns]
    cells = [
        [column.removeprefix(">") for column in columns],
        *([visible_cell(str(cell)) for cell in row] for row in rows),
    ]
    widths = [[cell_len(cell) for cell in row] for row in cells]
    widest = [max(column) for column in zip(*widths, strict=True)]
    lines = []
    for row, lengths in zip(cells, widths, strict=True):
        padded = [
            " " * (most - length) + cell if flush else cell + " " * (most - length)
            for cell, length, most, flush in zip(row, lengths, widest, right, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return lines


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
    under = {layer.name for layer in dissection.layers if layer.basis is not None}
    tested = any(line.detectors_fdr is not None for line in dissection.summary())
    resampled = any(line.unique_low is not None for line in dissection.summary())
    saturated = any(line.plateau_units for line in dissection.summary())
    rows: list[list[object]] = []
    for line in dissection.summary():
        # under a basis the value is that of a layer above, and the alias tells of which
        cells: list[object] = [aliases[line.layer], "" if line.layer in under else line.layer]
        cells += [line.quantile] if several else []
        cells += [line.units, line.detectors]
        cells += [line.plateau_units] if saturated else []
        cells += [_blank(line.detectors_fdr)] if tested else []
        cells += [_blank(line.reliable_detectors)] if resampled else []
        cells += [line.unique_detectors]
        cells += (
            [_span(line.unique_low, line.unique_high, "d"), _blank(line.unique_reliable)] if resampled else []
        )
        rows.append(cells + [line.unique[category] for category in dissection.categories])
    columns = ["layer", "value", *([">quantile"] if several else []), ">units", ">detectors"]
    columns += [">saturated"] if saturated else []
    columns += [*([">FDR 5 %"] if tested else []), *([">reliable"] if resampled else [])]
    columns += [">unique", *([">95 %", ">unique reliable"] if resampled else [])]
    return plain_table(
        f"Unique detectors (IoU > {dissection.iou_threshold:g}, scored as {dissection.scoring})",
        columns + [f">{category}" for category in dissection.categories],
        rows,
    )


def headlines(dissection: Dissection) -> list[str]:
    """Summarise a run: its best layer at each quantile and over all, advice where few detectors are reliable.

    Parameters
    ----------
    dissection : Dissection

    Returns
    -------
    list of str
        Lines.
    """
    from onnxdissect.results.headline import advice, best_layer, headline, left_out
    from onnxdissect.results.sweep import threshold_sweep
    from onnxdissect.results.sweep.wording import sweep_sentence

    aliases = {layer.name: layer.alias for layer in dissection.layers}
    lines = []
    for quantile in dissection.quantiles:
        best = best_layer(dissection, quantile)
        if best is not None:
            where = f" at quantile {quantile:g}" if len(dissection.quantiles) > 1 else ""
            lines.append(f"{aliases[best.layer]}{where}: {headline(best)}")
    best = best_layer(dissection, dissection.quantiles[0])
    if best is not None and len(dissection.quantiles) > 1:
        (swept,) = threshold_sweep(dissection, best.layer).layers
        lines.append(f"{aliases[best.layer]}: {sweep_sentence(swept)}")
    out = left_out(dissection)
    if out:
        lines.append(f"{out:,} concepts in fewer than {dissection.min_images:,} images were no candidates")
    return lines + advice(dissection)


def best_units(dissection: Dissection, count: int = 5) -> Table:
    """Strongest detectors of each layer, reliable ones first, each concept once.

    Parameters
    ----------
    dissection : Dissection
    count : int
        How many per layer.

    Returns
    -------
    Table
    """
    units = dissection.units()
    resampled = any(unit.iou_low is not None for unit in units)
    has_reliability = any(unit.reliable is not None for unit in units)
    rows: list[list[object]] = []
    for layer in dissection.layers:
        concepts: dict[str, Unit] = {}
        of_layer = dissection.units(layer.name, dissection.quantiles[0])
        for unit in sorted(of_layer, key=lambda unit: (not unit.reliable, -unit.iou)):
            if unit.detector:
                concepts.setdefault(unit.label, unit)
        rows += [
            [
                layer.alias,
                unit.unit,
                unit.label,
                unit.category,
                f"{unit.iou:.3f}",
                *([_span(unit.iou_low, unit.iou_high, ".3f")] if resampled else []),
                *(["yes" if unit.reliable else "no"] if has_reliability else []),
            ]
            for unit in list(concepts.values())[:count]
        ]
    columns = ["layer", ">unit", "label", "category", ">IoU", *([">95 %"] if resampled else [])]
    columns += ["reliable"] if has_reliability else []
    return plain_table("Best detectors", columns, rows)


def summary_json(dissection: Dissection) -> dict[str, object]:
    """Give the summary of a run as JSON values.

    Parameters
    ----------
    dissection : Dissection

    Returns
    -------
    dict
    """
    from onnxdissect.results.headline import advice, left_out

    return {
        "run": str(dissection.path),
        "iou_threshold": dissection.iou_threshold,
        "scoring": dissection.scoring,
        "min_images": dissection.min_images,
        "left_out": left_out(dissection),
        "advice": advice(dissection),
        "layers": [
            {
                "layer": line.layer,
                "quantile": line.quantile,
                "units": line.units,
                "detectors": line.detectors,
                "unique_detectors": line.unique_detectors,
                "unique_any": line.unique_any,
                "detectors_fdr": line.detectors_fdr,
                "unique_low": line.unique_low,
                "unique_high": line.unique_high,
                "reliable_detectors": line.reliable_detectors,
                "unique_reliable": line.unique_reliable,
                "rare_labels": line.rare_labels,
                "plateau_units": line.plateau_units,
                "constant_units": line.constant_units,
                "unique": dict(line.unique),
            }
            for line in dissection.summary()
        ],
        **({"sweep": _sweep_json(dissection)} if len(dissection.quantiles) > 1 else {}),
    }


def _sweep_json(dissection: Dissection) -> list[dict[str, object]]:
    """How the labels of each layer change, quantiles in rising order."""
    from onnxdissect.results.sweep import threshold_sweep

    return [
        {
            "layer": layer.layer,
            "quantiles": list(layer.quantiles),
            "units": len(layer.units),
            "same_label": layer.same_label,
            "same_and_ever": layer.same_and_ever,
            "same_and_always": layer.same_and_always,
            "generic_share": [counts.generic_share for counts in layer.counts],
            "generic_label_share": [counts.generic_label_share for counts in layer.counts],
            "changed": [counts.changed for counts in layer.counts],
        }
        for layer in threshold_sweep(dissection).layers
    ]


def _span(low: float | None, high: float | None, form: str) -> str:
    return "" if low is None or high is None else f"{low:{form}}..{high:{form}}"


def _blank(number: int | None) -> object:
    return "" if number is None else number
