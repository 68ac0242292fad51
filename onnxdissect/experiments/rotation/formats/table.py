"""The result of rotating layers as one table, in which every row is one count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnxdissect.experiments.rotation.records import CurveValue, RotationCurve, RotationPoint

__all__ = ["COLUMNS", "rotation_rows"]

COLUMNS = (
    *("record", "layer", "quantile", "kind", "alpha", "seed", "category", "units", "detectors"),
    *("unique_detectors", "sd", "least", "most", "low", "high"),
)
"""Of ``rotation.csv``."""


def rotation_rows(points: Iterable[RotationPoint], curves: Iterable[RotationCurve]) -> Iterator[list[object]]:
    """Give the rows of ``rotation.csv``.

    Parameters
    ----------
    points : iterable of RotationPoint
    curves : iterable of RotationCurve

    Yields
    ------
    list
        In the order of `COLUMNS`: each point, and then each value of a curve; of each first all categories
        together, where the category is empty, then one after the other. None where there is nothing to say.
    """
    for point in points:
        named = ["point", point.layer, point.quantile, point.kind, point.alpha, point.seed]
        spread = [None, None, None]
        interval = [point.unique_low, point.unique_high]
        yield [*named, "", point.units, point.detectors, point.unique_detectors, *spread, *interval]
        for category, count in point.unique.items():
            yield [*named, category, point.units, None, count, *spread, None, None]
    for curve in curves:
        for value in curve.values:
            yield from _curve_rows(curve, "rotation", value)
        yield from _curve_rows(curve, "directions", curve.directions)


def _curve_rows(curve: RotationCurve, kind: str, value: CurveValue) -> Iterator[list[object]]:
    named = ["curve", curve.layer, curve.quantile, kind, value.alpha, None]
    for category, found in (("", value.unique), *value.by_category.items()):
        counted = [found.mean, found.sd, found.least, found.most, found.low, found.high]
        yield [*named, category, None, None, *counted]
