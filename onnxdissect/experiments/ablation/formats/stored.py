"""Ablations in a folder: ``ablation.json`` with what is told, ``ablation.npz`` with every prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from onnxdissect.arguments import checked_arguments
from onnxdissect.errors import RunFormatError, RunIncompleteError, RunNotFoundError, shown_path
from onnxdissect.experiments.ablation.formats.folder import ARRAYS, LARGEST, RESULT, WORK
from onnxdissect.experiments.ablation.formats.schema import (
    AGAIN,
    ARRAY_SCHEMA,
    FORMAT_VERSION,
    check_ablation,
    check_arrays,
)
from onnxdissect.experiments.ablation.formats.wording import DEFINITIONS
from onnxdissect.experiments.ablation.records import (
    AblatedClass,
    AblationArrays,
    AblationResult,
    Accuracy,
    ClassDrop,
    Difference,
    GroupRemoval,
    Removal,
    UnitNeed,
)
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.document import read_document
from onnxdissect.storage.fields import FieldError
from onnxdissect.storage.files import make_folder, write_bytes
from onnxdissect.storage.json_file import json_bytes
from onnxdissect.storage.memory import explained_memory

__all__ = ["ablation_files", "ablation_json", "load_ablation", "write_ablation"]


def ablation_files(folder: Path) -> tuple[Path, Path]:
    """Name the files that a result is written to.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    arrays, document : Path
    """
    return folder / ARRAYS, folder / RESULT


def ablation_json(result: AblationResult) -> dict[str, Any]:
    """Give a result as JSON values.

    Parameters
    ----------
    result : AblationResult

    Returns
    -------
    dict
        Without the arrays, with what the numbers are.
    """
    told = {
        field.name: _plain(getattr(result, field.name))
        for field in fields(result)
        if field.name not in ("arrays", "request")
    }
    return {
        "format_version": FORMAT_VERSION,
        "definitions": DEFINITIONS,
        "request": dict(result.request),
        **told,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def write_ablation(result: AblationResult, folder: str | Path) -> tuple[Path, Path]:
    """Write a result, ``ablation.json`` last; equal results give equal bytes.

    Parameters
    ----------
    result : AblationResult
    folder : str or Path
        Made if it does not exist.

    Returns
    -------
    arrays, document : Path

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    arrays, document = ablation_files(make_folder(Path(folder)))
    held = {field.name: getattr(result.arrays, field.name) for field in fields(AblationArrays)}
    write_archive(arrays, ARRAY_SCHEMA, held)
    write_bytes(document, json_bytes(ablation_json(result), indent=1))
    return arrays, document


@checked_arguments()
@explained_memory()
def load_ablation(folder: str | Path) -> AblationResult:
    """Read what `onnxdissect.ablate` has written.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Returns
    -------
    AblationResult
        Nothing of it is computed again.

    Raises
    ------
    RunNotFoundError
        If there is no such folder, or it holds no ablation.
    RunIncompleteError
        If the ablation was not finished.
    RunFormatError
        If it is of another format version, or damaged.
    """
    place = Path(folder)
    arrays, path = ablation_files(place)
    if not path.exists():
        if (place / WORK).is_dir():
            raise RunIncompleteError(
                f"the ablation in {shown_path(place)} was not finished",
                hint="`onnxdissect ablate` with the same options goes on",
            )
        raise RunNotFoundError(
            f"{shown_path(place)} holds no {RESULT}", hint="`onnxdissect ablate MODEL --out DIR` writes one"
        )
    told = read_document(
        path, place, version=FORMAT_VERSION, largest=LARGEST, check=check_ablation, hint=AGAIN
    )
    lengths = {"C": told["shown"], "K": told["units"], "M": told["images"]}
    found = read_archive(arrays, ARRAY_SCHEMA, lengths=lengths)
    try:
        check_arrays(found, told)
    except FieldError as error:
        raise RunFormatError(f"{arrays}: {error}", hint=AGAIN) from error
    held = {field.name: found[field.name] for field in fields(AblationArrays)}
    return _result(told, AblationArrays(**held))


def _result(told: Mapping[str, Any], arrays: AblationArrays) -> AblationResult:
    known: dict[str, Any] = {
        field.name: told.get(field.name) for field in fields(AblationResult) if field.name != "arrays"
    }
    known |= {
        "reduced": told.get("reduced", ""),
        "counts": tuple(told["counts"]),
        "nothing": Accuracy(**told["nothing"]),
        "classes": tuple(map(_ablated, told["classes"])),
        "removals": tuple(map(_removal, told["removals"])),
        "groups": tuple(map(_group, told["groups"])),
        "needs": tuple(UnitNeed(**one | {"classes": tuple(one["classes"])}) for one in told["needs"]),
        "need_correlation": _difference(told["need_correlation"]),
    }
    return AblationResult(**known, arrays=arrays)


def _difference(told: Mapping[str, Any] | None) -> Difference | None:
    return None if told is None else Difference(**told)


def _ablated(told: dict[str, Any]) -> AblatedClass:
    made = {"nothing": Accuracy(**told["nothing"]), "important": tuple(told["important"])}
    return AblatedClass(**told | made)


def _removal(told: dict[str, Any]) -> Removal:
    made = {"value": Accuracy(**told["value"]), "beyond_random": _difference(told["beyond_random"])}
    return Removal(**told | made)


def _group(told: dict[str, Any]) -> GroupRemoval:
    made = {
        "units": tuple(told["units"]),
        "value": Accuracy(**told["value"]),
        "random": Accuracy(**told["random"]),
        "beyond_random": Difference(**told["beyond_random"]),
        "classes": tuple(ClassDrop(**one | {"drop": Difference(**one["drop"])}) for one in told["classes"]),
    }
    return GroupRemoval(**told | made)
