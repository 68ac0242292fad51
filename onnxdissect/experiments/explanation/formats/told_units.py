"""Which units of a run are told of in a folder of explanations, and whether they are that run's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnxdissect.errors import RunFormatError, RunMismatchError, shown_path
from onnxdissect.experiments.explanation.formats.folder import INDEX
from onnxdissect.experiments.explanation.formats.loading import load_explanations
from onnxdissect.experiments.explanation.records import Explanation
from onnxdissect.results import Dissection

__all__ = ["ToldUnits", "read_told_units"]


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
    RunNotFoundError
        If there is no such folder, or no explanation lies in it.
    RunFormatError
        If they have no page, or are of another format version or damaged.
    RunMismatchError
        If they are of a layer that the run does not have, or the units have other labels or thresholds there.
    """
    place = Path(folder)
    explanations = load_explanations(place)
    if not (place / INDEX).is_file():
        raise RunFormatError(
            f"{shown_path(place)} holds no page of its explanations: there is no {INDEX} to lead to",
            hint="onnxdissect explain MODEL IMAGE... --run RUN --out DIR",
        )
    counts: Counter[tuple[str, int]] = Counter()
    for one in explanations:
        _expect_of_run(one, run, place)
        counts.update((one.layer, unit.unit) for unit in one.units)
    return ToldUnits(place, counts)


def _expect_of_run(one: Explanation, run: Dissection, folder: Path) -> None:
    layers = [info.name for info in run.layers]
    if one.layer not in layers:
        raise RunMismatchError(
            f"the explanations in {shown_path(folder)} are of layer {one.layer!r}, which the run "
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


def _difference(one: Explanation, run: Dissection) -> str:
    """Say in what the units told of differ from those of the run; they may have been scored another way."""
    if one.quantile not in run.quantiles:
        return f"they are of quantile {one.quantile:g}"
    units = run.units(one.layer, one.quantile)
    for unit in one.units:
        if unit.unit >= len(units):
            return f"they tell of unit {unit.unit}, and the run has {len(units):,} units in {one.layer!r}"
        own = units[unit.unit]
        if (unit.label, unit.category) != (own.label, own.category):
            labels = [label or "no concept" for label in (unit.label, own.label)]
            return f"unit {own.unit} is {labels[0]} there, and {labels[1]} here"
        if unit.iou != own.iou:
            return f"the IoU of unit {own.unit} is {unit.iou:.4g} there, and {own.iou:.4g} here"
        if own.threshold is None or np.float32(unit.threshold) != np.float32(own.threshold):
            return f"the threshold of unit {own.unit} is another one"
    return ""
