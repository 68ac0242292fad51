"""What ``comparison.json`` has to hold, as rules: checked before anything of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxdissect.results.formats.manifest_schema import MOST_RESAMPLES
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

__all__ = ["check_comparison"]

_MOST = 2**24
_COUNT = Integer(0, _MOST)
_SHARE = Number(0, 1)
_POSITION = OrNull(Number())
# Halves of intervals of differences may be negative.
_AMOUNT = Number(-_MOST, _MOST)


class _Flag:
    """True or false."""

    wanted = "true or false"

    def check(self, value: Any, place: str) -> None:
        if not isinstance(value, bool):
            raise FieldError(place, f"is {shown(value)}, not {self.wanted}")


def _estimate(rule: Field) -> Record:
    return Record({"value": rule, "low": OrNull(rule), "high": OrNull(rule)})


def _spread(rule: Field) -> Record:
    return Record({"mean": rule, "sd": rule, "least": rule, "most": rule})


_UNIQUE = _estimate(Number(0, _MOST))
_LAYER = Record(
    {
        "name": Text(),
        "group": Text(),
        "position": _POSITION,
        "run": Text(),
        "model": Text(),
        "data": Text(),
        "layer": Text(),
        "alias": Text(),
        "basis": OrNull(Text()),
        "depth": _COUNT,
        "quantile": Number(0, 1, open=True),
        "units": Integer(1, _MOST),
        "images": Integer(0, 2**31),
        "detectors": _COUNT,
        "share": _estimate(_SHARE),
        "unique": _UNIQUE,
        "unique_any": _COUNT,
        "unique_by_category": Mapped(_UNIQUE),
        "reliable": OrNull(_COUNT),
    }
)
_COUNTS = _spread(Number(0, _MOST))
_GROUP = Record(
    {
        "name": Text(),
        "position": _POSITION,
        "members": Listed(Text(), 1),
        "share": _spread(_SHARE),
        "unique": _COUNTS,
        "unique_by_category": Mapped(_COUNTS),
    }
)
_DIFFERENCE = Record(
    {
        "value": _AMOUNT,
        "low": OrNull(_AMOUNT),
        "high": OrNull(_AMOUNT),
        "p_value": OrNull(_SHARE),
        "p_adjusted": OrNull(_SHARE),
    }
)
_CHANGES = Listed(Record({"concept": Text(), "category": Text(), "first": _SHARE, "second": _SHARE}))
_PAIR = Record(
    {
        "first": Text(),
        "second": Text(),
        "paired": _Flag(),
        "reason": Text(),
        "unique": _DIFFERENCE,
        "share": _DIFFERENCE,
        "unique_by_category": Mapped(_DIFFERENCE),
        "gained": _CHANGES,
        "lost": _CHANGES,
        "kept": _CHANGES,
        "overlap": Record(
            {
                "shared": _COUNT,
                "union": _COUNT,
                "jaccard": _SHARE,
                "expected": _SHARE,
                "p_value": _SHARE,
            }
        ),
    }
)
_UNIT = Integer(0, _MOST)
_CONCEPT = Record(
    {
        "concept": Text(),
        "category": Text(),
        "best": Listed(OrNull(Record({"unit": _UNIT, "iou": _SHARE, "detectors": Listed(_UNIT)})), 1),
    }
)
_SCORE = Number(-1, 1)
_MATCHING = Record(
    {
        "first": Text(),
        "second": Text(),
        "by": Choice(("masks", "profiles")),
        "units": Listed(
            Record(
                {
                    "first": _UNIT,
                    "second": _UNIT,
                    "score": _SCORE,
                    "first_label": Text(),
                    "second_label": Text(),
                }
            ),
            1,
        ),
        "score": _SCORE,
        **{f"{of}_{what}": _SCORE for of in ("random", "chance") for what in ("mean", "low", "high")},
        "same_number": _SHARE,
        "same_label": OrNull(_SHARE),
        "same_label_random": OrNull(_SHARE),
    }
)
_COMPARISON = Record(
    {
        "by": Text(),
        "series": _Flag(),
        "categories": Listed(Text(), distinct=True),
        "iou_threshold": OrNull(_SHARE),
        "scoring": OrNull(Text()),
        "resamples": Integer(0, MOST_RESAMPLES),
        "marks": Listed(Text()),
        "layers": Listed(_LAYER, 2),
        "groups": Listed(_GROUP, 1),
        "pairs": Listed(_PAIR),
        "concepts": Listed(_CONCEPT),
        "matchings": Listed(_MATCHING),
    },
    {"warnings": Listed(Text())},
)


def check_comparison(document: Mapping[str, Any]) -> None:
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
    _COMPARISON.check(document, "")
