"""Which units of a run are told of in a folder of explanations, and whether they are that run's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnxdissect.errors import RunFormatError, RunMismatchError, shown_path
from onnxdissect.experiments.explanation.formats.folder import INDEX
from onnxdissect.experiments.explanation.formats.stored import FORMAT_VERSION, RESULT
from onnxdissect.results import Dissection
from onnxdissect.storage.fields import Integer, Listed, Number, Record, Text
from onnxdissect.storage.json_file import read_json

__all__ = ["ToldUnits", "read_told_units"]

_LARGEST = 2**29
_UNIT = Record(
    {"unit": Integer(), "label": Text(), "category": Text(), "iou": Number(), "threshold": Number()}
)
_EXPLANATION = Record({"layer": Text(), "quantile": Number(), "units": Listed(_UNIT)})
_DOCUMENT = Record(
    {"format_version": Integer(), "explanations": Listed(_EXPLANATION, shortest=1)},
)


@dataclass(frozen=True, slots=True)
class ToldUnits:
    """In how many explanations of a folder units are told of.

    Attributes
    ----------
    folder : Path
    counts : mapping of (str, int) to int
        By layer (ONNX value name) and unit.
    """

    folder: Path
    counts: Mapping[tuple[str, int], int]


def read_told_units(folder: str | Path, run: Dissection) -> ToldUnits:
    """Read which units the explanations in a folder tell of.

    Parameters
    ----------
    folder : str or Path
        What ``explain --out`` wrote, with its page.
    run : Dissection
        The run that labelled them.

    Returns
    -------
    ToldUnits

    Raises
    ------
    RunFormatError
        If the folder holds no explanations, no page of them, or a damaged file.
    RunMismatchError
        If they are of a layer that the run does not have, or the units have other labels or thresholds there.
    """
    place = Path(folder)
    told = _document(place)
    counts: Counter[tuple[str, int]] = Counter()
    for number, one in enumerate(told["explanations"]):
        _expect_of_run(one, number, run, place)
        counts.update((one["layer"], unit["unit"]) for unit in one["units"])
    return ToldUnits(place, counts)


def _document(folder: Path) -> dict[str, Any]:
    again = "onnxdissect explain MODEL IMAGE... --run RUN --out DIR"
    try:
        told = read_json(folder / RESULT, _LARGEST, inside=folder)
        _DOCUMENT.check(told, "")
    except (FileNotFoundError, NotADirectoryError):
        raise RunFormatError(
            f"{shown_path(folder)} holds no explanations of predictions: there is no {RESULT} in it",
            hint=again,
        ) from None
    except (OSError, ValueError) as error:
        raise RunFormatError(
            f"{shown_path(folder / RESULT)} holds no explanations of predictions: {error}", hint=again
        ) from error
    assert isinstance(told, dict)
    if told["format_version"] != FORMAT_VERSION:
        raise RunFormatError(
            f"{shown_path(folder / RESULT)} is of format {told['format_version']}, and this version reads "
            f"{FORMAT_VERSION}",
            hint=again,
        )
    if not (folder / INDEX).is_file():
        raise RunFormatError(
            f"{shown_path(folder)} holds no page of its explanations: there is no {INDEX} to lead to",
            hint=again,
        )
    return told


def _expect_of_run(one: Mapping[str, Any], number: int, run: Dissection, folder: Path) -> None:
    layers = [info.name for info in run.layers]
    if one["layer"] not in layers:
        raise RunMismatchError(
            f"the explanations in {shown_path(folder)} are of layer {one['layer']!r}, which the run "
            f"{shown_path(run.path)} does not have",
            candidates=layers,
            hint="--explanations of predictions that were explained by this run",
        )
    other = _difference(one, run)
    if other:
        raise RunMismatchError(
            f"the explanations in {shown_path(folder)} are not of the run {shown_path(run.path)}: {other}",
            hint=f"onnxdissect explain MODEL IMAGE... --run {shown_path(run.path)} --out DIR",
        )


def _difference(one: Mapping[str, Any], run: Dissection) -> str:
    """Say in what the units told of differ from those of the run; they may have been scored another way."""
    layer, quantile = one["layer"], one["quantile"]
    if quantile not in run.quantiles:
        return f"they are of quantile {quantile:g}"
    units = run.units(layer, quantile)
    for unit in one["units"]:
        if unit["unit"] >= len(units):
            return f"they tell of unit {unit['unit']}, and the run has {len(units):,} units in {layer!r}"
        own = units[unit["unit"]]
        if (unit["label"], unit["category"]) != (own.label, own.category):
            labels = [label or "no concept" for label in (unit["label"], own.label)]
            return f"unit {own.unit} is {labels[0]} there, and {labels[1]} here"
        if unit["iou"] != own.iou:
            return f"the IoU of unit {own.unit} is {unit['iou']:.4g} there, and {own.iou:.4g} here"
        if own.threshold is None or np.float32(unit["threshold"]) != np.float32(own.threshold):
            return f"the threshold of unit {own.unit} is another one"
    return ""
