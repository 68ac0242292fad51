"""Matched units as a table, and what they come to in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnxdissect.experiments.comparison.records import UnitMatching
from onnxdissect.wording import counted

__all__ = ["MATCHING_COLUMNS", "matching_rows", "matching_sentence"]

MATCHING_COLUMNS = (
    *("first", "second", "by", "unit_first", "unit_second", "score", "label_first", "label_second"),
)
"""Of ``matchings.csv``."""


def matching_rows(matchings: Iterable[UnitMatching]) -> Iterator[list[object]]:
    """Give the rows of ``matchings.csv``, one for each pair of units.

    Parameters
    ----------
    matchings : iterable of UnitMatching

    Yields
    ------
    list
        In the order of `MATCHING_COLUMNS`.
    """
    for matching in matchings:
        named = [matching.first, matching.second, matching.by]
        for pair in matching.units:
            yield [*named, pair.first, pair.second, pair.score, pair.first_label, pair.second_label]


def matching_sentence(matching: UnitMatching) -> str:
    """Say what a matching comes to.

    Parameters
    ----------
    matching : UnitMatching

    Returns
    -------
    str
        Without the names of the layers.
    """
    measure, shuffled = (
        ("correlation of masks", "images") if matching.by == "masks" else ("cosine of IoUs", "concepts")
    )
    random = _ranged(matching.random_mean, matching.random_low, matching.random_high)
    chance = _ranged(matching.chance_mean, matching.chance_low, matching.chance_high)
    said = (
        f"{counted(len(matching.units), 'pair')} of units with a mean {measure} of {matching.score:.2f}; "
        f"pairs at random have {random}, "
        f"the best pairs after the {shuffled} of one side were shuffled {chance}; "
        f"{_percent(matching.same_number)} bear the same number; "
    )
    if matching.same_label is None or matching.same_label_random is None:
        return said + "in no pair both units are detectors"
    both = sum(bool(pair.first_label) and bool(pair.second_label) for pair in matching.units)
    said += f"of {counted(both, 'pair')} of detectors {_percent(matching.same_label)} have the same label"
    return said + f", at random {_percent(matching.same_label_random)}"


def _ranged(mean: float, low: float, high: float) -> str:
    return f"{mean:.2f} ({low:.2f} to {high:.2f})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
