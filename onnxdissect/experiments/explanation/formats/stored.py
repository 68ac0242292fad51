"""Explanations in a folder: ``explanation.json``, beside figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from onnxdissect.errors import OutputError, shown_path
from onnxdissect.experiments.explanation.formats.folder import PAGE_FILES, expect_own_page
from onnxdissect.experiments.explanation.formats.wording import (
    SHARES,
    attribution_sentence,
    concept_sentence,
    definition,
)
from onnxdissect.experiments.explanation.records import (
    ConceptShare,
    Explanation,
    Fit,
    ShapleyOrders,
    UnitContribution,
)
from onnxdissect.storage.fields import FieldError
from onnxdissect.storage.files import held_names, make_folder, write_bytes
from onnxdissect.storage.json_file import json_bytes, read_json

__all__ = [
    "FORMAT_VERSION",
    "RESULT",
    "expect_explanation_folder",
    "explanation_json",
    "explanation_record",
    "explanations_json",
    "write_explanations",
    "write_records",
]

FORMAT_VERSION = 1
"""Of ``explanation.json``."""

RESULT = "explanation.json"

_LARGEST = 2**29
_ARRAYS = frozenset(("pixels", "activations"))
_ELSEWHERE = "name a folder that is empty or not there yet: --out DIR"


def explanation_json(explanations: Sequence[Explanation]) -> dict[str, Any]:
    """Give explanations as JSON values.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of one call.

    Returns
    -------
    dict
        Without pixels and activations, with what contributions and shares are.
    """
    return explanations_json([explanation_record(explanation) for explanation in explanations])


def explanations_json(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Put together what explanations were made JSON values of one by one.

    Parameters
    ----------
    records : sequence of dict
        As `explanation_record` gives them, of one call.

    Returns
    -------
    dict
        As `explanation_json` gives it.
    """
    return {"format_version": FORMAT_VERSION, "share": SHARES, "explanations": list(records)}


def explanation_record(explanation: Explanation) -> dict[str, Any]:
    """Give one explanation as JSON values.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    dict
        Without pixels and activations, with what a contribution is.
    """
    told = {
        field.name: getattr(explanation, field.name)
        for field in fields(explanation)
        if field.name not in _ARRAYS
    }
    told["contribution"] = definition(explanation)
    told["image_size"] = list(explanation.pixels.shape[:2])
    told["sentence"] = concept_sentence(explanation)
    told["attribution_sentence"] = attribution_sentence(explanation)
    for name in ("units", "concepts"):
        told[name] = [_values(one) for one in getattr(explanation, name)]
    for name in ("orders", "fit"):
        told[name] = None if told[name] is None else _values(told[name])
    return told


def _values(record: UnitContribution | ConceptShare | ShapleyOrders | Fit) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def expect_explanation_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but explanations.

    Parameters
    ----------
    folder : Path
        Need not exist.

    Raises
    ------
    OutputError
        If it is no folder, or something else lies in it.
    """
    held = held_names(folder, "explanations are")
    if not held:
        return
    own = {RESULT, *PAGE_FILES, *_files_of(folder)}
    other = [name for name in held if name not in own]
    if other or RESULT not in held:
        raise OutputError(
            f"{folder} holds {shown_path((other or held)[0])}, no explanation: it stays as it is",
            hint=_ELSEWHERE,
        )
    expect_own_page(folder)


def _files_of(folder: Path) -> list[str]:
    """Name the figures that an earlier explanation lists."""
    try:
        told = read_json(folder / RESULT, _LARGEST)
        if not isinstance(told, dict) or "explanations" not in told:
            raise FieldError("explanations", "are missing")
        return [str(name) for name in told.get("figures", [])]
    except FileNotFoundError:
        return []
    except (OSError, FieldError, TypeError) as error:
        raise OutputError(
            f"{folder} holds a {RESULT} that is no explanation of predictions: it stays as it is",
            hint=_ELSEWHERE,
        ) from error


def write_explanations(
    explanations: Sequence[Explanation], folder: str | Path, figures: Sequence[str] = ()
) -> Path:
    """Write ``explanation.json``; equal explanations give equal bytes.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of one call.
    folder : str or Path
        Made if it does not exist.
    figures : sequence of str
        Names of the figures that lie beside it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    return write_records([explanation_record(one) for one in explanations], folder, figures)


def write_records(records: Sequence[dict[str, Any]], folder: str | Path, figures: Sequence[str] = ()) -> Path:
    """Write ``explanation.json`` of explanations that were made JSON values of one by one.

    Parameters
    ----------
    records : sequence of dict
        As `explanation_record` gives them, of one call.
    folder : str or Path
        Made if it does not exist.
    figures : sequence of str
        Names of the figures that lie beside it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    target = make_folder(Path(folder))
    path = target / RESULT
    write_bytes(path, json_bytes(explanations_json(records) | {"figures": list(figures)}, indent=1))
    return path
