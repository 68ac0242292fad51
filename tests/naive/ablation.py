"""Accuracies of classes without units, computed image by image, as the formulas read."""

from __future__ import annotations

import math
from collections.abc import Sequence


def balanced_accuracy(predicted: Sequence[int], truth: Sequence[int], number: int) -> float:
    """Mean of true positive rate and true negative rate of "it is this class"."""
    own = [p for p, t in zip(predicted, truth, strict=True) if t == number]
    others = [p for p, t in zip(predicted, truth, strict=True) if t != number]
    found = sum(1 for p in own if p == number) / len(own)
    left = sum(1 for p in others if p != number) / len(others)
    return (found + left) / 2


def top1(predicted: Sequence[int], truth: Sequence[int], number: int) -> float:
    own = [p for p, t in zip(predicted, truth, strict=True) if t == number]
    return sum(1 for p in own if p == number) / len(own)


def log_loss(scores: Sequence[Sequence[float]], truth: Sequence[int], number: int) -> float:
    """Mean over the images of the class of -log softmax."""
    losses = []
    for row, shown in zip(scores, truth, strict=True):
        if shown == number:
            total = sum(math.exp(float(one) - float(row[number])) for one in row)
            losses.append(math.log(total))
    return sum(losses) / len(losses)


def roc_area(scores: Sequence[float], own: Sequence[bool]) -> float:
    """Over all pairs of an image of the class and another one: 1 where it is higher, 1/2 where equal."""
    pairs = [(a, b) for a, mine in zip(scores, own, strict=True) if mine for b in _others(scores, own)]
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)


def _others(scores: Sequence[float], own: Sequence[bool]) -> list[float]:
    return [one for one, mine in zip(scores, own, strict=True) if not mine]


def order(drops: Sequence[float], rises: Sequence[float]) -> list[int]:
    """Units by the accuracy that is lost, then by the rise of the loss, then by number."""
    return sorted(range(len(drops)), key=lambda k: (-drops[k], -rises[k], k))


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Pearson's coefficient of ranks, equal values having the mean of theirs."""
    ranks = [[_rank(value, values) for value in values] for values in (one, other)]
    means = [sum(row) / len(row) for row in ranks]
    products = [(a - means[0]) * (b - means[1]) for a, b in zip(*ranks, strict=True)]
    spreads = [sum((a - mean) ** 2 for a in row) for row, mean in zip(ranks, means, strict=True)]
    return sum(products) / math.sqrt(spreads[0] * spreads[1]) if all(spreads) else None


def _rank(value: float, values: Sequence[float]) -> float:
    below = sum(1 for one in values if one < value)
    return below + (sum(1 for one in values if one == value) - 1) / 2
