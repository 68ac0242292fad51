"""What the page of an ablation says, as short texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnxdissect.experiments.ablation.formats.wording import percent
from onnxdissect.model.scores.reduction_words import scored_by
from onnxdissect.report.data.facts import Fact
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.experiments.ablation import AblatedClass, AblationResult, Accuracy, Difference, Removal

__all__ = ["ClassRow", "class_rows", "drop_text", "page_facts", "printed", "range_text", "told_counts"]

_FEW, _MANY = 4, 20
"""How many units the paper's table removes; the largest numbers up to these are shown."""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class in the table.

    Attributes
    ----------
    told : AblatedClass
    without : tuple of Accuracy
        For each of the `told_counts`.
    without_random, only, only_random : Removal
        For the larger of them.
    units : tuple of (int, str)
        Its most important ones with their labels; "" of one that is no detector.
    """

    told: AblatedClass
    without: tuple[Accuracy, ...]
    without_random: Removal
    only: Removal
    only_random: Removal
    units: tuple[tuple[int, str], ...]


def told_counts(result: AblationResult) -> list[int]:
    """Choose numbers of units for the table of classes: the paper's 4 and 20, or the next smaller ones.

    Parameters
    ----------
    result : AblationResult

    Returns
    -------
    list of int
        One or two.
    """
    chosen = [
        max((n for n in result.counts if n <= most), default=result.counts[0]) for most in (_FEW, _MANY)
    ]
    return sorted(set(chosen))


def class_rows(result: AblationResult) -> list[ClassRow]:
    """Lay out the table of classes.

    Parameters
    ----------
    result : AblationResult

    Returns
    -------
    list of ClassRow
    """
    counts = told_counts(result)
    found = {(one.class_index, one.kind, one.n): one for one in result.removals}
    labels = {one.unit: one.label if one.detector else "" for one in result.needs}
    rows = []
    for one in result.classes:
        number, most = one.class_index, counts[-1]
        rows.append(
            ClassRow(
                one,
                tuple(found[number, "removed", n].value for n in counts),
                found[number, "random removed", most],
                found[number, "kept", most],
                found[number, "random kept", most],
                tuple((unit, labels[unit]) for unit in one.important[:_FEW]),
            )
        )
    return rows


def page_facts(result: AblationResult) -> list[Fact]:
    """Say what units were removed of, and what was measured.

    Parameters
    ----------
    result : AblationResult

    Returns
    -------
    list of Fact
    """
    scored = scored_by(result.output, result.score_of, result.stripped, result.reduced)
    scores = f"scored by {scored or result.score_of}"
    measured = (
        "the same ones rank units, which flatters the ranking"
        if result.request.get("rank_on") == "all"
        else f"{counted(result.ranked_images, 'other')} rank units"
    )
    detectors = sum(one.detector for one in result.needs)
    needed = sum(bool(one.classes) for one in result.needs)
    return [
        Fact("Images", f"{result.images:,}", f"of {result.request.get('images', '')}; {measured}"),
        Fact("Classes", f"{result.shown:,}", scores),
        Fact("Accuracy with all units", percent(result.nothing.accuracy), range_text(result.nothing)),
        Fact("Layer", result.alias, "" if result.alias == result.layer else result.layer),
        Fact(
            "Units", f"{result.units:,}", f"{detectors:,} of them detectors, at quantile {result.quantile:g}"
        ),
        Fact("Needed by a class", f"{needed:,}", "units"),
        Fact("Random units", f"{result.repeats:,}", "draws" if result.repeats > 1 else "draw"),
    ]


def printed(line: str) -> str:
    """Set a sentence as print does: numbers stay with their unit, and minus signs are such.

    Parameters
    ----------
    line : str

    Returns
    -------
    str
    """
    return re.sub(r"(?<=[ (])-(?=\d)", "−", line.replace(" %", "\N{NO-BREAK SPACE}%"))


def range_text(found: Accuracy) -> str:
    """Write the interval of an accuracy.

    Parameters
    ----------
    found : Accuracy

    Returns
    -------
    str
        In per cent; empty without resamples.
    """
    if found.low is None or found.high is None:
        return ""
    return f"{100 * found.low:.1f}–{100 * found.high:.1f}"


def drop_text(found: Difference, *, interval: bool = True) -> str:
    """Write a difference of accuracies.

    Parameters
    ----------
    found : Difference
    interval : bool
        With its ends.

    Returns
    -------
    str
        In points, with signs.
    """
    said = f"{100 * found.value:+.1f}"
    if interval and found.low is not None and found.high is not None:
        said += f" ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
    return said.replace("-", "−")
