"""What the page of a comparison says, as texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnxdissect.report.data.facts import Fact
from onnxdissect.report.data.numbers import count_text
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.experiments.comparison.records import ComparedPair, Difference, Estimate, UnitMatching
    from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = [
    "Headline",
    "comparison_facts",
    "comparison_title",
    "difference_text",
    "headline",
    "interval_text",
    "matching_facts",
    "p_text",
    "percent_text",
    "signed",
    "unpaired_reasons",
]

_PLURALS = {
    "layer": "layers",
    "network": "networks",
    "run": "runs",
    "quantile": "quantiles",
    "basis": "bases",
}
_NAMED = 6  # groups that the lead names


@dataclass(frozen=True, slots=True)
class Headline:
    """Which group has most unique detectors and which has fewest.

    Attributes
    ----------
    names : str
        The groups, as an enumeration.
    most, fewest : str
        Their names; empty where all have as many.
    most_count, fewest_count : str
    """

    names: str
    most: str
    most_count: str
    fewest: str
    fewest_count: str


def percent_text(share: float) -> str:
    """Write a share in per cent.

    Parameters
    ----------
    share : float

    Returns
    -------
    str
    """
    return f"{100 * share:.1f} %"


def interval_text(found: Estimate | Difference, *, percent: bool = False) -> str:
    """Write a 95 % interval.

    Parameters
    ----------
    found : Estimate or Difference
    percent : bool

    Returns
    -------
    str
        Empty where it is not known.
    """
    if found.low is None or found.high is None:
        return ""
    if percent:
        return f"{_minus(f'{100 * found.low:.1f}')} to {_minus(f'{100 * found.high:.1f}')} %"
    return f"{_minus(count_text(found.low))} to {_minus(count_text(found.high))}"


def signed(value: float, *, percent: bool = False) -> str:
    """Write a difference with its sign.

    Parameters
    ----------
    value : float
    percent : bool
        Of shares, in per cent.

    Returns
    -------
    str
    """
    text = f"{100 * value:.1f}" if percent else count_text(value)
    sign = "" if float(text.replace(",", "")) <= 0 else "+"
    return _minus(sign + ("0" if float(text.replace(",", "")) == 0 else text)) + (" %" if percent else "")


def p_text(p_value: float | None) -> str:
    """Write a p-value.

    Parameters
    ----------
    p_value : float or None

    Returns
    -------
    str
        Empty where it is not known.
    """
    if p_value is None:
        return ""
    return f"{p_value:.2g}" if p_value >= 0.001 else "<0.001"


def difference_text(found: Difference) -> str:
    """Write a difference of counts for a tooltip: with interval and p-value.

    Parameters
    ----------
    found : Difference

    Returns
    -------
    str
    """
    parts = [signed(found.value)]
    if interval := interval_text(found):
        parts.append(f"95 % interval {interval}")
    if found.p_adjusted is not None:
        parts.append(f"p {p_text(found.p_adjusted)} after Holm’s correction")
    return ", ".join(parts)


def comparison_title(result: ComparisonResult) -> str:
    """Name a comparison.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    str
        Such as ``3 networks side by side``.
    """
    number = len(result.groups)
    if result.by in _PLURALS:
        return f"{number:,} {result.by if number == 1 else _PLURALS[result.by]} side by side"
    return f"{result.by}: {counted(number, 'value')} side by side"


def headline(result: ComparisonResult) -> Headline:
    """Find the groups with the most and with the fewest unique detectors.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    Headline
    """
    names = [group.name for group in result.groups]
    more = len(names) - _NAMED
    said = _enumeration(names) if more <= 0 else f"{', '.join(names[:_NAMED])} and {more:,} more"
    ordered = sorted(result.groups, key=lambda group: -group.unique.mean)
    most, fewest = ordered[0], ordered[-1]
    if most.unique.mean == fewest.unique.mean:
        return Headline(said, "", count_text(most.unique.mean), "", "")
    return Headline(
        said, most.name, count_text(most.unique.mean), fewest.name, count_text(fewest.unique.mean)
    )


def comparison_facts(result: ComparisonResult) -> list[Fact]:
    """Tell how a comparison was made.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    list of Fact
    """
    runs = len({layer.run for layer in result.layers})
    data = list(dict.fromkeys(layer.data for layer in result.layers if layer.data))
    images = sorted({layer.images for layer in result.layers})
    over = f"{images[0]:,}" if len(images) == 1 else f"{images[0]:,} to {images[-1]:,}"
    threshold = result.iou_threshold
    detector = "differs from run to run" if threshold is None else f"IoU above {threshold:g}"
    scoring = "scorings differ" if result.scoring is None else f"“{result.scoring}” scoring"
    paired = sum(pair.paired for pair in result.pairs)
    tests = f"{paired:,} of {counted(len(result.pairs), 'pair')} over the same images" if result.pairs else ""
    return [
        Fact("Compared", counted(len(result.layers), "layer"), f"of {counted(runs, 'run')}"),
        Fact(
            "Data",
            data[0] if len(data) == 1 else counted(len(data), "data set"),
            ("results without images" if images == [0] else f"{over} images")
            + ("" if len(data) <= 1 else f" · {', '.join(data[:4])}{' …' if len(data) > 4 else ''}"),
        ),
        Fact("Detector", detector, scoring),
        Fact(
            "Intervals",
            f"over {counted(result.resamples, 'resample')}" if result.resamples else "none",
            tests if result.resamples else "nothing was resampled",
        ),
    ]


def matching_facts(found: UnitMatching) -> list[Fact]:
    """Tell how well units match, and what chance gives.

    Parameters
    ----------
    found : UnitMatching

    Returns
    -------
    list of Fact
    """
    by = "IoUs of all concepts, cosine" if found.by == "profiles" else "mask counts by image, correlation"
    facts = [
        Fact("Mean score", f"{found.score:.3f}", by),
        Fact(
            "Drawn at random",
            f"{found.random_mean:.3f}",
            f"middle 95 %: {found.random_low:.3f} to {found.random_high:.3f}".replace("-", "\u2212"),
        ),
        Fact(
            "Best of shuffled ones",
            f"{found.chance_mean:.3f}",
            f"middle 95 %: {found.chance_low:.3f} to {found.chance_high:.3f}".replace("-", "\u2212"),
        ),
        Fact("Same number", percent_text(found.same_number), f"of {counted(len(found.units), 'pair')}"),
    ]
    if found.same_label is None:
        return [*facts, Fact("Same label", "none to compare", "no pair of two detectors")]
    random = "" if found.same_label_random is None else f"at random {percent_text(found.same_label_random)}"
    return [*facts, Fact("Same label", percent_text(found.same_label), f"of pairs of detectors; {random}")]


def unpaired_reasons(pairs: Iterable[ComparedPair]) -> Mapping[str, int]:
    """Count why pairs were not tested over the same images.

    Parameters
    ----------
    pairs : iterable of ComparedPair

    Returns
    -------
    mapping of str to int
        Pairs, by reason.
    """
    reasons: dict[str, int] = {}
    for pair in pairs:
        if not pair.paired:
            reasons[pair.reason] = reasons.get(pair.reason, 0) + 1
    return reasons


def _minus(text: str) -> str:
    return text.replace("-", "\u2212")


def _enumeration(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
