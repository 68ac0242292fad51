"""How many labels two sides share by chance: sums of hypergeometric numbers, one for each category."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["LabelDraw", "expected_jaccard", "shared_labels", "upper_tail"]


@dataclass(frozen=True, slots=True)
class LabelDraw:
    """What two sides draw their labels of one category from.

    Attributes
    ----------
    pools : (int, int)
        Concepts that may become labels, on either side.
    common : int
        Those that may on both.
    drawn : (int, int)
        Labels on either side.
    """

    pools: tuple[int, int]
    common: int
    drawn: tuple[int, int]


def shared_labels(draws: Iterable[LabelDraw]) -> list[float]:
    """Give the distribution of how many labels two sides share that draw them independently.

    Of one category, x of the first side's labels are among the common concepts, which is hypergeometric; of
    these y are drawn by the second side, which is hypergeometric again. Numbers of several categories add up.

    Parameters
    ----------
    draws : iterable of LabelDraw
        One per category.

    Returns
    -------
    list of float
        Chance of 0 shared labels, of 1 and so on.
    """
    total = [1.0]
    for draw in draws:
        total = _convolved(total, _shared_of(draw))
    return total


def expected_jaccard(chances: Sequence[float], drawn: tuple[int, int]) -> float:
    """Give the mean of shared labels by all labels.

    Parameters
    ----------
    chances : sequence of float
        As `shared_labels` gives them.
    drawn : (int, int)
        Labels of all categories, on either side.

    Returns
    -------
    float
        1 where neither side has any.
    """
    both = sum(drawn)
    if not both:
        return 1.0
    return math.fsum(chance * shared / (both - shared) for shared, chance in enumerate(chances))


def upper_tail(chances: Sequence[float], shared: int) -> float:
    """Give the chance of as many shared labels, or more.

    Parameters
    ----------
    chances : sequence of float
        As `shared_labels` gives them.
    shared : int

    Returns
    -------
    float
        Exactly 1 where fewer cannot be.
    """
    if not any(chances[:shared]):
        return 1.0
    return min(1.0, math.fsum(chances[shared:]))


def _shared_of(draw: LabelDraw) -> list[float]:
    first, second = draw.pools
    chances = [0.0] * (min(draw.common, *draw.drawn) + 1)
    for among in range(min(draw.common, draw.drawn[0]) + 1):
        found = _hypergeometric(first, draw.common, draw.drawn[0], among)
        if found:
            for shared in range(min(among, draw.drawn[1]) + 1):
                chances[shared] += found * _hypergeometric(second, among, draw.drawn[1], shared)
    return chances


def _hypergeometric(pool: int, marked: int, drawn: int, found: int) -> float:
    """Chance that so many of those drawn are marked; the quotient of exact integers, rounded once."""
    if drawn - found > pool - marked:
        return 0.0
    ways = math.comb(marked, found) * math.comb(pool - marked, drawn - found)
    return ways / math.comb(pool, drawn)


def _convolved(one: Sequence[float], other: Sequence[float]) -> list[float]:
    # In an order of its own: what libraries sum in depends on the machine.
    sums = [0.0] * (len(one) + len(other) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            sums[i + j] += a * b
    return sums
