"""Explained predictions of labelled images in a folder: ``predictions.json``, ``.npz`` and ``.csv``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from onnxdissect.errors import OutputError, shown_path
from onnxdissect.experiments.confusions.formats.wording import (
    CONFUSED_UNITS,
    CONTRIBUTIONS,
    HELD,
    accuracy_sentence,
    attribution_sentence,
    confusion_sentences,
    held_sentence,
)
from onnxdissect.experiments.confusions.records import PredictionArrays
from onnxdissect.experiments.confusions.result import LabelledExplanations
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.fields import FieldError
from onnxdissect.storage.files import held_names, make_folder, write_bytes, write_csv
from onnxdissect.storage.json_file import json_bytes, read_json
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = [
    "ARRAYS",
    "FORMAT_VERSION",
    "PAGE",
    "expect_predictions_folder",
    "predictions_json",
    "write_predictions",
]

FORMAT_VERSION = 1
"""Of ``predictions.json`` and ``predictions.npz``."""

PAGE = ("index.html", "page")
"""The page that may lie beside them, and the folder of its files."""

ARRAYS = Schema(
    {
        "class_index": ArraySpec("int32", "N"),
        "predicted_index": ArraySpec("int32", "N"),
        "contribution": ArraySpec("float32", "NU"),
        "wrong": ArraySpec("int32", "W"),
        "class_contribution": ArraySpec("float32", "WU"),
        "fired": ArraySpec("bool", "NU"),
        "held": ArraySpec("bool", "NU"),
        "known": ArraySpec("bool", "U"),
    },
    version=FORMAT_VERSION,
    hint="onnxdissect explain MODEL --images SOURCE --run RUN --out DIR makes it anew",
)
"""What ``predictions.npz`` holds of N images, U units and W images told wrong."""

_RESULT, _ARCHIVE, _TABLE = "predictions.json", "predictions.npz", "predictions.csv"
_COLUMNS = ("image", "class", "predicted", "right", "class_score", "predicted_score", "units", "labels")
_APART = frozenset(("arrays", "examples", "pictures", "labels", "images"))
_LARGEST = 2**32
_MOST_SENTENCES = 30
_ELSEWHERE = "name a folder that is empty or not there yet: --out DIR"


def predictions_json(result: LabelledExplanations) -> dict[str, Any]:
    """Give what was found as JSON values.

    Parameters
    ----------
    result : LabelledExplanations

    Returns
    -------
    dict
        Without arrays, with what contributions and shares are.
    """
    told = {one.name: getattr(result, one.name) for one in fields(result) if one.name not in _APART}
    for name in ("classes", "confusions"):
        told[name] = [asdict(one) for one in told[name]]
    told["accuracy"] = asdict(result.accuracy)
    told["held"] = None if result.held is None else asdict(result.held)
    sentences = [accuracy_sentence(result), *confusion_sentences(result, _MOST_SENTENCES)]
    return {
        "format_version": FORMAT_VERSION,
        "contribution": CONTRIBUTIONS[result.attribution],
        "rates": CONFUSED_UNITS,
        "held_share": HELD,
        "sentences": [*sentences, *([held_sentence(result)] if result.held else [])],
        "attribution_sentence": attribution_sentence(result),
        **told,
        "units": [
            {"unit": unit, "label": label, "category": category}
            for unit, (label, category) in enumerate(result.labels)
            if category
        ],
        "images": [{**asdict(one), "right": one.right} for one in result.images],
    }


def expect_predictions_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but explained predictions.

    Parameters
    ----------
    folder : Path
        Need not exist.

    Raises
    ------
    OutputError
        If it is no folder, or something else lies in it.
    """
    held = held_names(folder, "predictions are")
    if not held:
        return
    other = [name for name in held if name not in (_RESULT, _ARCHIVE, _TABLE, *PAGE)]
    if other or _RESULT not in held:
        raise OutputError(
            f"{folder} holds {shown_path((other or held)[0])}, no explained predictions: it stays as it is",
            hint=_ELSEWHERE,
        )
    try:
        told = read_json(folder / _RESULT, _LARGEST)
        if not isinstance(told, dict) or "confusions" not in told:
            raise FieldError("confusions", "are missing")
    except (OSError, FieldError) as error:
        raise OutputError(
            f"{folder} holds a {_RESULT} that is none of explained predictions: it stays as it is",
            hint=_ELSEWHERE,
        ) from error


def write_predictions(result: LabelledExplanations, folder: str | Path) -> tuple[Path, ...]:
    """Write ``predictions.npz``, ``.csv`` and ``.json``, in that order; equal results give equal bytes.

    Parameters
    ----------
    result : LabelledExplanations
    folder : str or Path
        Made if it does not exist.

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    OutputError
        If one cannot be written.
    """
    target = make_folder(Path(folder))
    archive, table, document = (target / name for name in (_ARCHIVE, _TABLE, _RESULT))
    arrays = {one.name: getattr(result.arrays, one.name) for one in fields(PredictionArrays)}
    write_archive(archive, ARRAYS, arrays)
    write_csv(table, _COLUMNS, _rows(result))
    write_bytes(document, json_bytes(predictions_json(result), indent=1))
    return document, archive, table


def _rows(result: LabelledExplanations) -> Iterator[list[object]]:
    names = {one.class_index: one.class_name for one in result.classes}
    for image in result.images:
        units = [one.unit for one in image.units]
        yield [
            image.name,
            names[image.class_index],
            names[image.predicted_index],
            "yes" if image.right else "no",
            image.class_score,
            image.predicted_score,
            ";".join(map(str, units)),
            ";".join(result.labels[unit][0] for unit in units),
        ]
