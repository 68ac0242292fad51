"""What ``ablation.json`` and ``ablation.npz`` have to hold: checked before anything of them is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxdissect.experiments.ablation.records import KINDS
from onnxdissect.model.scores.reduction_words import REDUCTIONS
from onnxdissect.storage.fields import (
    Choice,
    Field,
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
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["AGAIN", "ARRAY_SCHEMA", "FORMAT_VERSION", "check_ablation", "check_arrays"]

FORMAT_VERSION = 1
"""Of ``ablation.json`` and ``ablation.npz``."""

AGAIN = "`onnxdissect ablate` with --fresh makes it anew"

ARRAY_SCHEMA = Schema(
    {
        "classes": ArraySpec("int64", "C"),
        "images": ArraySpec("str", "M"),
        "image_class": ArraySpec("int64", "M"),
        "kind": ArraySpec("int64", "V"),
        "of_class": ArraySpec("int64", "V"),
        "repeat": ArraySpec("int64", "V"),
        "removed": ArraySpec("bool", "VK"),
        "predicted": ArraySpec("int32", "VM"),
        "top1": ArraySpec("float64", "VC"),
        "false_positives": ArraySpec("float64", "VC"),
        "log_loss": ArraySpec("float64", "VC"),
        "area": ArraySpec("float64", "VC"),
        "ranked_drop": ArraySpec("float64", "CK"),
        "ranked_rise": ArraySpec("float64", "CK"),
        "order": ArraySpec("int64", "CK"),
    },
    version=FORMAT_VERSION,
    hint=AGAIN,
)

_COUNT = Integer(0, 2**31)
_SOME = Integer(1, 2**31)
_SHARE = Number(0, 1)
_LOSS = Number(0)
_DIFFERENCE = Record({"value": Number(-1, 1), "low": OrNull(Number(-1, 1)), "high": OrNull(Number(-1, 1))})
_ACCURACY = Record(
    {
        "accuracy": _SHARE,
        "low": OrNull(_SHARE),
        "high": OrNull(_SHARE),
        "top1": _SHARE,
        "top1_low": OrNull(_SHARE),
        "top1_high": OrNull(_SHARE),
        "area": _SHARE,
        "log_loss": _LOSS,
    }
)
_UNITS = Listed(_COUNT, distinct=True)
_CLASS: dict[str, Field] = {"class_index": _COUNT, "class_name": Text()}
_ABLATED = Record(
    _CLASS | {"images": _SOME, "ranked_images": _SOME, "nothing": _ACCURACY, "important": _UNITS}
)
_REMOVAL = Record(
    {
        "class_index": OrNull(_COUNT),
        "class_name": Text(),
        "kind": Choice(("removed", "kept", "random removed", "random kept")),
        "n": _SOME,
        "value": _ACCURACY,
        "spread": OrNull(_SHARE),
        "others": _SHARE,
        "beyond_random": OrNull(_DIFFERENCE),
    }
)
_GROUP = Record(
    {
        "name": Text(),
        "category": Text(),
        "units": _UNITS,
        "value": _ACCURACY,
        "random": _ACCURACY,
        "beyond_random": _DIFFERENCE,
        "classes": Listed(Record(_CLASS | {"drop": _DIFFERENCE})),
    }
)


class _Flag:
    """True or false."""

    wanted = "true or false"

    def check(self, value: Any, place: str) -> None:
        if not isinstance(value, bool):
            raise FieldError(place, f"is {shown(value)}, not {self.wanted}")


_NEED = Record(
    {
        "unit": _COUNT,
        "label": Text(),
        "category": Text(),
        "iou": _SHARE,
        "detector": _Flag(),
        "classes": Listed(Text()),
        "mean_drop": Number(-1, 1),
        "worst_class": Text(),
        "worst_drop": Number(-1, 1),
    }
)
_ABLATION = Record(
    {
        "request": Mapped(),
        "layer": Text(),
        "alias": Text(),
        "quantile": Number(0, 1, open=True),
        "units": _SOME,
        "output": Text(),
        "score_of": Text(),
        "stripped": Text(),
        "images": _SOME,
        "ranked_images": _SOME,
        "left_out": _COUNT,
        "shown": Integer(2, 2**31),
        "counts": Listed(_SOME, 1, distinct=True),
        "repeats": _SOME,
        "nothing": _ACCURACY,
        "classes": Listed(_ABLATED, 1),
        "removals": Listed(_REMOVAL, 1),
        "groups": Listed(_GROUP),
        "needs": Listed(_NEED, 1),
        "need_correlation": OrNull(_DIFFERENCE),
    },
    {"reduced": Choice(("", *REDUCTIONS))},
)


def check_ablation(document: Mapping[str, Any]) -> None:
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
    _ABLATION.check(document, "")
    units = document["units"]
    if [one["unit"] for one in document["needs"]] != list(range(units)):
        raise FieldError("needs", f"are not those of {units:,} units, in order")
    for i, one in enumerate(document["classes"]):
        if sorted(one["important"]) != list(range(units)):
            raise FieldError(f"classes[{i}].important", f"are not the {units:,} units")


def check_arrays(arrays: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """See that positions in arrays lead to something.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Of the schema.
    document : mapping
        Of the same result.

    Raises
    ------
    FieldError
        Naming the array.
    """
    classes = document["shown"]
    bounds = {
        "image_class": (0, classes),
        "kind": (0, len(KINDS)),
        "of_class": (-1, classes),
        "order": (0, document["units"]),
    }
    for name, (least, beyond) in bounds.items():
        found = arrays[name]
        if found.size and not (least <= int(found.min()) and int(found.max()) < beyond):
            raise FieldError(name, f"goes beyond {least} to {beyond - 1}")
