"""Whether tables are whole, of the recipes as they are, and of the same images."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from measurements.tables import CARD, SCHEMA
from training.recipes import IMAGES, trainings

from onnxdissect.errors import OnnxDissectError
from onnxdissect.storage.archive_reader import read_archive

__all__ = ["CATEGORIES", "MissingNetworksError", "check_tables", "read_card", "read_rows"]

CATEGORIES = ("color", "object", "part", "material", "scene", "texture")
"""Of the data set, in its order."""

_MAKES = "python models/findings/train.py makes"
_COLUMNS: Mapping[str, Sequence[str]] = {
    "concepts.csv": ("name", "category", "images"),
    "units.csv": ("layer", "label", "category", "detector"),
    "layers.csv": ("layer", "units", "detectors", "unique_detectors", *(f"unique_{c}" for c in CATEGORIES)),
}
# what the recipe does not say: only what was dissected in the same way is counted in the same resamples
_SHARED = ("data", "images", "quantile", "iou_threshold", "resamples", "resample_seed")


class MissingNetworksError(Exception):
    """Tables of some networks are not there, or not those of the networks as they are."""


def read_card(path: Path) -> dict[str, Any]:
    """Read what is known of a network.

    Parameters
    ----------
    path : Path
        Of its ``network.json``.

    Returns
    -------
    dict of str

    Raises
    ------
    MissingNetworksError
        If it is no card.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MissingNetworksError(f"{path} is damaged: {error}; {_MAKES} it anew") from error
    wanted = {"recipe", "sha256", "score", "parameters", "samples", *_SHARED}
    lacking = sorted(wanted - set(card)) if isinstance(card, dict) else sorted(wanted)
    if lacking:
        raise MissingNetworksError(f"{path} does not say {', '.join(lacking)}; {_MAKES} it anew")
    words = [key for key in ("score", "parameters", *_SHARED[1:]) if not isinstance(card[key], int | float)]
    if words:
        raise MissingNetworksError(f"{path}: {', '.join(words)} is no number; {_MAKES} it anew")
    return dict(card)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file of the tables.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of dict

    Raises
    ------
    MissingNetworksError
        If it is missing, or lacks columns or cells.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise MissingNetworksError(f"{path} is missing; {_MAKES} it") from None
    except (OSError, ValueError, csv.Error) as error:
        raise MissingNetworksError(f"{path} is damaged: {error}; {_MAKES} it anew") from error
    found: Iterable[str] = rows[0] if rows else ()
    lacking = [column for column in _COLUMNS[path.name] if column not in found]
    if lacking:
        raise MissingNetworksError(f"{path} has no column {', '.join(lacking)}; {_MAKES} it anew")
    if any(None in row.values() or None in row for row in rows):
        raise MissingNetworksError(f"{path} is damaged: a row is cut off or too long; {_MAKES} it anew")
    return rows


def check_tables(tables: Path, cards: Mapping[str, Mapping[str, Any]]) -> None:
    """Look whether the tables of all networks belong together.

    Parameters
    ----------
    tables : Path
    cards : mapping of str to mapping
        ``network.json`` of every network.

    Raises
    ------
    MissingNetworksError
        If some are of another recipe, of other images, or cut off.
    """
    digests = {
        name: training.recipe.digest(IMAGES, None)
        for training in trainings()
        for name, _ in training.networks()
    }
    others = [name for name, digest in digests.items() if cards[name]["recipe"] != digest]
    if others:
        raise MissingNetworksError(
            f"tables of {', '.join(others)} in {tables} are of another recipe, or were tried out with fewer "
            f"images or steps; {_MAKES} them anew"
        )
    first = next(iter(digests))
    for name in digests:
        unlike = [key for key in _SHARED if cards[name][key] != cards[first][key]]
        if unlike:
            raise MissingNetworksError(
                f"{tables / name / CARD} has another {', '.join(unlike)} than {tables / first / CARD}, "
                f"so that they cannot be compared; {_MAKES} them anew"
            )
    concepts = read_rows(tables / "concepts.csv")
    if not all(row["images"].isdecimal() for row in concepts):
        raise MissingNetworksError(
            f"{tables / 'concepts.csv'} has images that are no numbers; {_MAKES} it anew"
        )
    for name in digests:
        _check_network(tables / name, cards[name]["resamples"], len(concepts))


def _check_network(folder: Path, resamples: int, concepts: int) -> None:
    """Look whether the files of a network count the same."""
    layers, units = read_rows(folder / "layers.csv"), read_rows(folder / "units.csv")
    try:
        archive = read_archive(folder / "resampled.npz", SCHEMA)
    except OnnxDissectError as error:
        raise MissingNetworksError(f"{error.message}; {_MAKES} it anew") from error
    numbers = [row[column] for row in layers for column in _COLUMNS["layers.csv"][1:]]
    if not all(number.isdecimal() for number in numbers):
        raise MissingNetworksError(
            f"{folder / 'layers.csv'} has counts that are no numbers; {_MAKES} it anew"
        )
    if not {row["detector"] for row in units} <= {"true", "false"}:
        raise MissingNetworksError(
            f"{folder / 'units.csv'} has detectors that are neither true nor false; {_MAKES} it anew"
        )
    last = layers[-1]
    found = [row for row in units if row["layer"] == last["layer"]]
    counted = {
        "layers": ([row["layer"] for row in layers], archive["layers"].tolist()),
        "rows": (["detectors", "unique", *CATEGORIES], archive["rows"].tolist()),
        "resamples": (resamples, archive["counts"].shape[-1]),
        "concepts": (concepts, archive["last_iou"].shape[1]),
        "units of the last layer": ([last["units"]] * 2, [str(len(found)), str(len(archive["last_iou"]))]),
    }
    for what, (one, other) in counted.items():
        if one != other:
            raise MissingNetworksError(
                f"files in {folder} and {folder.parent / 'concepts.csv'} do not belong together, or are cut "
                f"off: they have other {what}; {_MAKES} them anew"
            )
