"""What terminal, Markdown and page say alike of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from onnxdissect.experiments.comparison.records import ComparedPair
from onnxdissect.experiments.matching.table import matching_sentence
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = ["interval_text", "matched", "number_text", "p_text", "pair_sentence", "repeated", "unpaired"]

# Concepts that a sentence names.
_NAMED = 5


def number_text(value: float) -> str:
    """Write a count, or a mean of counts.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
        Whole numbers as such, others with one digit.
    """
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def interval_text(low: float | None, high: float | None) -> str:
    """Write an interval.

    Parameters
    ----------
    low, high : float or None

    Returns
    -------
    str
        Empty if there is none.
    """
    return "" if low is None or high is None else f"{number_text(low)}..{number_text(high)}"


def p_text(value: float | None) -> str:
    """Write a p-value.

    Parameters
    ----------
    value : float or None

    Returns
    -------
    str
        Empty if there is none.
    """
    if value is None:
        return ""
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1g}"


def pair_sentence(pair: ComparedPair) -> str:
    """Say what became of the concepts of one layer in another.

    Parameters
    ----------
    pair : ComparedPair

    Returns
    -------
    str
    """
    overlap = pair.overlap
    said = [
        f"{counted(len(found), 'concept')} {name}{_examples([one.concept for one in found])}"
        for name, found in (("gained", pair.gained), ("lost", pair.lost))
    ]
    common = (
        f"{overlap.shared} of {overlap.union} in common (Jaccard {overlap.jaccard:.2f}, "
        f"by chance {overlap.expected:.2f}, p {p_text(overlap.p_value)})"
        if overlap.union
        else "neither detects anything"
    )
    reason = "" if pair.paired else f"; no interval of the difference, for {pair.reason}"
    return f"{pair.second} against {pair.first}: {'; '.join(said)}; {common}{reason}"


def repeated(result: ComparisonResult) -> bool:
    """Tell whether a group has several members that are alike, whose mean says something.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    bool
        False where groups are, for example, the different layers of a run each.
    """
    alias_of = {layer.name: layer.alias for layer in result.layers}
    return any(
        len({alias_of[name] for name in group.members}) < len(group.members) for group in result.groups
    )


def matched(result: ComparisonResult) -> Iterator[str]:
    """Say what matching the units of pairs has come to.

    Parameters
    ----------
    result : ComparisonResult

    Yields
    ------
    str
        A sentence for each pair whose units were matched.
    """
    for matching in result.matchings:
        yield f"{matching.second} matched with {matching.first}: {matching_sentence(matching)}"


def unpaired(result: ComparisonResult) -> Iterator[str]:
    """Name the layers that were compared with none.

    Parameters
    ----------
    result : ComparisonResult

    Yields
    ------
    str
        A sentence, if there are any.
    """
    held = {name for pair in result.pairs for name in (pair.first, pair.second)}
    left = [layer.name for layer in result.layers if layer.name not in held]
    if left:
        more = f" and {len(left) - _NAMED:,} more" if len(left) > _NAMED else ""
        yield (
            f"compared with none, for no other group has a layer of that name: "
            f"{', '.join(left[:_NAMED])}{more} (--layer last takes the deepest of each run)"
        )


def _examples(names: list[str]) -> str:
    if not names:
        return ""
    return f" ({', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''})"
