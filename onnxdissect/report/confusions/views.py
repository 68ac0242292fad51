"""What the page of right and wrong predictions says, as short texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from onnxdissect.experiments.confusions.formats.wording import percent, range_text
from onnxdissect.model.scores.reduction_words import scored_by
from onnxdissect.report.data.facts import Fact
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.experiments.confusions import (
        Confusion,
        Estimate,
        HeldShare,
        LabelledExplanations,
    )

__all__ = [
    "Matrix",
    "bar_style",
    "confusion_matrix",
    "held_rows",
    "page_facts",
    "page_notes",
    "page_title",
    "share_text",
    "told_confusions",
]

_MOST_IN_MATRIX = 40
_MOST_TOLD = 30


@dataclass(frozen=True, slots=True)
class Matrix:
    """The confusion matrix.

    Attributes
    ----------
    classes : tuple of (int, str)
        Numbers and names, of rows and of columns.
    rows : tuple of tuple of int
        Images of the row's class of which the column's was predicted.
    """

    classes: tuple[tuple[int, str], ...]
    rows: tuple[tuple[int, ...], ...]


def page_title(result: LabelledExplanations) -> str:
    """Name the page.

    Parameters
    ----------
    result : LabelledExplanations

    Returns
    -------
    str
    """
    return f"{PurePath(result.model).stem}, right and wrong"


def page_facts(result: LabelledExplanations) -> list[Fact]:
    """Say what was explained, of what, and how.

    Parameters
    ----------
    result : LabelledExplanations

    Returns
    -------
    list of Fact
    """
    detectors = sum(bool(category) for _, category in result.labels)
    shown = sum(one.images > 0 for one in result.classes)
    scored = scored_by(result.output, result.score_of, result.stripped, result.reduced)
    scores = f"scored by {scored or result.score_of}"
    return [
        Fact("Images", f"{len(result.images):,}", result.source),
        Fact("Told right", f"{result.right:,}", f"95 %: {range_text(result.accuracy, 1)}"),
        Fact("Classes", f"{shown:,}", scores),
        Fact("Layer", result.alias, "" if result.alias == result.layer else result.layer),
        Fact(
            "Detectors", f"{detectors:,}", f"of {len(result.labels):,} units, at quantile {result.quantile:g}"
        ),
        Fact("Contribution", result.attribution, _error(result.error)),
    ]


def _error(error: float | None) -> str:
    return "" if error is None else f"adds up to every score, off by {error:.0e} at most"


def page_notes(result: LabelledExplanations, photos: str) -> list[str]:
    """Say what the page leaves out.

    Parameters
    ----------
    result : LabelledExplanations
    photos : str
        What is missing of the photographs; may be empty.

    Returns
    -------
    list of str
    """
    notes = [photos] if photos else []
    if result.left_out:
        notes.append(f"{result.left_out:,} of the source have no class, and are left out.")
    if len(result.examples) < len(result.images):
        notes.append(
            f"Pictures are shown of {len(result.examples):,} of {counted(len(result.images), 'image')}, some "
            "of each class, right and wrong. All numbers are of all images; predictions.csv lists them."
        )
    return notes


def confusion_matrix(result: LabelledExplanations) -> Matrix | None:
    """Lay out which class is taken for which.

    Parameters
    ----------
    result : LabelledExplanations

    Returns
    -------
    Matrix or None
        None of more than 40 classes.
    """
    if len(result.classes) > _MOST_IN_MATRIX:
        return None
    classes = tuple((one.class_index, one.class_name) for one in result.classes)
    often = {(one.class_index, one.predicted_index): one.images for one in result.confusions}
    often |= {(one.class_index, one.class_index): one.right for one in result.classes}
    return Matrix(classes, tuple(tuple(often.get((t, p), 0) for p, _ in classes) for t, _ in classes))


def told_confusions(result: LabelledExplanations) -> Sequence[Confusion]:
    """Choose the confusions that the page tells of: the most frequent.

    Parameters
    ----------
    result : LabelledExplanations

    Returns
    -------
    sequence of Confusion
    """
    return result.confusions[:_MOST_TOLD]


def bar_style(found: Estimate) -> tuple[str, str]:
    """Place a share's bar, and the whisker of its interval.

    Parameters
    ----------
    found : Estimate
        From 0 to 1.

    Returns
    -------
    bar, whisker : str
        What a style sheet takes; empty where there is none.
    """
    if found.value is None:
        return "", ""
    bar = f"width:{100 * found.value:.2f}%"
    if found.low is None or found.high is None:
        return bar, ""
    return bar, f"left:{100 * found.low:.2f}%;width:{100 * (found.high - found.low):.2f}%"


def held_rows(result: LabelledExplanations) -> list[tuple[str, HeldShare, bool]]:
    """List held shares.

    Parameters
    ----------
    result : LabelledExplanations
        With held shares.

    Returns
    -------
    list of (str, HeldShare, bool)
        What is told of, and whether it is a difference.
    """
    held = result.held
    assert held is not None
    return [
        ("strongest units", held.strongest, False),
        ("as many at random, of those that fired", held.fired, False),
        ("as many at random, of all detectors", held.random, False),
        ("strongest less random that fired", held.over_fired, True),
    ]


def share_text(found: Estimate, *, signed: bool = False) -> str:
    """Write a share or a difference of shares.

    Parameters
    ----------
    found : Estimate
    signed : bool
        With its sign.

    Returns
    -------
    str
    """
    if found.value is None or not signed:
        return percent(found.value, 1)
    return f"{100 * found.value:+.1f} %".replace("-", "−")
