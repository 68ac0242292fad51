"""What a terminal is told of a comparison."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from onnxdissect.cli.printing.names import visible
from onnxdissect.cli.printing.tables import plain_table

if TYPE_CHECKING:
    from onnxdissect.experiments.comparison import ComparedPair, ComparisonResult

__all__ = ["comparison_csv", "comparison_markdown", "comparison_sentences", "comparison_tables"]


def comparison_tables(result: ComparisonResult) -> Iterator[Table]:
    """Lay out layers, groups of several that are alike, and differences."""
    from onnxdissect.experiments.comparison.formats.wording import repeated

    yield _layers(result)
    if repeated(result):
        yield _groups(result)
    if result.pairs:
        yield _pairs(result)


def comparison_sentences(result: ComparisonResult) -> Iterator[str]:
    """Say what was gained and lost, how units match, and what was compared with none."""
    from onnxdissect.experiments.comparison.formats.wording import matched, pair_sentence, unpaired

    for pair in result.pairs:
        yield pair_sentence(pair)
    yield from matched(result)
    yield from unpaired(result)


def comparison_csv(result: ComparisonResult) -> str:
    """Write all numbers as one table."""
    from onnxdissect.experiments.comparison.formats.tables import NUMBERS, number_rows

    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(NUMBERS)
    # as in files: floats in the shortest form that reads back, nothing where there is nothing to say
    writer.writerows(
        [repr(cell) if isinstance(cell, float) else cell for cell in row] for row in number_rows(result)
    )
    return visible(written.getvalue())


def comparison_markdown(result: ComparisonResult) -> str:
    """Write layers, differences and sentences as Markdown."""
    from onnxdissect.experiments.comparison.formats.markdown import markdown

    return visible(markdown(result))


def _layers(result: ComparisonResult) -> Table:
    from onnxdissect.experiments.comparison.formats.wording import interval_text, number_text

    resampled = any(layer.unique.low is not None for layer in result.layers)
    reliable = any(layer.reliable is not None for layer in result.layers)
    columns = ["layer", ">units", ">detectors", ">share", *([">reliable"] if reliable else []), ">unique"]
    columns += [*([">95 %"] if resampled else []), *(f">{name}" for name in result.categories)]
    rows: list[list[object]] = []
    for one in result.layers:
        cells: list[object] = [one.name, one.units, one.detectors, f"{100 * one.share.value:.0f} %"]
        cells += ["" if one.reliable is None else one.reliable] if reliable else []
        cells += [number_text(one.unique.value)]
        cells += [interval_text(one.unique.low, one.unique.high)] if resampled else []
        rows.append(cells + [number_text(one.unique_by_category[name].value) for name in result.categories])
    # runs that differ in the threshold have none in common
    threshold = "" if result.iou_threshold is None else f" (IoU > {result.iou_threshold:g})"
    return plain_table(f"Unique detectors{threshold}", columns, rows)


def _groups(result: ComparisonResult) -> Table:
    from onnxdissect.experiments.comparison.formats.wording import number_text

    columns = [result.by, ">layers", ">share", ">unique", ">sd", ">least", ">most"]
    rows = [
        [
            group.name,
            len(group.members),
            f"{100 * group.share.mean:.0f} %",
            *(number_text(getattr(group.unique, name)) for name in ("mean", "sd", "least", "most")),
            *(number_text(group.unique_by_category[name].mean) for name in result.categories),
        ]
        for group in result.groups
    ]
    columns += [f">{name}" for name in result.categories]
    return plain_table(f"Mean unique detectors by {result.by}", columns, rows)


def _pairs(result: ComparisonResult) -> Table:
    from onnxdissect.experiments.comparison.formats.wording import interval_text, p_text

    tested = any(pair.paired for pair in result.pairs)
    # shares have intervals as well; with them a line would be wider than terminals are
    columns = ["layer", "against", ">unique", *([">95 %", ">p (Holm)"] if tested else []), ">share"]
    columns += [">Jaccard", ">chance", *(f">{name}" for name in result.categories)]

    def cells(pair: ComparedPair) -> list[object]:
        unique, overlap = pair.unique, pair.overlap
        found: list[object] = [pair.second, pair.first, f"{unique.value:+g}"]
        found += [interval_text(unique.low, unique.high), p_text(unique.p_adjusted)] if tested else []
        found += [f"{100 * pair.share.value:+.0f} %", f"{overlap.jaccard:.2f}", f"{overlap.expected:.2f}"]
        return found + [f"{pair.unique_by_category[name].value:+g}" for name in result.categories]

    title = f"Differences ({result.resamples:,} resamples of the images)" if tested else "Differences"
    return plain_table(title, columns, map(cells, result.pairs))
