"""Matching units one to one, literally: fractions, and every assignment there is.

Imports nothing from the package: whatever both agree on was written twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import permutations

Pairs = list[tuple[int, int]]


def correlation(first: Sequence[int], second: Sequence[int]) -> float:
    """Pearson's, by its definition; 0 where one of the two is constant."""
    n = len(first)
    means = Fraction(sum(first), n), Fraction(sum(second), n)
    apart = [(a - means[0], b - means[1]) for a, b in zip(first, second, strict=True)]
    product = sum((a * b for a, b in apart), Fraction(0))
    squares = sum(a * a for a, _ in apart) * sum(b * b for _, b in apart)
    # of the square, as fractions have no root
    root = math.sqrt(product * product / squares) if squares else 0.0
    return root if product >= 0 else -root


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    """Of the angle between two rows; 0 where one of the two is 0 throughout."""
    product = sum(Fraction(a) * Fraction(b) for a, b in zip(first, second, strict=True))
    squares = sum(Fraction(a) ** 2 for a in first) * sum(Fraction(b) ** 2 for b in second)
    return math.sqrt(product * product / squares) if squares else 0.0


def assignments(rows: int, columns: int) -> Iterator[Pairs]:
    """All ways to pair the smaller side's units with different ones of the other."""
    if rows <= columns:
        for chosen in permutations(range(columns), rows):
            yield list(enumerate(chosen))
    else:
        for pairs in assignments(columns, rows):
            yield sorted((b, a) for a, b in pairs)


def total(scores: Sequence[Sequence[float]], pairs: Pairs) -> Fraction:
    """Sum of the scores of pairs."""
    return sum((Fraction(scores[a][b]) for a, b in pairs), Fraction(0))


def same_numbers(pairs: Pairs) -> int:
    """Pairs of equal numbers."""
    return sum(a == b for a, b in pairs)


def best_assignments(scores: Sequence[Sequence[float]]) -> list[Pairs]:
    """All assignments of the largest sum."""
    ways = list(assignments(len(scores), len(scores[0])))
    most = max(total(scores, pairs) for pairs in ways)
    return [pairs for pairs in ways if total(scores, pairs) == most]


def random_mean(scores: Sequence[Sequence[float]]) -> float:
    """Mean score of pairs over all assignments."""
    ways = list(assignments(len(scores), len(scores[0])))
    return float(sum((total(scores, pairs) / len(pairs) for pairs in ways), Fraction(0)) / len(ways))


def same_label(first: Sequence[str], second: Sequence[str], pairs: Pairs) -> float | None:
    """Share of equal labels among pairs of which both have one."""
    both = [(first[a], second[b]) for a, b in pairs if first[a] and second[b]]
    return sum(a == b for a, b in both) / len(both) if both else None
