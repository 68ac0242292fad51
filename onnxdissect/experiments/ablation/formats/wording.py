"""An ablation in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from onnxdissect.experiments.ablation.records import NEEDED, AblationResult, Difference, Removal
from onnxdissect.model.scores.reduction_words import scored_by
from onnxdissect.wording import counted

__all__ = ["DEFINITIONS", "ablation_sentences", "interval_text", "percent"]

_MOST_GROUPS = 3
_NOTHING = 0.0005  # is 0.0 points as they are written

DEFINITIONS = {
    "accuracy": "of a class against all others, balanced: the mean of the share of its images for which it "
    "is predicted and of the share of all other images for which it is not; a class that is never predicted "
    "has 0.5",
    "top1": "share of a class's images for which it is predicted",
    "area": "under the ROC curve of the class's score: how often an image of the class has a higher one than "
    "another image, whatever is predicted",
    "log_loss": "mean over a class's images of -log of its softmax, in nats",
    "removed": "activations set to zero",
    "important": "by the accuracy that the class loses when the unit is removed by itself, and among equals "
    "by how much the log-loss rises; where rank_by is log-loss, the other way round",
    "needs": f"a class needs a unit that is among its {NEEDED} most important ones and without which it "
    "loses by what units are ranked by",
}
"""What the numbers are."""


def ablation_sentences(result: AblationResult) -> Iterator[str]:
    """Say what removing units has shown, and what the numbers are.

    Parameters
    ----------
    result : AblationResult

    Yields
    ------
    str
    """
    yield _without(result)
    if kept := result.curve(None, "kept"):
        n = _told_count(result)
        one = next(removal for removal in kept if removal.n == n)
        yield (
            f"With only {_units(n)} of each class kept, accuracy is {percent(one.value.accuracy)} instead of "
            f"{percent(_before(result))}{_against(one)}; the score of the class alone still tells it "
            f"({DEFINITIONS['area']}) in {percent(one.value.area)}."
        )
    # the others are in the table
    for group in sorted(result.groups, key=lambda one: one.beyond_random.value)[:_MOST_GROUPS]:
        worst = group.classes[0]
        detectors = "the detector" if len(group.units) == 1 else f"all {len(group.units)} detectors"
        yield (
            f"Without {detectors} of {group.name} the mean accuracy of {result.shown} classes is "
            f"{percent(group.value.accuracy)}, without as many random units "
            f"{percent(group.random.accuracy)}; {worst.class_name} loses most, "
            f"{_points(worst.drop.value)}{interval_text(worst.drop)}."
        )
    yield from _needs(result)
    if scored := scored_by(result.output, result.score_of, result.stripped, result.reduced):
        yield f"A score is {scored}."
    yield (
        f"Accuracy is {DEFINITIONS['accuracy']}. Units are ranked on "
        f"{counted(result.ranked_images, 'image')}, {_measured(result)}."
    )
    if result.left_out == 1:
        yield "One image or file shows no class, and is left out."
    elif result.left_out:
        yield f"{result.left_out:,} images or files show no class, and are left out."


def _told_count(result: AblationResult) -> int:
    """Choose the paper's 20 where it was asked for, else the largest up to it."""
    return max((n for n in result.counts if n <= 20), default=min(result.counts))


def _before(result: AblationResult) -> float:
    return sum(one.nothing.accuracy for one in result.classes) / len(result.classes)


def _without(result: AblationResult) -> str:
    n = _told_count(result)
    one = next(removal for removal in result.curve(None, "removed") if removal.n == n)
    return (
        f"Without {_units(n)} of each class its accuracy falls from {percent(_before(result))} to "
        f"{percent(one.value.accuracy)}{_against(one)}; that of the other classes is {percent(one.others)}."
    )


def _units(n: int) -> str:
    return "the most important unit" if n == 1 else f"the {n} most important units"


def _against(one: Removal) -> str:
    found = one.beyond_random
    if found is None:
        return ""
    if abs(found.value) < _NOTHING:
        return f", as with random units{interval_text(found)}"
    said = "less" if found.value < 0 else "more"
    return f", {_points(abs(found.value))} {said} than with random units{interval_text(found)}"


def _needs(result: AblationResult) -> Iterator[str]:
    found = result.need_correlation
    needed = [one for one in result.needs if one.classes]
    said = f"{counted(len(needed), 'unit')} of {result.units} are needed by a class: {_need(result)}."
    if found is not None:
        said += (
            f" The rank correlation of a unit's IoU with how many classes need it is {found.value:+.2f}"
            f"{'' if found.low is None else f' ({found.low:+.2f} to {found.high:+.2f})'}."
        )
    yield said


def _need(result: AblationResult) -> str:
    lost = "its log-loss rises" if result.request.get("rank_by") == "log-loss" else "it loses accuracy"
    return f"they are among its {NEEDED} most important ones, and without them {lost}"


def _measured(result: AblationResult) -> str:
    if result.request.get("rank_on") == "all":
        return "and measured on the same ones, which flatters the ranking"
    return f"and measured on {result.images:,} others"


def percent(share: float) -> str:
    """Write a share for people.

    Parameters
    ----------
    share : float

    Returns
    -------
    str
        Such as ``81.4 %``.
    """
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def interval_text(found: Difference) -> str:
    """Write an interval of a difference for people.

    Parameters
    ----------
    found : Difference

    Returns
    -------
    str
        Such as `` (-12.0 to -8.1)``, in points; "" without resamples.
    """
    if found.low is None or found.high is None:
        return ""
    return f" ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
