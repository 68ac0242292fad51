"""``rotation/rotation.json`` and ``rotation.csv`` of a run directory, written and read back exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from onnxdissect.arguments import checked_arguments
from onnxdissect.errors import RunFormatError, RunNotFoundError
from onnxdissect.experiments.rotation.curves import CurveIntervals, Interval, ValueIntervals, make_curve
from onnxdissect.experiments.rotation.entries import find_entries, rotation_points
from onnxdissect.experiments.rotation.formats.agreement import expect_agreement
from onnxdissect.experiments.rotation.formats.schema import check_rotation, expect_concepts
from onnxdissect.experiments.rotation.formats.table import COLUMNS, rotation_rows
from onnxdissect.experiments.rotation.records import FollowedConcept, OutputDeviation, Verification
from onnxdissect.experiments.rotation.result import RotationResult
from onnxdissect.results import Dissection, load
from onnxdissect.storage.document import read_document
from onnxdissect.storage.fields import FieldError, shown
from onnxdissect.storage.files import make_folder, write_bytes, write_csv
from onnxdissect.storage.json_file import json_bytes
from onnxdissect.storage.memory import explained_memory

__all__ = [
    "FOLDER",
    "FORMAT_VERSION",
    "load_rotation",
    "read_rotation",
    "read_verification",
    "rotation_files",
    "write_rotation",
]

FORMAT_VERSION = 1
"""Of ``rotation.json``."""

FOLDER = "rotation"
"""Of a run directory."""

_RESULT = "rotation.json"
_TABLE = "rotation.csv"
_LARGEST = 2**28
_AGAIN = "`onnxdissect rescore RUN` makes it anew from the run"


def rotation_files(run: Path) -> tuple[Path, Path]:
    """Name the files that a result is written to.

    Parameters
    ----------
    run : Path
        The run directory.

    Returns
    -------
    table, document : Path
        ``RUN/rotation/rotation.csv`` and ``rotation.json``.
    """
    return run / FOLDER / _TABLE, run / FOLDER / _RESULT


def write_rotation(result: RotationResult) -> None:
    """Write a result into its run directory, ``rotation.json`` last; equal results give equal bytes.

    Parameters
    ----------
    result : RotationResult

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    table, document = rotation_files(result.path)
    make_folder(table.parent, inside=result.path)
    write_csv(table, COLUMNS, rotation_rows(result.points, result.curves))
    content = asdict(result)
    del content["path"]
    write_bytes(document, json_bytes({"format_version": FORMAT_VERSION, **content}, indent=1))


@checked_arguments()
@explained_memory()
def load_rotation(run: str | Path) -> RotationResult:
    """Read what `onnxdissect.rotate` has found.

    Parameters
    ----------
    run : str or Path
        The run directory.

    Returns
    -------
    RotationResult
        Nothing of it is computed again but what follows from the run's table of layers.

    Raises
    ------
    RunNotFoundError
        If there is no such folder, it is no run directory, or its layers were not rotated.
    RunMismatchError
        If it does not hold all rotations of all of its layers.
    RunIncompleteError
        If the run was not finished.
    RunFormatError
        If it is of another format version, damaged, or does not go with the run.
    """
    return read_rotation(load(run))


def read_rotation(run: Dissection) -> RotationResult:
    """Read the result that lies in a run which has been opened.

    Parameters
    ----------
    run : Dissection

    Returns
    -------
    RotationResult

    Raises
    ------
    RunNotFoundError
        If there is none.
    RunMismatchError
        If the run is not one of rotations.
    RunFormatError
        As `load_rotation`.
    """
    path = rotation_files(Path(run.path))[1]
    document = _document(run)
    try:
        found = _result(run, document)
        expect_concepts(found, run)
    except FieldError as error:
        raise RunFormatError(f"{path}: {error}", hint=_AGAIN) from error
    # Points, means and falls follow from the run's own tables. Whatever else the file says of them is a lie,
    # or the run was scored another way since.
    told = asdict(found)
    for name in told.keys() - {"path"}:
        if json_bytes(told[name]) != json_bytes(document[name]):
            raise RunFormatError(f"{path} does not go with the run: {name} differ", hint=_AGAIN)
    try:
        expect_agreement(found, run, find_entries(run))
    except FieldError as error:
        raise RunFormatError(f"{path}: {error}", hint=_AGAIN) from error
    return found


def read_verification(run: Dissection) -> tuple[Verification, ...]:
    """Read what turning layers back has shown, also where the rest goes with former scores.

    Parameters
    ----------
    run : Dissection

    Returns
    -------
    tuple of Verification

    Raises
    ------
    RunNotFoundError
        If the run holds no result.
    RunFormatError
        If the file is damaged.
    """
    return tuple(map(_verification, _document(run)["verification"]))


def _document(run: Dissection) -> Mapping[str, Any]:
    """Read the file, every field of which is of its type."""
    path = rotation_files(Path(run.path))[1]
    if not path.exists():
        raise RunNotFoundError(
            f"{run.path} holds no {FOLDER}/{_RESULT}: its layers were not rotated",
            hint="`onnxdissect rotate MODEL` rotates them",
        )
    return read_document(
        path, Path(run.path), version=FORMAT_VERSION, largest=_LARGEST, check=check_rotation, hint=_AGAIN
    )


def _result(run: Dissection, document: Mapping[str, Any]) -> RotationResult:
    entries = find_entries(run)
    points = rotation_points(run, entries)
    told = {(curve["layer"], curve["quantile"]): curve for curve in document["curves"]}
    curves = []
    for of_layer in entries:
        for quantile in run.quantiles:
            name = of_layer.own.name
            stored = told.get((name, quantile))
            if stored is None or len(stored["values"]) != len(of_layer.alphas):
                raise FieldError("curves", f"have none of {shown(name)} at {quantile} with the run's alphas")
            at = [point for point in points if (point.layer, point.quantile) == (name, quantile)]
            concepts = [_concept(followed) for followed in stored["concepts"]]
            differences = stored["permutation_differences"]
            curves.append(make_curve(at, of_layer.alphas, _intervals(stored), differences, concepts))
    return RotationResult.of_run(
        run, entries, points, curves, tuple(map(_verification, document["verification"]))
    )


def _intervals(curve: Mapping[str, Any]) -> CurveIntervals:
    return CurveIntervals(
        [_value_intervals(value) for value in curve["values"]],
        _value_intervals(curve["directions"]),
        _interval(curve["fall"]) if curve["fall"] else None,
    )


def _value_intervals(value: Mapping[str, Any]) -> ValueIntervals:
    return ValueIntervals(
        _interval(value["unique"]),
        {category: _interval(found) for category, found in value["by_category"].items()},
    )


def _interval(found: Mapping[str, Any]) -> Interval:
    low, high = found["low"], found["high"]
    if (low is None) != (high is None) or (low is not None and low > high):
        raise FieldError("curves", f"have an interval from {shown(low)} to {shown(high)}")
    return None if low is None else (low, high)


def _concept(followed: Mapping[str, Any]) -> FollowedConcept:
    rows = {name: tuple(map(tuple, followed[name])) for name in ("unit", "iou", "detected")}
    return FollowedConcept(followed["concept"], followed["category"], **rows)


def _verification(told: Mapping[str, Any]) -> Verification:
    outputs = tuple(OutputDeviation(each["output"], each["error"]) for each in told["outputs"])
    return Verification(told["layer"], told["basis"], told["images"], told["tolerance"], outputs)
