"""What a terminal is told of rotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from onnxdissect.cli.printing.tables import plain_table
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.experiments.rotation import CurveValue, RotationCurve, RotationResult

__all__ = ["rotation_json", "rotation_sentences", "rotation_table"]


def rotation_table(result: RotationResult) -> Table:
    """Lay out unique detectors at every share of the rotation, and those of random directions."""
    several = len(result.quantiles) > 1
    aliases = {layer.name: layer.alias for layer in result.layers}
    named_twice = any(alias != name for name, alias in aliases.items())
    columns = ["layer", *(["value"] if named_twice else []), *([">quantile"] if several else [])]
    columns += [">alpha", ">unique"]
    columns += [">95 %"] if result.resamples else []
    columns += [">sd", *(f">{category}" for category in result.categories)]
    rows = []
    for curve in result.curves:
        values = [curve.layer] if named_twice else []
        named: list[object] = [aliases[curve.layer], *values, *([curve.quantile] if several else [])]
        for value in (*curve.values, curve.directions):
            share = "directions" if value.alpha is None else f"{value.alpha:g}"
            rows.append([*named, share, *_cells(value, resampled=bool(result.resamples))])
    title = (
        f"Unique detectors along {counted(len(result.seeds), 'rotation')} (IoU > {result.iou_threshold:g})"
    )
    return plain_table(title, columns, rows)


def rotation_sentences(result: RotationResult) -> Iterator[str]:
    """Say what each curve comes to, in a sentence each."""
    several = len(result.quantiles) > 1
    aliases = {layer.name: layer.alias for layer in result.layers}
    for curve in result.curves:
        alias = aliases[curve.layer]
        named = alias if alias == curve.layer else f"{alias} ({curve.layer})"
        named += f" at quantile {curve.quantile:g}" if several else ""
        yield f"{named}: {_fall(curve)}"
        for said in curve.permutation_differences:
            yield f"{named}: permutation must change nothing but the numbers of units, and changed the {said}"
    if not any(curve.permutation_differences for curve in result.curves):
        yield "permutation: changed nothing but the numbers of units"


def rotation_json(result: RotationResult, files: Sequence[Path]) -> dict[str, Any]:
    """Give what the command prints as JSON; points and followed concepts are in ``rotation.json``."""
    told = asdict(result)
    del told["points"]
    for curve in told["curves"]:
        del curve["concepts"]
    return told | {"path": str(result.path), "files": [str(path) for path in files]}


def _cells(value: CurveValue, *, resampled: bool) -> list[object]:
    interval = [f"{value.unique.low:.1f}-{value.unique.high:.1f}" if value.unique.low is not None else ""]
    return [
        f"{value.unique.mean:.1f}",
        *(interval if resampled else []),
        f"{value.unique.sd:.1f}",
        *(f"{found.mean:.1f}" for found in value.by_category.values()),
    ]


def _fall(curve: RotationCurve) -> str:
    """Say how much is gone at the end, and where half of it is."""
    if curve.fall is None:
        return "no unique detectors at alpha 0, so none can be lost"
    left, fall = curve.values[-1].unique.mean, curve.fall
    interval = "" if fall.low is None else f" ({100 * fall.low:.0f} to {100 * (fall.high or 0):.0f} %)"
    if fall.share < 0:
        gone = f"{-100 * fall.share:.0f} % more{interval.replace('(', '(fall of ')}"
    else:
        gone = f"{100 * fall.share:.0f} % fewer{interval}"
    half = (
        "more than half of them are left at every alpha"
        if curve.half_life is None
        else f"half of them are gone at alpha {curve.half_life:.2f}"
    )
    return (
        f"{counted(curve.own, 'unique detector')} at alpha 0, {left:.1f} at alpha 1: {gone}; {half}. "
        f"Random directions have {curve.directions.unique.mean:.1f}"
    )
