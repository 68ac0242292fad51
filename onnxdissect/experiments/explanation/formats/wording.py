"""An explanation in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from onnxdissect.experiments.explanation.records import (
    UNLABELLED,
    ConceptShare,
    Explanation,
    UnitContribution,
)
from onnxdissect.wording import counted

__all__ = ["DEFINITIONS", "SHARES", "attribution_sentence", "concept_sentence", "fired", "prediction"]

DEFINITIONS = {
    "linear": "the score with only this unit active, less the score with none",
    "ablation": "the score, less the score with this unit set to zero; changes need not add up to the score",
}
"""What a contribution is, by attribution."""

SHARES = "of the sum of all contributions of the same sign"
"""What a share is of."""

_NAMED, _AGAINST = 4, 3


def prediction(explanation: Explanation) -> str:
    """Say what was predicted, and what is explained where that is another class.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    str
    """
    said = f"{explanation.class_name}, score {explanation.score:.4g}"
    if explanation.class_index == explanation.predicted_index:
        return f"predicted: {said}"
    return f"explained: {said} (predicted: {explanation.predicted_name})"


def concept_sentence(explanation: Explanation) -> str:
    """Say which concepts speak for the class, and which against it.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    str
        Such as ``ski slope: snow 38 %, mountain 21 %, unlabelled units 20 %; against it: person 64 %``. What
        speaks for it comes to 100 % together, as does what speaks against it.
    """
    for_it = [one for one in explanation.concepts if one.contribution > 0]
    against = [one for one in reversed(explanation.concepts) if one.contribution < 0]
    said = f"{explanation.class_name}: {_listed(for_it, _NAMED) or 'no unit speaks for it'}"
    return f"{said}; against it: {_listed(against, _AGAINST)}" if against else said


def _listed(concepts: Sequence[ConceptShare], most: int) -> str:
    labelled = [one for one in concepts if one.concept != UNLABELLED]
    parts = [f"{one.concept} {_percent(one.share)}" for one in labelled[:most]]
    if rest := labelled[most:]:
        parts.append(f"{counted(len(rest), 'more concept')} {_percent(sum(one.share for one in rest))}")
    parts += [f"{UNLABELLED} {_percent(one.share)}" for one in concepts if one.concept == UNLABELLED]
    return ", ".join(parts)


def _percent(share: float) -> str:
    return f"{100 * abs(share):.0f} %"


def attribution_sentence(explanation: Explanation) -> str:
    """Say what contributions are, and whether they add up.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    str
    """
    said = f"{explanation.attribution}: a contribution is {DEFINITIONS[explanation.attribution]}"
    if explanation.bias is not None:
        total = sum(explanation.contributions)
        said += (
            f"; bias {explanation.bias:.4g} and contributions {total:.4g} come to the score "
            f"{explanation.score:.4g} (off by {explanation.error or 0:.0e})"
        )
    said += f"; shares are {SHARES}"
    if explanation.stripped:
        said += (
            f"; the score is {explanation.score_of!r}, before the {explanation.stripped} of "
            f"{explanation.output!r}"
        )
    return said


def fired(unit: UnitContribution, size: tuple[int, int]) -> str:
    """Say where a unit's mask lies.

    Parameters
    ----------
    unit : UnitContribution
        The unit.
    size : (int, int)
        (height, width) of the image.

    Returns
    -------
    str
        Such as ``6 % of the image, top left``.
    """
    if unit.box is None:
        return "below its threshold"
    top, left, bottom, right = unit.box
    down = _third((top + bottom) / 2 / size[0], "top", "middle", "bottom")
    across = _third((left + right) / 2 / size[1], "left", "centre", "right")
    wide = bottom - top > 0.8 * size[0] and right - left > 0.8 * size[1]
    area = 100 * unit.area
    share = f"{area:.0f} %" if area >= 1 else f"{area:.1f} %" if area >= 0.1 else "under 0.1 %"
    return f"{share} of the image, {'all over' if wide else f'{down} {across}'}"


def _third(place: float, low: str, middle: str, high: str) -> str:
    return low if place < 1 / 3 else middle if place <= 2 / 3 else high
