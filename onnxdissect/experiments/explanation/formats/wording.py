"""An explanation in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from onnxdissect.experiments.explanation.records import (
    UNLABELLED,
    ConceptShare,
    Explanation,
    UnitContribution,
)
from onnxdissect.model.scores.reduction_words import scored_by
from onnxdissect.wording import counted

__all__ = [
    "DEFINITIONS",
    "SHARES",
    "attribution_name",
    "attribution_sentence",
    "concept_sentence",
    "definition",
    "fired",
    "prediction",
]

DEFINITIONS = {
    "linear": "the score with only this unit active, less the score with none",
    "ablation": "the score, less the score with this unit removed; changes need not add up to the score",
    "shapley": "what this unit or concept adds to the score on joining others, on average over their orders",
    "fitted": "weight times standardised mean activation in a linear classifier fitted to labelled images",
}
"""What a contribution is of any image, by attribution; `definition` says it of one."""

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


def attribution_name(explanation: Explanation) -> str:
    """Name an attribution in a few words, with what tells it from others of its kind.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    str
        Such as ``linear``, ``ablation to mean``, ``shapley over concepts, to zero`` and ``linear, of the mean
        over all places``.
    """
    places = {"": "", "mean": ", of the mean over all places", "max": ", of the largest at any place"}
    return _plain_name(explanation) + places[explanation.reduced]


def _plain_name(explanation: Explanation) -> str:
    if explanation.attribution in ("linear", "fitted"):
        return explanation.attribution
    removed = {"zero": "zero", "mean": "mean", "other-classes": "mean of other classes"}[
        explanation.ablated_to
    ]
    if explanation.orders is None:
        return f"{explanation.attribution} to {removed}"
    return f"{explanation.attribution} over {explanation.orders.over}, to {removed}"


def definition(explanation: Explanation) -> str:
    """Say what a contribution is.

    Parameters
    ----------
    explanation : Explanation
        Whose attribution it is.

    Returns
    -------
    str
        Such as ``the score with only this unit active, less the score with none``.
    """
    if explanation.attribution == "linear":
        return DEFINITIONS["linear"]
    if explanation.attribution == "fitted":
        return (
            "weight times standardised mean activation in a linear classifier fitted to "
            f"{explanation.reference}"
        )
    if explanation.attribution == "shapley":
        return _shapley(explanation)
    return (
        f"the score, less the score with this unit set to {_set_to(explanation)}; changes need not add up to "
        "the score"
    )


def _set_to(explanation: Explanation) -> str:
    if explanation.ablated_to == "zero":
        return "zero"
    return f"its mean over {explanation.reference}"


def _shapley(explanation: Explanation) -> str:
    played = explanation.orders
    assert played is not None, "Shapley values are averages over something"
    if played.over == "units":
        several = f"the {counted(played.players, 'unit')} of the largest ablation (others stay as they are)"
    else:
        several = f"{counted(played.players, 'concept')}, each with all of its units"
    orders = "all orders"
    if played.permutations:
        orders = f"{counted(played.permutations, 'order')} and their reverses (seed {played.seed})"
    return (
        f"what this {played.over.removesuffix('s')} adds to the score on joining others, on average over "
        f"{orders} of {several}; what has not joined is set to {_set_to(explanation)}"
    )


def attribution_sentence(explanation: Explanation) -> str:
    """Say what contributions are, and whether they add up.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    str
    """
    said = f"{explanation.attribution}: a contribution is {definition(explanation)}"
    if explanation.bias is not None:
        # of units or, where those have none, of concepts
        total = sum(explanation.contributions or [one.contribution for one in explanation.concepts])
        said += (
            f"; {_bias(explanation)} {explanation.bias:.4g} and contributions {total:.4g} come to the score "
            f"{explanation.score:.4g} (off by {explanation.error or 0:.0e})"
        )
    said += _told_rightly(explanation) + f"; shares are {SHARES}"
    scored = scored_by(explanation.output, explanation.score_of, explanation.stripped, explanation.reduced)
    return f"{said}; the score is {scored}" if scored else said


def _bias(explanation: Explanation) -> str:
    return "the score with none" if explanation.attribution == "shapley" else "bias"


def _told_rightly(explanation: Explanation) -> str:
    fit = explanation.fit
    if fit is None:
        return ""
    if fit.accuracy is None:
        return "; how well it tells images that it was not fitted to is not known: a class has one image"
    return (
        f"; it tells {100 * fit.accuracy:.0f} % of the {counted(fit.images, 'image')} rightly in "
        f"cross-validation ({counted(fit.folds, 'fold')}, {len(fit.classes):,} classes)"
    )


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
