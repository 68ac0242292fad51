"""Whether the result of a rotation agrees with the run that it is said to be of, as far as tables tell.

IoUs with other concepts than the best of a category, and intervals of means over several seeds, are in no
table: of these only bounds are known. Nothing is counted again for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnxdissect.experiments.rotation.entries import RotationEntries
from onnxdissect.experiments.rotation.permutation import is_difference
from onnxdissect.experiments.rotation.records import (
    CurveValue,
    FollowedConcept,
    RotationCurve,
    RotationPoint,
    Spread,
    Verification,
)
from onnxdissect.experiments.rotation.result import RotationResult
from onnxdissect.results import Dissection, Unit
from onnxdissect.storage.fields import FieldError, shown

__all__ = ["expect_agreement"]

_ROUNDING = 1e-9
_VERIFIED_BY = "rotation:seed=0,alpha=1"


@dataclass(frozen=True, slots=True)
class _Detected:
    """What the table of units says of one entry at one quantile."""

    units: Sequence[Unit]
    labels: frozenset[tuple[str, str]]
    highest: Mapping[tuple[str, str], float]

    @classmethod
    def of(cls, units: Sequence[Unit]) -> _Detected:
        highest: dict[tuple[str, str], float] = {}
        for unit in units:
            for category, (concept, iou) in unit.best.items():
                key = concept, category
                highest[key] = max(iou, highest.get(key, 0.0))
        labels = frozenset((unit.label, unit.category) for unit in units if unit.detector)
        return cls(units, labels, highest)


def expect_agreement(result: RotationResult, run: Dissection, entries: Sequence[RotationEntries]) -> None:
    """See that intervals, followed concepts, the control and verifications can be those of a run.

    Parameters
    ----------
    result : RotationResult
        As read; its points are those of the run.
    run : Dissection
    entries : sequence of RotationEntries
        Of the run.

    Raises
    ------
    FieldError
        Naming the field.
    """
    by_name = {of_layer.own.name: of_layer for of_layer in entries}
    for i, curve in enumerate(result.curves):
        of_layer, place = by_name[curve.layer], f"curves[{i}]"
        _expect_intervals(result, curve, of_layer.own.units, place)
        _expect_differences(curve, of_layer, place)
        _expect_followed(curve, run, of_layer, place)
    _expect_verified(result.verification, [layer.name for layer in result.layers])


def _expect_intervals(result: RotationResult, curve: RotationCurve, units: int, place: str) -> None:
    points = [p for p in result.points if (p.layer, p.quantile) == (curve.layer, curve.quantile)]
    for j, value in enumerate(curve.values):
        of_value = [p for p in points if p.kind in ("own", "rotation") and p.alpha == value.alpha]
        _expect_value(value, of_value, units, f"{place}.values[{j}]")
    _expect_value(
        curve.directions, [p for p in points if p.kind == "directions"], units, f"{place}.directions"
    )
    fall = curve.fall
    if fall is not None and fall.low is not None and fall.high is not None:
        if not fall.low - _ROUNDING <= fall.share <= fall.high + _ROUNDING:
            raise FieldError(f"{place}.fall", f"is {fall.share!r}, outside its interval")
        if points[0].unique_low is None:
            raise FieldError(f"{place}.fall", "has an interval, and the run was made without")


def _expect_value(value: CurveValue, points: Sequence[RotationPoint], units: int, place: str) -> None:
    resampled = points[0].unique_low is not None
    spreads: dict[str, Spread] = {f"{place}.unique": value.unique}
    spreads |= {f"{place}.by_category.{name}": found for name, found in value.by_category.items()}
    for where, found in spreads.items():
        low, high = found.low, found.high
        if (low is not None) != resampled:
            told = "has none" if resampled else "has one, and the run was made without"
            raise FieldError(f"{where}.low", f"is {shown(low)}: an interval that {told}")
        if low is not None and high is not None and not low <= found.mean <= high <= units:
            raise FieldError(where, f"has the mean {found.mean!r} and an interval from {low!r} to {high!r}")
    own = points[0]
    stored = own.unique_low, own.unique_high
    # of one entry alone the run has stored the interval
    if len(points) == 1 and (value.unique.low, value.unique.high) != stored:
        said = f"is {shown(value.unique.low)} to {shown(value.unique.high)}"
        raise FieldError(f"{place}.unique", f"{said}, not {shown(stored[0])} to {shown(stored[1])}")


def _expect_differences(curve: RotationCurve, of_layer: RotationEntries, place: str) -> None:
    told = curve.permutation_differences
    for j, said in enumerate(told):
        if not is_difference(said, of_layer.own.units, of_layer.permuted_by) or said in told[:j]:
            raise FieldError(
                f"{place}.permutation_differences[{j}]",
                f"is {shown(said)}, no difference of a permutation",
            )


def _expect_followed(curve: RotationCurve, run: Dissection, of_layer: RotationEntries, place: str) -> None:
    asked: dict[str, _Detected] = {}
    for row in of_layer.rotations:
        for info in row:
            if info.name not in asked:
                asked[info.name] = _Detected.of(run.units(info.name, curve.quantile))
    followed = [(one.concept, one.category) for one in curve.concepts]
    twice = next((key for j, key in enumerate(followed) if key in followed[:j]), None)
    if twice is not None:
        raise FieldError(f"{place}.concepts", f"follow {shown(twice[0])} twice")
    wanted = frozenset().union(*(found.labels for found in asked.values()))
    if wanted != set(followed):
        other = min(wanted ^ set(followed))
        said, detected = ("do not follow", "") if other in wanted else ("follow", "not ")
        raise FieldError(
            f"{place}.concepts",
            f"{said} {shown(other[0])}, which is {detected}detected",
        )
    for j, one in enumerate(curve.concepts):
        for s, row in enumerate(of_layer.rotations):
            for a, info in enumerate(row):
                _expect_at(one, asked[info.name], (s, a), f"{place}.concepts[{j}]")


def _expect_at(one: FollowedConcept, found: _Detected, at: tuple[int, int], place: str) -> None:
    s, a = at
    unit, iou, key = one.unit[s][a], one.iou[s][a], (one.concept, one.category)
    if one.detected[s][a] != (key in found.labels):
        raise FieldError(f"{place}.detected[{s}][{a}]", "is another than the table of units says")
    if (unit < 0) != (iou == 0):
        raise FieldError(f"{place}.unit[{s}][{a}]", f"is {unit}, and its IoU is {iou!r}")
    concept, highest = ("", 0.0) if unit < 0 else found.units[unit].best[one.category]
    wrong = iou != highest if concept == one.concept else iou > highest
    if wrong or iou < found.highest.get(key, 0.0):
        raise FieldError(f"{place}.iou[{s}][{a}]", f"is {iou!r}, which the table of units contradicts")


def _expect_verified(verification: Sequence[Verification], layers: Sequence[str]) -> None:
    verified = [one.layer for one in verification]
    if verified and verified != list(layers):
        raise FieldError("verification", f"is of {shown(', '.join(verified))}, not of each layer once")
    for i, one in enumerate(verification):
        if one.basis != _VERIFIED_BY:
            raise FieldError(f"verification[{i}].basis", f"is {shown(one.basis)}, not {_VERIFIED_BY}")
        names = [each.output for each in one.outputs]
        for j, each in enumerate(one.outputs):
            place = f"verification[{i}].outputs[{j}]"
            if each.output in names[:j]:
                raise FieldError(f"{place}.output", f"is {shown(each.output)}, which stands there twice")
            if each.error > one.tolerance:
                raise FieldError(
                    f"{place}.error", f"is {each.error!r}, beyond the tolerance of {one.tolerance!r}"
                )
