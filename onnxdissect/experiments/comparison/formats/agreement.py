"""Whether the parts of a comparison that was read go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxdissect.experiments.comparison.records import ComparedPair, Difference, Estimate
from onnxdissect.experiments.comparison.result import ComparisonResult
from onnxdissect.storage.fields import FieldError, shown

__all__ = ["expect_agreement"]


def expect_agreement(result: ComparisonResult) -> None:
    """See that names are those of layers, that values lie in their intervals, and that counts add up.

    Parameters
    ----------
    result : ComparisonResult
        As read; every field is of its type.

    Raises
    ------
    FieldError
        Naming the field.
    """
    names = [layer.name for layer in result.layers]
    for i, layer in enumerate(result.layers):
        if layer.name in names[:i]:
            raise FieldError(f"layers[{i}].name", f"is {shown(layer.name)}, which another one has")
        if layer.detectors > layer.units:
            raise FieldError(f"layers[{i}].detectors", f"is {layer.detectors}, of {layer.units} units")
        _expect_estimates(layer.unique_by_category, result.categories, f"layers[{i}].unique_by_category")
        for name in ("share", "unique"):
            _expect_interval(getattr(layer, name), f"layers[{i}].{name}")
    _expect_groups(result, names)
    for i, pair in enumerate(result.pairs):
        _expect_pair(pair, result.categories, names, f"pairs[{i}]")
    for i, concept in enumerate(result.concepts):
        if len(concept.best) != len(names):
            raise FieldError(f"concepts[{i}].best", f"is of {len(concept.best)} layers, not {len(names)}")
        _expect_known(concept.category, result.categories, f"concepts[{i}].category")
        for j, best in enumerate(concept.best):
            units = result.layers[j].units
            if best is not None and max((best.unit, *best.detectors)) >= units:
                raise FieldError(f"concepts[{i}].best[{j}]", f"names a unit beyond the {units} of the layer")
    for i, matching in enumerate(result.matchings):
        for side in ("first", "second"):
            name = getattr(matching, side)
            _expect_known(name, names, f"matchings[{i}].{side}")
            units, matched = result.layer(name).units, [getattr(pair, side) for pair in matching.units]
            if max(matched) >= units or len(set(matched)) < len(matched):
                raise FieldError(
                    f"matchings[{i}].units", f"are not different ones of the {units} of {shown(name)}"
                )


def _expect_groups(result: ComparisonResult, names: Sequence[str]) -> None:
    members = [name for group in result.groups for name in group.members]
    if sorted(members) != sorted(names):
        raise FieldError("groups", "do not have every layer once")
    for i, group in enumerate(result.groups):
        if group.name in [other.name for other in result.groups[:i]]:
            raise FieldError(f"groups[{i}].name", f"is {shown(group.name)}, which another one has")
    group_of = {name: group for group in result.groups for name in group.members}
    for i, layer in enumerate(result.layers):
        found = group_of[layer.name]
        if (found.name, found.position) != (layer.group, layer.position):
            raise FieldError(f"layers[{i}].group", f"is {shown(layer.group)}, not {shown(found.name)}")
    for i, group in enumerate(result.groups):
        if tuple(group.unique_by_category) != result.categories:
            raise FieldError(f"groups[{i}].unique_by_category", "is not of the comparison's categories")


def _expect_pair(pair: ComparedPair, categories: Sequence[str], names: Sequence[str], place: str) -> None:
    for side in ("first", "second"):
        _expect_known(getattr(pair, side), names, f"{place}.{side}")
    if pair.paired == bool(pair.reason):
        raise FieldError(f"{place}.reason", f"is {shown(pair.reason)}, where paired is {shown(pair.paired)}")
    told = {f"{place}.unique": pair.unique, f"{place}.share": pair.share}
    told |= {f"{place}.unique_by_category.{name}": one for name, one in pair.unique_by_category.items()}
    if tuple(pair.unique_by_category) != tuple(categories):
        raise FieldError(f"{place}.unique_by_category", "is not of the comparison's categories")
    for where, found in told.items():
        _expect_difference(found, where, paired=pair.paired)
    overlap, both = pair.overlap, len(pair.gained) + len(pair.lost) + len(pair.kept)
    jaccard = overlap.shared / overlap.union if overlap.union else 1.0
    if (overlap.shared, overlap.union, overlap.jaccard) != (len(pair.kept), both, jaccard):
        raise FieldError(f"{place}.overlap", "is not that of the concepts gained, lost and kept")
    for change in ("gained", "lost", "kept"):
        for i, found_concept in enumerate(getattr(pair, change)):
            _expect_known(found_concept.category, categories, f"{place}.{change}[{i}].category")


def _expect_difference(found: Difference, place: str, *, paired: bool) -> None:
    given = [getattr(found, name) is not None for name in ("low", "high", "p_value", "p_adjusted")]
    if given != [paired] * 4:
        raise FieldError(place, "has an interval or a p-value where it should not, or lacks one")
    _expect_interval(Estimate(found.value, found.low, found.high), place)


def _expect_estimates(found: Mapping[str, Estimate], categories: Sequence[str], place: str) -> None:
    if tuple(found) != tuple(categories):
        raise FieldError(place, "is not of the comparison's categories")
    for name, one in found.items():
        _expect_interval(one, f"{place}.{name}")


def _expect_interval(found: Estimate, place: str) -> None:
    low, high = found.low, found.high
    if (low is None) != (high is None):
        raise FieldError(place, f"has an interval from {shown(low)} to {shown(high)}")
    if low is not None and high is not None and not low <= found.value <= high:
        raise FieldError(place, f"is {found.value!r}, with an interval from {low!r} to {high!r}")


def _expect_known(name: str, known: Sequence[str], place: str) -> None:
    if name not in known:
        raise FieldError(place, f"is {shown(name)}, which the comparison has not")
