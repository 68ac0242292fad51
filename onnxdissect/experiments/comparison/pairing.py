"""Which layer is compared with which: its counterpart in another group."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path

from onnxdissect.errors import ParameterError, nearest
from onnxdissect.experiments.comparison.grouping import Grouping
from onnxdissect.experiments.comparison.selection import Selected

__all__ = ["pair_layers"]

_AGAINST = ("first", "previous", "all")
_LAST_NUMBER = re.compile(r"\d+(?:\.\d+)?(?!.*\d)")
_FEW = 5

_Pair = tuple[int, int]


def pair_layers(layers: Sequence[Selected], grouping: Grouping, against: str) -> list[_Pair]:
    """Pair layers for comparison.

    Every group is held against another one, and in it every layer against its counterpart: the one that is
    alike in all that is not grouped by, of run, layer, basis and quantile. Between networks whose layers
    bear other names, the i-th is the counterpart of the i-th, if there are as many. Where there is a single
    group, its layers are held against one another.

    Parameters
    ----------
    layers : sequence of Selected
    grouping : Grouping
        Of them.
    against : str
        ``first``, ``previous`` or ``all``, of the groups; or the name of a group or of a layer.

    Returns
    -------
    list of (int, int)
        Positions of layers, the one that is compared with first.

    Raises
    ------
    ParameterError
        If there is no group and no layer of that name.
    """
    names = [one.name for one in layers]
    groups = list(grouping.positions)
    if against not in (*_AGAINST, *groups, *names):
        known = [*_AGAINST, *groups, *names]
        raise ParameterError(
            f"--against {against!r} is neither {', '.join(_AGAINST)} nor a group or layer of the comparison",
            candidates=nearest(against, known) or known[:_FEW],
        )
    if len(groups) == 1 or against not in (*_AGAINST, *groups):
        return _held_against(list(range(len(layers))), names, against)
    members = {group: [i for i, of in enumerate(grouping.of_layer) if of == group] for group in groups}
    return [
        pair
        for first, second in _held_against(list(range(len(groups))), groups, against)
        for pair in _counterparts(layers, grouping.by, members[groups[first]], members[groups[second]])
    ]


def _held_against(places: Sequence[int], names: Sequence[str], against: str) -> list[_Pair]:
    if against == "all":
        return list(combinations(places, 2))
    if against == "previous":
        return list(pairwise(places))
    # a run may be called "first", too: without a word about it, the first is meant
    reference = names.index(against) if against != "first" and against in names else 0
    return [(reference, place) for place in places if place != reference]


def _counterparts(
    layers: Sequence[Selected], by: str, first: Sequence[int], second: Sequence[int]
) -> list[_Pair]:
    """Pair the layers of two groups."""
    offered: dict[tuple[object, ...], list[int]] = {}
    for i in first:
        offered.setdefault(_coordinates(layers[i], by), []).append(i)
    pairs: list[_Pair] = []
    often: dict[tuple[object, ...], int] = {}
    for j in second:
        place = _coordinates(layers[j], by)
        found = offered.get(place, [])
        if found:
            # of several that are alike, such as repetitions, the k-th goes with the k-th
            pairs.append((found[often.get(place, 0) % len(found)], j))
            often[place] = often.get(place, 0) + 1
    if not pairs and len(first) == len(second):
        return list(zip(first, second, strict=True))
    return pairs


def _coordinates(one: Selected, by: str) -> tuple[object, ...]:
    """Tell what a layer and its counterpart have in common."""
    run: object = None
    if by in ("layer", "quantile", "basis"):
        run = id(one.run)
    elif by == "number":
        run = _LAST_NUMBER.sub("", Path(one.run.given).absolute().name)
    return (
        run,
        None if by == "layer" else one.own_alias,
        None if by == "basis" else one.basis,
        None if by == "quantile" else one.quantile,
    )
