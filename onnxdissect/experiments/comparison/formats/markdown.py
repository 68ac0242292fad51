"""The result of a comparison as Markdown: layers, groups, differences, concepts gained and lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from onnxdissect.experiments.comparison.formats.wording import (
    interval_text,
    matched,
    number_text,
    p_text,
    pair_sentence,
    repeated,
    unpaired,
)

if TYPE_CHECKING:
    from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = ["markdown"]

_ACTIVE = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def markdown(result: ComparisonResult) -> str:
    """Write a result as Markdown.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    str
    """
    return "\n".join(_lines(result))


def _lines(result: ComparisonResult) -> Iterator[str]:
    yield "# Comparison\n"
    for mark in result.marks:
        yield f"**Not alike:** {_escaped(mark)}\n"
    for warning in result.warnings:
        yield f"**Warning:** {_escaped(warning)}\n"
    threshold = "" if result.iou_threshold is None else f" (IoU > {result.iou_threshold:g})"
    yield f"## Unique detectors{threshold}\n"
    yield from _table(
        ["layer", "units", "detectors", "unique", "95 %", *result.categories],
        (
            [
                one.name,
                one.units,
                one.detectors,
                number_text(one.unique.value),
                interval_text(one.unique.low, one.unique.high),
                *(number_text(one.unique_by_category[name].value) for name in result.categories),
            ]
            for one in result.layers
        ),
    )
    if repeated(result):
        yield f"## By {_escaped(result.by)}\n"
        yield from _table(
            ["group", "layers", "unique, mean", "sd", *result.categories],
            (
                [
                    group.name,
                    len(group.members),
                    number_text(group.unique.mean),
                    number_text(group.unique.sd),
                    *(number_text(group.unique_by_category[name].mean) for name in result.categories),
                ]
                for group in result.groups
            ),
        )
    if result.pairs:
        yield "## Differences\n"
        yield from _table(
            ["layer", "against", "unique", "95 %", "p (Holm)", *result.categories],
            (
                [
                    pair.second,
                    pair.first,
                    f"{pair.unique.value:+g}",
                    interval_text(pair.unique.low, pair.unique.high),
                    p_text(pair.unique.p_adjusted),
                    *(f"{pair.unique_by_category[name].value:+g}" for name in result.categories),
                ]
                for pair in result.pairs
            ),
        )
        for pair in result.pairs:
            yield f"- {_escaped(pair_sentence(pair))}"
        for said in matched(result):
            yield f"- {_escaped(said)}"
        yield ""
    for said in unpaired(result):
        yield f"{_escaped(said)}\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield _row(heads)
    yield _row(["---"] + ["---:"] * (len(heads) - 1), plain=True)
    for row in rows:
        yield _row(row)
    yield ""


def _row(cells: Sequence[object], *, plain: bool = False) -> str:
    told = [str(cell) if plain else _escaped(str(cell)) for cell in cells]
    return f"| {' | '.join(told)} |"


def _escaped(text: str) -> str:
    """Show a text as it is: names of runs and concepts may hold anything."""
    return _ACTIVE.sub(r"\\\1", " ".join(text.split()))
