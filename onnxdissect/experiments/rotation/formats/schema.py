"""What ``rotation.json`` has to hold, as rules: checked before anything of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxdissect.experiments.rotation.result import RotationResult
from onnxdissect.results import Dissection
from onnxdissect.results.formats.manifest_schema import MOST_RESAMPLES
from onnxdissect.storage.fields import (
    FieldError,
    Integer,
    Listed,
    Mapped,
    Number,
    OrNull,
    Record,
    Text,
    shown,
)

__all__ = ["check_rotation", "expect_concepts"]

_COUNT = Integer(0, 2**24)
_MEAN = Number(0, 2**24)
_TAU = Number(0, 1, open=True)
_SHARE = Number(0, 1)
_SPREAD = Record(
    {
        "mean": _MEAN,
        "sd": _MEAN,
        "least": _COUNT,
        "most": _COUNT,
        "low": OrNull(_MEAN),
        "high": OrNull(_MEAN),
    }
)
_VALUE = Record({"alpha": OrNull(_SHARE), "unique": _SPREAD, "by_category": Mapped(_SPREAD)})
_FALL = Record(
    {"share": Number(-(2**24), 1), "low": OrNull(Number(-(2**24), 1)), "high": OrNull(Number(-(2**24), 1))}
)


def _grid(rule: Any) -> Listed:
    return Listed(Listed(rule, 1), 1)


class _Flag:
    """True or false."""

    wanted = "true or false"

    def check(self, value: Any, place: str) -> None:
        if not isinstance(value, bool):
            raise FieldError(place, f"is {shown(value)}, not {self.wanted}")


_CONCEPT = Record(
    {
        "concept": Text(),
        "category": Text(),
        "unit": _grid(Integer(-1, 2**24)),
        "iou": _grid(_SHARE),
        "detected": _grid(_Flag()),
    }
)
_CURVE = Record(
    {
        "layer": Text(),
        "quantile": _TAU,
        "values": Listed(_VALUE, 2),
        "fall": OrNull(_FALL),
        "half_life": OrNull(_SHARE),
        "permutation_differences": Listed(Text()),
        "directions": _VALUE,
        "concepts": Listed(_CONCEPT),
    }
)
_POINT = Record(
    {
        "layer": Text(),
        "quantile": _TAU,
        "kind": Text(),
        "alpha": OrNull(_SHARE),
        "seed": OrNull(Integer()),
        "entry": Text(),
        "units": _COUNT,
        "detectors": _COUNT,
        "unique_detectors": _COUNT,
        "unique_low": OrNull(_COUNT),
        "unique_high": OrNull(_COUNT),
        "unique": Mapped(_COUNT),
    }
)
_VERIFICATION = Record(
    {
        "layer": Text(),
        "basis": Text(),
        "images": Integer(1, 2**31),
        "tolerance": Number(0),
        "outputs": Listed(Record({"output": Text(), "error": Number(0)})),
    }
)
_ROTATION = Record(
    {
        "alphas": Listed(_SHARE, 2),
        "seeds": Listed(Integer(), 1),
        "quantiles": Listed(_TAU, 1),
        "categories": Listed(Text()),
        "layers": Listed(
            Record({"name": Text(), "alias": Text(), "slug": Text(255), "units": Integer(1, 2**24)}), 1
        ),
        "resamples": Integer(0, MOST_RESAMPLES),
        "iou_threshold": _SHARE,
        "points": Listed(_POINT, 1),
        "curves": Listed(_CURVE, 1),
        "verification": Listed(_VERIFICATION),
    }
)


def check_rotation(document: Mapping[str, Any]) -> None:
    """See that a document holds all that a result is made of, each of its kind and within bounds.

    Parameters
    ----------
    document : mapping
        As read.

    Raises
    ------
    FieldError
        Naming the field.
    """
    _ROTATION.check(document, "")


def expect_concepts(result: RotationResult, run: Dissection) -> None:
    """See that what a result follows is in the run: concepts, units, and all of its alphas and seeds.

    Parameters
    ----------
    result : RotationResult
        As read.
    run : Dissection

    Raises
    ------
    FieldError
        Naming the field.
    """
    known = {(concept.name, concept.category) for concept in run.concepts}
    units = {layer.name: layer.units for layer in result.layers}
    shape = len(result.seeds), len(result.alphas)
    for i, curve in enumerate(result.curves):
        for j, followed in enumerate(curve.concepts):
            place = f"curves[{i}].concepts[{j}]"
            if (followed.concept, followed.category) not in known:
                raise FieldError(f"{place}.concept", f"is {shown(followed.concept)}, which the run lacks")
            for name in ("unit", "iou", "detected"):
                rows = getattr(followed, name)
                if len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
                    raise FieldError(f"{place}.{name}", f"is not of {shape[0]} seeds and {shape[1]} alphas")
            if max(map(max, followed.unit)) >= units[curve.layer]:
                raise FieldError(
                    f"{place}.unit", f"names a unit beyond the {units[curve.layer]} of the layer"
                )
    for i, verified in enumerate(result.verification):
        if verified.layer not in units:
            raise FieldError(f"verification[{i}].layer", f"is {shown(verified.layer)}, which was not rotated")
