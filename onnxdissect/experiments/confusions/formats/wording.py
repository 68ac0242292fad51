"""Right and wrong predictions in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnxdissect.experiments.confusions.confused_units import FEWEST
from onnxdissect.experiments.confusions.records import ConfusedUnit, Confusion, Estimate, HeldShare
from onnxdissect.experiments.confusions.result import LabelledExplanations
from onnxdissect.model.scores.reduction_words import scored_by
from onnxdissect.wording import counted

__all__ = [
    "CONFUSED_UNITS",
    "CONTRIBUTIONS",
    "HELD",
    "accuracy_sentence",
    "attribution_sentence",
    "confusion_sentences",
    "held_sentence",
    "percent",
    "range_text",
    "rate_text",
]

CONTRIBUTIONS = {
    "linear": "the score with only this unit active, less the score with none",
    "ablation": "the score, less the score with this unit set to zero; changes need not add up to the score",
}
"""What a contribution is, by attribution."""

CONFUSED_UNITS = (
    "a detector fires in an image if its mask there is not empty; rates are compared with those in images of "
    "the class shown that were told right"
)
"""What rates of detectors in confusions are."""

HELD = (
    "of the strongest units (detectors that fired and contributed most to the class predicted) those whose "
    "mask meets their label in the image's annotations; at random: as many of the detectors that fired in it"
)
"""What a held share is."""

_NAMED = 3


def percent(share: float | None, digits: int = 0) -> str:
    """Write a share.

    Parameters
    ----------
    share : float or None
    digits : int
        Behind the point.

    Returns
    -------
    str
        "–" where there is none.
    """
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def range_text(found: Estimate, digits: int = 0, *, signed: bool = False) -> str:
    """Write the interval of a share.

    Parameters
    ----------
    found : Estimate
    digits : int
        Behind the point.
    signed : bool
        With the sign, also of what is positive.

    Returns
    -------
    str
        Such as ``89 to 92 %``; empty where there is none.
    """
    if found.low is None or found.high is None:
        return ""
    sign = "+" if signed else ""
    return f"{100 * found.low:{sign}.{digits}f} to {100 * found.high:{sign}.{digits}f} %"


def accuracy_sentence(result: LabelledExplanations) -> str:
    """Say how many predictions are right.

    Parameters
    ----------
    result : LabelledExplanations

    Returns
    -------
    str
    """
    return (
        f"{result.right:,} of {counted(len(result.images), 'image')} told right: "
        f"{percent(result.accuracy.value, 1)} (95 %: {range_text(result.accuracy, 1)})"
    )


def attribution_sentence(result: LabelledExplanations) -> str:
    """Say what contributions are, and to what.

    Parameters
    ----------
    result : LabelledExplanations

    Returns
    -------
    str
    """
    said = f"{result.attribution}: a contribution is {CONTRIBUTIONS[result.attribution]}"
    if result.error is not None:
        said += f"; contributions and bias come to every score (off by {result.error:.0e} at most)"
    scored = scored_by(result.output, result.score_of, result.stripped, result.reduced)
    return f"{said}; a score is {scored}" if scored else said


def rate_text(unit: ConfusedUnit) -> str:
    """Say how often a detector fires in confused images, against the base rate.

    Parameters
    ----------
    unit : ConfusedUnit

    Returns
    -------
    str
        Such as ``12 of 14, else 9 %``.
    """
    base = "no base rate" if not unit.base_images else f"else {percent(unit.base_fired / unit.base_images)}"
    return f"{unit.fired:,} of {unit.images:,}, {base}"


def confusion_sentences(result: LabelledExplanations, most: int) -> Iterator[str]:
    """Say of the most frequent confusions which detectors made them.

    Parameters
    ----------
    result : LabelledExplanations
    most : int
        How many are told of.

    Yields
    ------
    str
    """
    for one in result.confusions[:most]:
        yield _confusion(one)
    if len(result.confusions) > most:
        yield f"and {counted(len(result.confusions) - most, 'more confusion')}"


def _confusion(one: Confusion) -> str:
    said = f"{one.class_name} taken for {one.predicted_name}: {counted(one.images, 'image')}"
    said += f" ({percent(one.share)})"
    if not one.detailed:
        return f"{said}; units are told of from {FEWEST} images on" if one.images < FEWEST else said
    parts = []
    if one.fired:
        parts.append(f"fired for {one.predicted_name}: {_listed(one.fired)}")
    if one.silent:
        parts.append(f"silent for {one.class_name}: {_listed(one.silent)}")
    return "; ".join([said, *(parts or ["no detector stands out"])])


def _listed(units: Sequence[ConfusedUnit]) -> str:
    return ", ".join(f"{unit.label} (unit {unit.unit}, {rate_text(unit)})" for unit in units[:_NAMED])


def held_sentence(result: LabelledExplanations) -> str:
    """Say whether the concepts of the strongest units are in the images.

    Parameters
    ----------
    result : LabelledExplanations
        With held shares.

    Returns
    -------
    str
    """
    assert result.held is not None
    held = result.held
    return (
        f"concepts of the strongest units held at their masks: {_sides(held.strongest)}; "
        f"of units at random: {_sides(held.fired)}; difference of right and wrong: "
        f"{percent(held.strongest.difference.value)}{_within(held.strongest.difference)}"
    )


def _sides(share: HeldShare) -> str:
    return (
        f"right {percent(share.right.value)}{_within(share.right)}, "
        f"wrong {percent(share.wrong.value)}{_within(share.wrong)}"
    )


def _within(found: Estimate) -> str:
    said = range_text(found)
    return f" ({said})" if said else ""
