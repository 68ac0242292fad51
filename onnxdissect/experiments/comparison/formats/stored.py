"""A comparison in a folder, written and read back exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from onnxdissect.arguments import checked_arguments
from onnxdissect.errors import RunFormatError, RunNotFoundError, shown_path
from onnxdissect.experiments.comparison.formats.agreement import expect_agreement
from onnxdissect.experiments.comparison.formats.folder import LARGEST, RESULT, TEXT, expect_comparison
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
from onnxdissect.storage.files import make_folder, write_bytes, write_csv, write_text
from onnxdissect.storage.json_file import json_bytes
from onnxdissect.storage.memory import explained_memory

__all__ = ["FORMAT_VERSION", "load_comparison", "write_comparison"]

FORMAT_VERSION = 1
"""Of ``comparison.json``."""

_AGAIN = "`onnxdissect compare RUN... --out DIR` makes it anew"


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
    expect_comparison(target)
    make_folder(target)
    for table, columns in TABLES.items():
        write_csv(target / f"{table}.csv", columns, table_rows(result, table))
    write_text(target / TEXT, markdown(result))
    content = {"format_version": FORMAT_VERSION, **asdict(result)}
    write_bytes(target / RESULT, json_bytes(content, indent=1))


@checked_arguments()
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
    path = place / RESULT
    if not path.exists():
        found = "there is no folder" if not place.exists() else "no comparison lies in"
        raise RunNotFoundError(f"{found} {shown_path(place)}", hint=_AGAIN)
    document = read_document(
        path, place, version=FORMAT_VERSION, largest=LARGEST, check=check_comparison, hint=_AGAIN
    )
    try:
        result = _result(document)
        expect_agreement(result)
    except FieldError as error:
        raise RunFormatError(f"{path}: {error}", hint=_AGAIN) from error
    return result


def _result(told: Mapping[str, Any]) -> ComparisonResult:
    return ComparisonResult(
        by=told["by"],
        series=told["series"],
        categories=tuple(told["categories"]),
        iou_threshold=told["iou_threshold"],
        scoring=told["scoring"],
        resamples=told["resamples"],
        marks=tuple(told["marks"]),
        warnings=tuple(told.get("warnings", ())),
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
