"""A comparison in a folder, written and read back exactly."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from onnxdissect.errors import OutputError, RunFormatError, RunNotFoundError, shown_path
from onnxdissect.experiments.comparison.formats.agreement import expect_agreement
from onnxdissect.experiments.comparison.formats.markdown import markdown
from onnxdissect.experiments.comparison.formats.schema import check_comparison
from onnxdissect.experiments.comparison.formats.tables import TABLES, table_rows
from onnxdissect.experiments.comparison.records import (
    BestUnit,
    ComparedConcept,
    ComparedGroup,
    ComparedLayer,
    ComparedPair,
    ConceptChange,
    Difference,
    Estimate,
    GroupSpread,
    LabelOverlap,
    MatchedUnits,
    UnitMatching,
)
from onnxdissect.experiments.comparison.result import ComparisonResult
from onnxdissect.storage.document import read_document
from onnxdissect.storage.fields import FieldError
from onnxdissect.storage.files import is_partial, make_folder, write_bytes, write_csv, write_text
from onnxdissect.storage.json_file import json_bytes, read_json
from onnxdissect.storage.memory import explained_memory

__all__ = [
    "FORMAT_VERSION",
    "comparison_files",
    "expect_outside",
    "expect_replaceable",
    "load_comparison",
    "write_comparison",
]

FORMAT_VERSION = 1
"""Of ``comparison.json``."""

_RESULT, _TEXT = "comparison.json", "comparison.md"
_SHOWN = ("index.html", "page", "figures")
_LARGEST = 2**29
# That every version has.
_KEYS = frozenset(("format_version", "layers", "pairs"))
_ELSEWHERE = "name a folder that is empty or not there yet: --out DIR"
_AGAIN = "`onnxdissect compare RUN... --out DIR` makes it anew"


def comparison_files(folder: Path) -> tuple[Path, ...]:
    """Name the files that a result is written to.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    tuple of Path
        A table each, the text, and last the document that is read back.
    """
    return (*(folder / f"{table}.csv" for table in TABLES), folder / _TEXT, folder / _RESULT)


def expect_replaceable(folder: Path) -> None:
    """Refuse a folder that holds anything but a comparison, and a file that is called like one.

    Parameters
    ----------
    folder : Path
        Need not exist.

    Raises
    ------
    OutputError
        If it is no folder, or something else lies in it.
    """
    try:
        held = sorted(path.name for path in folder.iterdir() if not is_partial(path))
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise OutputError(f"{folder} is a file, and a comparison is a folder", hint="--out DIR") from error
    except OSError as error:
        raise OutputError(f"{folder} cannot be read: {error.strerror}") from error
    own = {path.name for path in comparison_files(folder)} | set(_SHOWN)
    other = [name for name in held if name not in own]
    if other or (held and _RESULT not in held):
        raise OutputError(
            f"{folder} holds {shown_path((other or held)[0])}, and is no comparison: it stays as it is",
            hint=_ELSEWHERE,
        )
    if _RESULT in held and not _is_comparison(folder):
        raise OutputError(
            f"{folder} holds a {_RESULT} that is no comparison of runs: it stays as it is", hint=_ELSEWHERE
        )


def expect_outside(folder: Path, runs: Iterable[str | Path]) -> None:
    """Refuse a folder inside a run directory: runs stay as they are, and their pages replace each other.

    Parameters
    ----------
    folder : Path
        Need not exist.
    runs : iterable of (str or Path)
        Run directories.

    Raises
    ------
    OutputError
        Naming the run that it would lie in.
    """
    place = Path(os.path.realpath(folder))
    for run in runs:
        if place.is_relative_to(os.path.realpath(run)):
            raise OutputError(
                f"{shown_path(folder)} lies in the run {shown_path(run)}, and comparing changes no run",
                hint="name a folder beside the runs: --out DIR",
            )


def write_comparison(result: ComparisonResult, folder: str | Path) -> None:
    """Write a result into a folder, ``comparison.json`` last; equal results give equal bytes.

    Parameters
    ----------
    result : ComparisonResult
    folder : str or Path
        Made if it does not exist. An earlier comparison in it is replaced, file by file.

    Raises
    ------
    OutputError
        If it holds something else, or a file cannot be written.
    """
    target = Path(folder)
    expect_replaceable(target)
    make_folder(target)
    for table, columns in TABLES.items():
        write_csv(target / f"{table}.csv", columns, table_rows(result, table))
    write_text(target / _TEXT, markdown(result))
    content = {"format_version": FORMAT_VERSION, **asdict(result)}
    write_bytes(target / _RESULT, json_bytes(content, indent=1))


@explained_memory()
def load_comparison(folder: str | Path) -> ComparisonResult:
    """Read what `onnxdissect.compare` has found, as ``compare --out`` has written it.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    ComparisonResult
        Equal to what was written. No run is opened.

    Raises
    ------
    RunNotFoundError
        If there is no such folder, or no comparison lies in it.
    RunFormatError
        If it is of another format version, or damaged.
    """
    place = Path(folder)
    path = place / _RESULT
    if not path.exists():
        found = "there is no folder" if not place.exists() else "no comparison lies in"
        raise RunNotFoundError(f"{found} {shown_path(place)}", hint=_AGAIN)
    document = read_document(
        path, place, version=FORMAT_VERSION, largest=_LARGEST, check=check_comparison, hint=_AGAIN
    )
    try:
        result = _result(document)
        expect_agreement(result)
    except FieldError as error:
        raise RunFormatError(f"{path}: {error}", hint=_AGAIN) from error
    return result


def _is_comparison(folder: Path) -> bool:
    """Tell what was written here, by whatever version, from another program's file of the same name."""
    try:
        document = read_json(folder / _RESULT, _LARGEST, inside=folder)
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.keys() >= _KEYS


def _result(told: Mapping[str, Any]) -> ComparisonResult:
    return ComparisonResult(
        by=told["by"],
        series=told["series"],
        categories=tuple(told["categories"]),
        iou_threshold=told["iou_threshold"],
        scoring=told["scoring"],
        resamples=told["resamples"],
        marks=tuple(told["marks"]),
        layers=tuple(map(_layer, told["layers"])),
        groups=tuple(map(_group, told["groups"])),
        pairs=tuple(map(_pair, told["pairs"])),
        concepts=tuple(map(_concept, told["concepts"])),
        matchings=tuple(map(_matching, told["matchings"])),
    )


def _layer(told: Mapping[str, Any]) -> ComparedLayer:
    estimates = {name: Estimate(**_only(Estimate, told[name])) for name in ("share", "unique")}
    return ComparedLayer(
        **_only(ComparedLayer, told)
        | estimates
        | {"unique_by_category": _mapped(Estimate, told["unique_by_category"])}
    )


def _group(told: Mapping[str, Any]) -> ComparedGroup:
    return ComparedGroup(
        told["name"],
        told["position"],
        tuple(told["members"]),
        GroupSpread(**_only(GroupSpread, told["share"])),
        GroupSpread(**_only(GroupSpread, told["unique"])),
        _mapped(GroupSpread, told["unique_by_category"]),
    )


def _pair(told: Mapping[str, Any]) -> ComparedPair:
    differences = {name: Difference(**_only(Difference, told[name])) for name in ("unique", "share")}
    changes = {
        name: tuple(ConceptChange(**_only(ConceptChange, one)) for one in told[name])
        for name in ("gained", "lost", "kept")
    }
    return ComparedPair(
        **_only(ComparedPair, told)
        | differences
        | changes
        | {
            "unique_by_category": _mapped(Difference, told["unique_by_category"]),
            "overlap": LabelOverlap(**_only(LabelOverlap, told["overlap"])),
        }
    )


def _concept(told: Mapping[str, Any]) -> ComparedConcept:
    best = (
        None if one is None else BestUnit(one["unit"], one["iou"], tuple(one["detectors"]))
        for one in told["best"]
    )
    return ComparedConcept(told["concept"], told["category"], tuple(best))


def _matching(told: Mapping[str, Any]) -> UnitMatching:
    units = tuple(MatchedUnits(**_only(MatchedUnits, one)) for one in told["units"])
    return UnitMatching(**_only(UnitMatching, told) | {"units": units})


def _mapped(kind: type[Any], told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: kind(**_only(kind, one)) for name, one in told.items()}


def _only(kind: type[Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a later version may have added."""
    return {field.name: told[field.name] for field in fields(kind)}
