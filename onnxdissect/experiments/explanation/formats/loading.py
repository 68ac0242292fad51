"""Explanations as they were written, read back without their pixels and activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from onnxdissect.arguments import checked_arguments
from onnxdissect.errors import RunNotFoundError, shown_path
from onnxdissect.experiments.explanation.formats.schema import check_explanations
from onnxdissect.experiments.explanation.formats.stored import FORMAT_VERSION, RESULT
from onnxdissect.experiments.explanation.records import (
    ConceptShare,
    Explanation,
    Fit,
    ShapleyOrders,
    UnitContribution,
)
from onnxdissect.storage.document import read_document
from onnxdissect.storage.memory import explained_memory

__all__ = ["load_explanations"]

_LARGEST = 2**29
_AGAIN = "`onnxdissect explain MODEL IMAGE... --run RUN --out DIR` makes it anew"


@checked_arguments()
@explained_memory()
def load_explanations(folder: str | Path) -> tuple[Explanation, ...]:
    """Read what `onnxdissect.explain` has found, as ``explain --out`` has written it.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    tuple of Explanation
        Equal to those that were written, without pixels and activations: `Explanation.heat` and
        `Explanation.mask` are refused. Neither the run nor the model is opened.

    Raises
    ------
    RunNotFoundError
        If there is no such folder, or no explanation lies in it.
    RunFormatError
        If it is of another format version, or damaged.
    """
    place = Path(folder)
    path = place / RESULT
    if not path.exists():
        found = "there is no folder" if not place.exists() else "no explanation lies in"
        raise RunNotFoundError(f"{found} {shown_path(place)}", hint=_AGAIN)
    document = read_document(
        path, place, version=FORMAT_VERSION, largest=_LARGEST, check=check_explanations, hint=_AGAIN
    )
    return tuple(_explanation(told) for told in document["explanations"])


def _explanation(told: Mapping[str, Any]) -> Explanation:
    height, width = told["image_size"]
    made = {
        "contributions": tuple(map(float, told["contributions"])),
        "units": tuple(
            _record(UnitContribution, one, box=None if one["box"] is None else tuple(one["box"]))
            for one in told["units"]
        ),
        "concepts": tuple(_record(ConceptShare, one, units=tuple(one["units"])) for one in told["concepts"]),
        "pixels": np.broadcast_to(np.uint8(0), (height, width, 3)),
        "activations": np.zeros((0, 1, 1), np.float32),
        "input_size": tuple(told["input_size"]),
        "placement": _placement(told["placement"]),
        "reduced": told.get("reduced", ""),
        "orders": told["orders"]
        and _record(ShapleyOrders, told["orders"], units=tuple(told["orders"]["units"])),
        "fit": told["fit"] and _record(Fit, told["fit"], classes=tuple(told["fit"]["classes"])),
    }
    found: Explanation = _record(Explanation, told, **made)
    return found


def _record(kind: Any, told: Mapping[str, Any], **made: Any) -> Any:
    """Make a record of its fields; what else a file holds is not looked at."""
    return kind(**{field.name: told[field.name] for field in fields(kind) if field.name not in made}, **made)


def _placement(told: Sequence[Sequence[float]] | None) -> tuple[tuple[float, ...], ...] | None:
    return None if told is None else tuple(tuple(map(float, pair)) for pair in told)
