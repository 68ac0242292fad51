"""Detectors that belong together: all of a concept, or all of a category."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxdissect.errors import ParameterError, nearest, shown
from onnxdissect.results.records import Unit

__all__ = ["BY_CATEGORY", "BY_CONCEPT", "UnitGroup", "find_groups"]

BY_CONCEPT, BY_CATEGORY = "concept", "category"


@dataclass(frozen=True, slots=True)
class UnitGroup:
    """Some detectors of a layer.

    Attributes
    ----------
    name : str
        Of the concept or the category.
    category : str
        Of the concept; "" for a category.
    units : tuple of int
        Ascending.
    """

    name: str
    category: str
    units: tuple[int, ...]


def find_groups(units: Sequence[Unit], asked: Sequence[str]) -> tuple[UnitGroup, ...]:
    """Find the groups of detectors that are asked for.

    Parameters
    ----------
    units : sequence of Unit
        Of the layer, labelled at one quantile.
    asked : sequence of str
        "concept" for one of each concept that labels a detector, "category" for one of each category, or the
        name of a concept or of a category.

    Returns
    -------
    tuple of UnitGroup
        In the order asked for, each once; of a kind those of most detectors first.

    Raises
    ------
    ParameterError
        If a name labels no detector; the nearest names are told.
    """
    concepts, categories = _by_concept(units), _by_category(units)
    found: dict[tuple[str, str], UnitGroup] = {}
    for name in asked:
        if name == BY_CONCEPT:
            chosen = concepts
        elif name == BY_CATEGORY:
            chosen = categories
        else:
            chosen = [one for one in (*concepts, *categories) if one.name == name]
        if not chosen:
            raise _nothing(name, concepts, categories)
        found.update({(one.name, one.category): one for one in chosen})
    return tuple(found.values())


def _by_concept(units: Sequence[Unit]) -> list[UnitGroup]:
    members: dict[tuple[str, str], list[int]] = {}
    for unit in units:
        if unit.detector:
            members.setdefault((unit.label, unit.category), []).append(unit.unit)
    return _sorted([UnitGroup(*key, tuple(numbers)) for key, numbers in members.items()])


def _by_category(units: Sequence[Unit]) -> list[UnitGroup]:
    members: dict[str, list[int]] = {}
    for unit in units:
        if unit.detector:
            members.setdefault(unit.category, []).append(unit.unit)
    return _sorted([UnitGroup(name, "", tuple(numbers)) for name, numbers in members.items()])


def _sorted(groups: list[UnitGroup]) -> list[UnitGroup]:
    return sorted(groups, key=lambda one: (-len(one.units), one.name, one.category))


def _nothing(name: str, concepts: Sequence[UnitGroup], categories: Sequence[UnitGroup]) -> ParameterError:
    names = [one.name for one in (*concepts, *categories)]
    if not names:
        return ParameterError(
            "no unit of the layer is a detector, so that there are no groups of them",
            hint="--layer takes a layer with detectors; without --groups single units are removed",
        )
    return ParameterError(
        f"no detector of the layer is labelled {shown(name)}",
        candidates=nearest(name, [*names, BY_CONCEPT, BY_CATEGORY]) or tuple(names),
        hint=f"--groups takes {BY_CONCEPT}, {BY_CATEGORY}, or the name of one",
    )
