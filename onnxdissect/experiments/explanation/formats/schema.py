"""What ``explanation.json`` has to hold, as rules: checked before anything of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxdissect.experiments.explanation.records import ABLATED_TO, ATTRIBUTIONS, OVER
from onnxdissect.model.scores.reduction_words import REDUCTIONS
from onnxdissect.storage.fields import (
    Choice,
    Field,
    FieldError,
    Integer,
    Listed,
    Number,
    OrNull,
    Record,
    Text,
    expect_distinct,
    shown,
)

__all__ = ["check_explanations"]

_MOST = 2**24
_UNIT = Integer(0, _MOST)
_SHARE = Number(-1.000001, 1.000001)
# so many pixels that their number is still one
_SIDE = Integer(1, 2**30)


class _Flag:
    """True or false."""

    wanted = "true or false"

    def check(self, value: Any, place: str) -> None:
        if not isinstance(value, bool):
            raise FieldError(place, f"is {shown(value)}, not {self.wanted}")


_CONTRIBUTION: dict[str, Field] = {
    "contribution": Number(),
    "share": _SHARE,
    "standard_error": OrNull(Number(0)),
}
_UNITS = Record(
    {
        "unit": _UNIT,
        "label": Text(),
        "category": Text(),
        "iou": Number(0, 1),
        "iou_low": OrNull(Number(0, 1)),
        "iou_high": OrNull(Number(0, 1)),
        "stability": OrNull(Number(0, 1)),
        "detector": _Flag(),
        "reliable": OrNull(_Flag()),
        "activation": Number(),
        "threshold": Number(),
        "area": Number(0, 1),
        "box": OrNull(Listed(Integer(0, 2**31), 4, 4)),
        **_CONTRIBUTION,
    }
)
_CONCEPT = Record(
    {
        "concept": Text(),
        "category": Text(),
        "units": Listed(_UNIT, distinct=True),
        **_CONTRIBUTION,
    }
)
_ORDERS = Record(
    {
        "over": Choice(OVER),
        "players": _UNIT,
        "units": Listed(_UNIT, distinct=True),
        "permutations": Integer(),
        "seed": Integer(),
    }
)
_FIT = Record(
    {
        "images": Integer(2),
        "classes": Listed(Text(), 2, distinct=True),
        "accuracy": OrNull(Number(0, 1)),
        "folds": Integer(),
    }
)
_TEXTS = (
    *("image", "model", "run", "layer", "alias", "output", "score_of", "stripped", "class_name"),
    *("predicted_name", "reference"),
)
_PAIR = Listed(Number(), 2, 2)
_EXPLANATION = Record(
    {
        **dict.fromkeys(_TEXTS, Text()),
        "quantile": Number(0, 1, open=True),
        "class_index": _UNIT,
        "predicted_index": _UNIT,
        "score": Number(),
        "attribution": Choice(ATTRIBUTIONS[1:]),
        "bias": OrNull(Number()),
        "error": OrNull(Number(0)),
        "contributions": Listed(Number(), longest=_MOST),
        "units": Listed(_UNITS),
        "concepts": Listed(_CONCEPT),
        "image_size": Listed(_SIDE, 2, 2),
        "input_size": Listed(_SIDE, 2, 2),
        "placement": OrNull(Listed(_PAIR, 2, 2)),
        "ablated_to": Choice(ABLATED_TO),
        "orders": OrNull(_ORDERS),
        "fit": OrNull(_FIT),
    },
    {"reduced": Choice(("", *REDUCTIONS))},
)
_DOCUMENT = Record({"explanations": Listed(_EXPLANATION, shortest=1)})


def check_explanations(document: Mapping[str, Any]) -> None:
    """Check the content of an ``explanation.json``.

    Parameters
    ----------
    document : mapping
        What the file holds.

    Raises
    ------
    FieldError
        If something in it is not what `Explanation` holds, with the place.
    """
    _DOCUMENT.check(document, "")
    for i, one in enumerate(document["explanations"]):
        count, place = len(one["contributions"]), f"explanations[{i}]"
        of_concepts = one["orders"] is not None and one["orders"]["over"] == "concepts"
        if (count == 0) != of_concepts:
            raise FieldError(
                f"{place}.contributions", f"is a list of {count:,}, which does not go with its orders"
            )
        if (one["attribution"] == "shapley") != (one["orders"] is not None):
            raise FieldError(f"{place}.orders", f"does not go with the attribution {one['attribution']}")
        if (one["attribution"] == "fitted") != (one["fit"] is not None):
            raise FieldError(f"{place}.fit", f"does not go with the attribution {one['attribution']}")
        _check_units(one, count, place)
        if one["placement"] is not None and min(one["placement"][1]) <= 0:
            raise FieldError(f"{place}.placement[1]", "is no stride of cells")


def _check_units(one: Mapping[str, Any], count: int, place: str) -> None:
    expect_distinct(one["units"], "unit", f"{place}.units")
    for j, unit in enumerate(one["units"]):
        if unit["unit"] >= count:
            raise FieldError(f"{place}.units[{j}].unit", f"is {unit['unit']}, of {count:,} units")
        if unit["box"] is None:
            continue
        (top, left, bottom, right), (height, width) = unit["box"], one["image_size"]
        if not (top < bottom <= height and left < right <= width):
            raise FieldError(f"{place}.units[{j}].box", f"is no part of {height} x {width} pixels")
    for j, concept in enumerate(one["concepts"]):
        if count and max(concept["units"], default=0) >= count:
            raise FieldError(
                f"{place}.concepts[{j}].units", f"hold {max(concept['units'])}, of {count:,} units"
            )
