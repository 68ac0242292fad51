"""Which layers are the last on the way to an output, and where ways meet, by following every way."""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["last_layers", "nearest_shared"]


def reached(edges: Sequence[Sequence[int]], start: int) -> set[int]:
    """All that can be reached over edges, the start itself included."""
    found = {start}
    waiting = [start]
    while waiting:
        for other in edges[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def last_layers(
    before: Sequence[Sequence[int]],
    after: Sequence[Sequence[int]],
    outputs: Collection[int],
    layers: Collection[int],
    weighted: Collection[int],
) -> list[int]:
    """Layers that no layer and no product with weights follows on the way to an output, output by output."""
    found: list[int] = []
    for out in sorted(outputs):
        made_of = reached(before, out)
        for number in sorted(made_of & set(layers)):
            behind = (reached(after, number) & made_of) - {number}
            if behind.isdisjoint(layers) and behind.isdisjoint(weighted):
                found.append(number)
    return list(dict.fromkeys(found))


def nearest_shared(dominators: Sequence[int], numbers: Collection[int]) -> int:
    """The highest value that is, or dominates, each of several."""
    chains = []
    for number in numbers:
        chain = {number}
        while number:
            number = dominators[number]
            chain.add(number)
        chains.append(chain)
    return max(set.intersection(*chains))
