"""The result of a comparison as tables, in each of which every row is one number with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from onnxdissect.experiments.comparison.records import (
    ComparedConcept,
    ComparedGroup,
    ComparedLayer,
    ComparedPair,
    Difference,
    Estimate,
    GroupSpread,
    UnitMatching,
)
from onnxdissect.experiments.matching.table import MATCHING_COLUMNS, matching_rows

__all__ = ["NUMBERS", "TABLES", "Compared", "number_rows", "table_rows"]

_LAYER = (
    *("name", "group", "position", "run", "model", "data", "layer", "alias", "basis", "depth", "quantile"),
    *("units", "images", "detectors", "unique_any", "reliable"),
)
TABLES: Mapping[str, tuple[str, ...]] = {
    "layers": (*_LAYER, "count", "category", "value", "low", "high"),
    "groups": ("group", "position", "members", "count", "category", "mean", "sd", "least", "most"),
    "pairs": (
        *("first", "second", "paired", "reason", "shared", "union", "jaccard", "jaccard_expected"),
        *("jaccard_p_value", "count", "category", "difference", "low", "high", "p_value", "p_adjusted"),
    ),
    "changes": ("first", "second", "change", "concept", "category", "first_iou", "second_iou"),
    "concepts": ("concept", "category", "name", "unit", "iou", "detectors"),
    "matchings": MATCHING_COLUMNS,
}
"""Columns of each table; those of ``layers`` are in ``layers.csv``, and so on."""

NUMBERS = (
    *("record", "name", "against", "count", "category", "value", "low", "high"),
    *("sd", "least", "most", "p_value", "p_adjusted"),
)
"""Columns of layers, groups and pairs in one table."""


class Compared(Protocol):
    """What tables are made of: a `onnxdissect.ComparisonResult`."""

    @property
    def layers(self) -> tuple[ComparedLayer, ...]:
        """Compared layers."""

    @property
    def groups(self) -> tuple[ComparedGroup, ...]:
        """Groups of them."""

    @property
    def pairs(self) -> tuple[ComparedPair, ...]:
        """Pairs of them."""

    @property
    def concepts(self) -> tuple[ComparedConcept, ...]:
        """What they detect."""

    @property
    def matchings(self) -> tuple[UnitMatching, ...]:
        """Units of pairs that were matched."""


def table_rows(result: Compared, table: str) -> Iterator[list[object]]:
    """Give the rows of a table.

    Parameters
    ----------
    result : Compared
    table : str
        One of `TABLES`.

    Yields
    ------
    list
        In the order of its columns; None where there is nothing to say.
    """
    rows: Mapping[str, Callable[[], Iterator[list[object]]]] = {
        "layers": lambda: _layer_rows(result.layers),
        "groups": lambda: _group_rows(result.groups),
        "pairs": lambda: _pair_rows(result.pairs),
        "changes": lambda: _change_rows(result.pairs),
        "concepts": lambda: _concept_rows(result.concepts, [layer.name for layer in result.layers]),
        "matchings": lambda: matching_rows(result.matchings),
    }
    yield from rows[table]()


def number_rows(result: Compared) -> Iterator[list[object]]:
    """Give all numbers of layers, groups and pairs as one table.

    Parameters
    ----------
    result : Compared

    Yields
    ------
    list
        In the order of `NUMBERS`: of each first unique detectors of all categories together, where the
        category is empty, then of each, then the share of detectors. A pair bears the name of the second
        layer, ``against`` the first, and its values are differences.
    """
    nothing = [None] * 3
    for layer in result.layers:
        for count, category, found in _estimates(layer):
            counted = [found.value, found.low, found.high]
            yield ["layer", layer.name, None, count, category, *counted, *nothing, None, None]
    for group in result.groups:
        for count, category, spread in _spreads(group):
            counted = [spread.mean, None, None, spread.sd, spread.least, spread.most]
            yield ["group", group.name, None, count, category, *counted, None, None]
    for pair in result.pairs:
        for count, category, change in _differences(pair):
            counted = [change.value, change.low, change.high]
            tested = [change.p_value, change.p_adjusted]
            yield ["pair", pair.second, pair.first, count, category, *counted, *nothing, *tested]


def _estimates(layer: ComparedLayer) -> Iterator[tuple[str, str, Estimate]]:
    yield "unique", "", layer.unique
    yield from (("unique", category, found) for category, found in layer.unique_by_category.items())
    yield "share", "", layer.share


def _spreads(group: ComparedGroup) -> Iterator[tuple[str, str, GroupSpread]]:
    yield "unique", "", group.unique
    yield from (("unique", category, found) for category, found in group.unique_by_category.items())
    yield "share", "", group.share


def _differences(pair: ComparedPair) -> Iterator[tuple[str, str, Difference]]:
    yield "unique", "", pair.unique
    yield from (("unique", category, found) for category, found in pair.unique_by_category.items())
    yield "share", "", pair.share


def _layer_rows(layers: Iterable[ComparedLayer]) -> Iterator[list[object]]:
    for layer in layers:
        named = [getattr(layer, name) for name in _LAYER]
        for count, category, found in _estimates(layer):
            yield [*named, count, category, found.value, found.low, found.high]


def _group_rows(groups: Iterable[ComparedGroup]) -> Iterator[list[object]]:
    for group in groups:
        named = [group.name, group.position, len(group.members)]
        for count, category, found in _spreads(group):
            yield [*named, count, category, found.mean, found.sd, found.least, found.most]


def _pair_rows(pairs: Iterable[ComparedPair]) -> Iterator[list[object]]:
    for pair in pairs:
        overlap = pair.overlap
        named = [pair.first, pair.second, pair.paired, pair.reason, overlap.shared, overlap.union]
        named += [overlap.jaccard, overlap.expected, overlap.p_value]
        for count, category, found in _differences(pair):
            tested = [found.low, found.high, found.p_value, found.p_adjusted]
            yield [*named, count, category, found.value, *tested]


def _change_rows(pairs: Iterable[ComparedPair]) -> Iterator[list[object]]:
    for pair in pairs:
        for change in ("gained", "lost", "kept"):
            for found in getattr(pair, change):
                named = [pair.first, pair.second, change]
                yield [*named, found.concept, found.category, found.first, found.second]


def _concept_rows(concepts: Iterable[ComparedConcept], names: Iterable[str]) -> Iterator[list[object]]:
    layers = list(names)
    for concept in concepts:
        for name, best in zip(layers, concept.best, strict=True):
            named = [concept.concept, concept.category, name]
            if best is None:
                yield [*named, None, 0.0, ""]
            else:
                yield [*named, best.unit, best.iou, " ".join(map(str, best.detectors))]
