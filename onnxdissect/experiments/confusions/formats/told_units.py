"""Which units of a run explain the labelled images in a folder, and whether they are that run's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxdissect.errors import RunFormatError, RunMismatchError, shown_path
from onnxdissect.experiments.confusions.formats.stored import FORMAT_VERSION, PAGE
from onnxdissect.experiments.explanation.formats.told_units import ToldUnits
from onnxdissect.results import Dissection
from onnxdissect.storage.document import read_document
from onnxdissect.storage.fields import Integer, Listed, Number, Record, Text

__all__ = ["PREDICTIONS", "read_predicting_units"]

PREDICTIONS = "predictions.json"
"""By this file such a folder is known."""

_LARGEST = 2**32
_UNIT = Integer(0, 2**24)
_AGAIN = "onnxdissect explain MODEL --images SOURCE --run RUN --out DIR"
_RULE = Record(
    {
        "layer": Text(),
        "quantile": Number(0, 1),
        "units": Listed(Record({"unit": _UNIT, "label": Text(), "category": Text()})),
        "images": Listed(Record({"units": Listed(Record({"unit": _UNIT}))})),
    }
)


def read_predicting_units(folder: str | Path, run: Dissection) -> ToldUnits:
    """Read which units are among the strongest of labelled images.

    Parameters
    ----------
    folder : str or Path
        What ``explain --images --out`` wrote, with its page.
    run : Dissection
        The run that labelled the units.

    Returns
    -------
    ToldUnits
        Counted over all images, those too that the page shows no picture of.

    Raises
    ------
    RunFormatError
        If there is no page, or what was found is of another format version or damaged.
    RunMismatchError
        If it is of a layer or a quantile that the run does not have, or detectors have other labels there.
    """
    place = Path(folder)
    path = place / PREDICTIONS
    told = read_document(
        path,
        place,
        version=FORMAT_VERSION,
        largest=_LARGEST,
        check=lambda document: _RULE.check(document, ""),
        hint=_AGAIN,
    )
    if not (place / PAGE[0]).is_file():
        raise RunFormatError(
            f"{shown_path(place)} holds no page of its predictions: there is no {PAGE[0]} to lead to",
            hint=_AGAIN,
        )
    other = _difference(told, run)
    if other:
        raise RunMismatchError(
            f"the predictions in {shown_path(place)} are not of the run {shown_path(run.path)}: {other}",
            hint=f"onnxdissect explain MODEL --images SOURCE --run {shown_path(run.path)} --out DIR",
        )
    return ToldUnits(
        place, Counter((told["layer"], unit["unit"]) for image in told["images"] for unit in image["units"])
    )


def _difference(told: Mapping[str, Any], run: Dissection) -> str:
    """Say in what the detectors differ from those of the run."""
    if told["layer"] not in [info.name for info in run.layers]:
        return f"they are of layer {told['layer']!r}, which the run does not have"
    if told["quantile"] not in run.quantiles:
        return f"they are of quantile {told['quantile']:g}"
    own = {
        unit.unit: (unit.label, unit.category)
        for unit in run.units(told["layer"], told["quantile"])
        if unit.detector
    }
    found = {one["unit"]: (one["label"], one["category"]) for one in told["units"]}
    for unit in sorted({*own, *found}):
        here, there = (labels.get(unit, ("no detector", ""))[0] for labels in (own, found))
        if own.get(unit) != found.get(unit):
            return f"unit {unit} is {there} there, and {here} here"
    return ""
