"""Which compared layers belong together, in which order their groups stand, and where along a series."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxdissect.errors import ParameterError, nearest
from onnxdissect.experiments.comparison.selection import Selected
from onnxdissect.storage.json_file import json_text

__all__ = ["GROUPINGS", "OWN_UNITS", "Grouping", "check_by", "group_layers", "usual_by"]

GROUPINGS = ("layer", "network", "run", "quantile", "basis", "number")
"""What layers are grouped by, unless it is a key of the manifest."""

OWN_UNITS = "own units"
"""Group of what is under no basis."""

_NOT_SET = "not set"
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of a comparison.

    Attributes
    ----------
    by : str
        One of `GROUPINGS` or a key of the manifest.
    series : bool
    of_layer : tuple of str
        Group of each compared layer.
    positions : mapping of str to (float or None)
        By group, in the order of the groups; None where they are no series.
    """

    by: str
    series: bool
    of_layer: tuple[str, ...]
    positions: Mapping[str, float | None]


def usual_by(layers: Sequence[Selected], *, series: bool) -> str:
    """Tell what is grouped by where nothing is said: what differs.

    Parameters
    ----------
    layers : sequence of Selected
    series : bool

    Returns
    -------
    str
        One of `GROUPINGS`.
    """
    runs = list({id(one.run): one.run for one in layers}.values())
    if len(runs) > 1:
        numbers = {_last_number(_folder(one)) for one in layers}
        return "number" if series and None not in numbers and len(numbers) > 1 else "run"
    if any(one.basis is not None for one in layers):
        return "basis"
    return "quantile" if len({one.quantile for one in layers}) > 1 else "layer"


def check_by(by: str, layers: Sequence[Selected]) -> str:
    """Refuse to group by what no run has.

    Parameters
    ----------
    by : str
        One of `GROUPINGS`, or a key of the manifest with dots between its levels.
    layers : sequence of Selected

    Returns
    -------
    str
        The same.

    Raises
    ------
    ParameterError
        If it is neither, or a record of several keys.
    """
    if by in GROUPINGS:
        return by
    values = [_value(one.run.dissection.manifest, by) for one in layers]
    record = any(isinstance(value, dict) for value in values)
    if not record and any(_groups(value) for value in values):
        return by
    known = [*GROUPINGS, *sorted({key for one in layers for key in _keys(one.run.dissection.manifest)})]
    if record:
        inner = [key for key in known if key.startswith(f"{by}.")]
        raise ParameterError(f"--by {by} names a record of the manifest, not a value", candidates=inner)
    raise ParameterError(
        f"--by takes {', '.join(GROUPINGS)} or a key of the manifest, and no run has a key {by!r}",
        candidates=nearest(by, known) or GROUPINGS,
    )


def group_layers(layers: Sequence[Selected], by: str, *, series: bool) -> Grouping:
    """Bring layers together that share a value.

    Parameters
    ----------
    layers : sequence of Selected
    by : str
        As `check_by` lets through.
    series : bool
        Whether groups have a position: the value if it is a number, else the last number in its name, else
        their order.

    Returns
    -------
    Grouping

    Raises
    ------
    ParameterError
        If the folders of runs are to be grouped by their numbers, and one has none.
    """
    values = [_group_value(one, by) for one in layers]
    names = tuple(map(_text, values))
    first: dict[str, tuple[Any, Selected]] = {}
    for name, value, layer in zip(names, values, layers, strict=True):
        first.setdefault(name, (value, layer))
    if not series:
        return Grouping(by, False, names, dict.fromkeys(first))
    found = {name: _position(value, layer, by) for name, (value, layer) in first.items()}
    if None in found.values() or len(set(found.values())) < len(found):
        found = {name: float(i) for i, name in enumerate(first)}
    return Grouping(by, True, names, dict(sorted(found.items(), key=lambda item: item[1] or 0.0)))


def _group_value(one: Selected, by: str) -> Any:
    if by == "number":
        number = _last_number(_folder(one))
        if number is None:
            raise ParameterError(
                f"--by number takes the last number in the names of runs, and {one.run.label!r} has none",
                hint="--by run",
            )
        return int(number) if number.is_integer() else number
    of = {
        "layer": one.own_alias,
        "network": one.run.model or one.run.label,
        "run": one.run.label,
        "quantile": one.quantile,
        "basis": one.basis or OWN_UNITS,
    }
    return of[by] if by in of else _value(one.run.dissection.manifest, by)


def _position(value: Any, first: Selected, by: str) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if by == "layer":
        return float(first.depth)
    return _last_number(_folder(first) if by == "run" else _text(value))


def _folder(one: Selected) -> str:
    return Path(one.run.given).absolute().name


def _last_number(text: str) -> float | None:
    found = _NUMBER.findall(text)
    return float(found[-1]) if found and len(found[-1]) < 19 else None


def _text(value: Any) -> str:
    if value is None:
        return _NOT_SET
    return value if isinstance(value, str) else json_text(value)


def _value(manifest: Mapping[str, Any], key: str) -> Any:
    found: Any = manifest
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _keys(record: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Name every value of a manifest that layers can be grouped by."""
    found: list[str] = []
    for key, value in record.items():
        if isinstance(value, dict):
            found += _keys(value, f"{prefix}{key}.")
        elif _groups(value):
            found.append(f"{prefix}{key}")
    return found


def _groups(value: Any) -> bool:
    """Tell whether layers can be grouped by a value: a list of records is none."""
    several = value if isinstance(value, list) else [value]
    return value is not None and not any(isinstance(one, dict | list) for one in several)
