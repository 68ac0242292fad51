"""Settings read from ``onnxdissect.toml`` or ``[tool.onnxdissect.check]`` of ``pyproject.toml``."""

from __future__ import annotations

import math
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from onnxdissect.check.rules.config import Config, LayerMinimum
from onnxdissect.check.rules.rules import RULES
from onnxdissect.errors import ParameterError, nearest, shown
from onnxdissect.model import PROVIDERS
from onnxdissect.results.formats.manifest_schema import MOST_RESAMPLES
from onnxdissect.storage.regular_files import read_regular_file

__all__ = ["find_config", "parse_config", "read_config"]

_LARGEST = 2**20
# Longer names are cut short in messages, and of more names only the first are listed.
_LONGEST = 80
_NAMED = 8
_MOST = {"resamples": MOST_RESAMPLES, "seed": 2**63 - 1}
_MOST_COUNTED = 2**31
_LEVELS = ("error", "warning", "off")
_PROJECT = "pyproject.toml"
_TABLE = ("tool", "onnxdissect", "check")
_TABLES = ("levels", "categories", "layers")
_LEAST = {"resamples": 100, "parity_images": 1}
_MINIMA = {"minimum-detectors": "detectors", "minimum-unique": "unique"}
_LISTS = ("required", "forbidden")
_SHARES = ("significance", "iou_margin", "unique_margin", "labels_kept", "stable")


def find_config() -> Path | None:
    """Find the rules of the working directory.

    Returns
    -------
    Path or None
        ``onnxdissect.toml``, else ``pyproject.toml`` if it has the table; None if there are no rules.

    Raises
    ------
    ParameterError
        If ``pyproject.toml`` cannot be read.
    """
    own, project = Path("onnxdissect.toml"), Path(_PROJECT)
    if own.exists():
        return own
    return project if project.exists() and _project_table(_read_toml(project), project) is not None else None


def read_config(path: Path | None = None) -> Config:
    """Read the rules.

    Parameters
    ----------
    path : Path, optional
        A TOML file; by default what `find_config` finds, else the defaults.

    Returns
    -------
    Config

    Raises
    ------
    ParameterError
        If the file cannot be read, or a key or value will not do.
    """
    path = path or find_config()
    if path is None:
        return Config()
    table = _read_toml(path)
    if path.name != _PROJECT:
        return parse_config(table, str(path))
    rules = _project_table(table, path)
    if rules is None:
        raise ParameterError(f"{path} has no table [{'.'.join(_TABLE)}]", hint="check --init writes rules")
    return parse_config(rules, str(path))


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ParameterError(f"there is no file of rules at {path}", hint="check --init writes one")
    try:
        # Editors on Windows put a byte order mark before the text.
        return tomllib.loads(read_regular_file(path, _LARGEST).decode("utf-8-sig"))
    except OSError as error:
        raise ParameterError(f"{path} cannot be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise ParameterError(f"{path} cannot be read as TOML: it is nested too deep") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} cannot be read as TOML: {_shortened(str(error))}") from error
    except ValueError as error:  # Python reads no number of thousands of digits
        raise ParameterError(
            f"{path} cannot be read as TOML: a number in it has more than {sys.get_int_max_str_digits():,} "
            "digits; settings are whole numbers within 64 bits"
        ) from error


def _said(value: Any) -> str:
    """Show a value in a message, cut short where it is long."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, list | dict):
        return f"a {'list' if isinstance(value, list) else 'table'} of {len(value):,}"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return f"a number of {value.bit_length():,} bits"  # Python writes none of thousands of digits
    return _shortened(repr(value))


def _shortened(text: str) -> str:
    return text if len(text) <= 2 * _LONGEST else f"{text[: 2 * _LONGEST]}... ({len(text):,} characters)"


def _named(name: str) -> str:
    """Name something as it is written, or quoted and cut short where it is long."""
    return name if len(name) <= _LONGEST and name.isprintable() else shown(name)


def _path(table: str, name: str) -> str:
    return f"{table}.{_named(name)}"


def _project_table(table: Any, path: Path) -> dict[str, Any] | None:
    for depth, key in enumerate(_TABLE, 1):
        # Keys of other tools are passed over; a misspelt one of this tool is refused.
        if depth == len(_TABLE) and key not in table and table:
            raise ParameterError(
                f"{path}: [{'.'.join(_TABLE[:-1])}] has no setting {shown(next(iter(table)))}",
                candidates=(".".join(_TABLE),),
            )
        if key not in table:
            return None
        table = table[key]
        if not isinstance(table, dict):
            raise ParameterError(f"{path}: {'.'.join(_TABLE[:depth])} takes a table, not {_said(table)}")
    found: dict[str, Any] = table
    return found


def parse_config(table: Mapping[str, Any], source: str) -> Config:
    """Make rules of TOML values; keys are the fields of `Config` with hyphens.

    Parameters
    ----------
    table : mapping
        As parsed.
    source : str
        Named in messages.

    Returns
    -------
    Config

    Raises
    ------
    ParameterError
        If a key is unknown, a value is out of range, or two rules contradict each other.
    """
    defaults = Config()
    known = {item.name.replace("_", "-"): item.name for item in fields(Config)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise ParameterError(
                f"{source}: there is no setting {shown(key)}", candidates=nearest(key, known)
            )
        name = known[key]
        values[name] = _value(name, key, value, getattr(defaults, name), source)
    config = Config(**values)
    _refuse_contradictions(config, source)
    return config


def _refuse_contradictions(config: Config, source: str) -> None:
    both = sorted(set(config.required) & set(config.forbidden))
    if both:
        more = f" and {len(both) - _NAMED:,} more" if len(both) > _NAMED else ""
        raise ParameterError(
            f"{source}: {', '.join(map(_named, both[:_NAMED]))}{more} is both required and forbidden"
        )
    totals = ("", LayerMinimum(config.minimum_detectors, config.minimum_unique))
    for name, minimum in (totals, *config.layers.items()):
        if minimum.unique > minimum.detectors > 0:
            place = f"{_path('layers', name)}: " if name else ""
            raise ParameterError(
                f"{source}: {place}minimum-unique {minimum.unique} contradicts "
                f"minimum-detectors {minimum.detectors}: every unique detector is a detector"
            )


def _value(name: str, key: str, value: Any, default: Any, source: str) -> Any:
    def wrong(wanted: str) -> ParameterError:
        return ParameterError(f"{source}: {key} takes {wanted}, not {_said(value)}")

    if name in _LISTS:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise wrong("a list of names")
        return tuple(dict.fromkeys(value))
    if name in _TABLES:
        if not isinstance(value, dict):
            raise wrong("a table")
        if name == "levels":
            return _levels(value, source)
        return _minima(value, source) if name == "categories" else _layers(value, source)
    if isinstance(default, str):
        if not isinstance(value, str):
            raise wrong("a text")
        if name == "provider" and value not in PROVIDERS:
            raise ParameterError(f"{source}: there is no provider {shown(value)}", candidates=PROVIDERS)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong("a number")
    if isinstance(value, int) and value.bit_length() > 63:
        raise wrong("a number within 64 bits")
    if isinstance(default, int):
        least = _LEAST.get(name, 0)
        if not isinstance(value, int) or value < least:
            raise wrong(f"a whole number from {least}")
        if value > _MOST.get(name, _MOST_COUNTED):
            raise wrong(f"a whole number of at most {_MOST.get(name, _MOST_COUNTED):,}")
        return value
    if not 0 <= value < math.inf or (name in _SHARES and value > 1):
        raise wrong("a share in 0..1" if name in _SHARES else "a number from 0")
    if name == "significance" and value in (0, 1):
        raise wrong("a share between 0 and 1: with either, the figures do not matter")
    if name == "stable" and value == 1:
        raise wrong("a share below 1: no label wins in more than all resamples")
    return float(value)


def _levels(table: Mapping[str, Any], source: str) -> dict[str, str]:
    known = [rule.name for rule in RULES if not rule.fixed]
    fixed = [rule.name for rule in RULES if rule.fixed]
    for rule, level in table.items():
        if rule in fixed:
            raise ParameterError(f"{source}: the rule {rule} is always an error: nothing else can be tested")
        if rule not in known:
            raise ParameterError(f"{source}: there is no rule {shown(rule)}", candidates=nearest(rule, known))
        if level not in _LEVELS:
            raise ParameterError(f"{source}: a level is not {_said(level)}", candidates=_LEVELS)
    return dict(table)


def _layers(table: Mapping[str, Any], source: str) -> dict[str, LayerMinimum]:
    found = {}
    for layer, minima in table.items():
        if not isinstance(minima, dict):
            raise ParameterError(f"{source}: {_path('layers', layer)} takes a table, not {_said(minima)}")
        for key, value in minima.items():
            if key not in _MINIMA:
                raise ParameterError(
                    f"{source}: {_path('layers', layer)} has no setting {shown(key)}",
                    candidates=nearest(key, _MINIMA),
                )
            _check_minimum(value, f"{_path('layers', layer)}.{key}", source)
        found[layer] = LayerMinimum(**{_MINIMA[key]: value for key, value in minima.items()})
    return found


def _minima(table: Mapping[str, Any], source: str) -> dict[str, int]:
    for name, value in table.items():
        _check_minimum(value, _path("categories", name), source)
    return dict(table)


def _check_minimum(value: Any, place: str, source: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ParameterError(f"{source}: {place} takes a whole number from 0, not {_said(value)}")
    if value > _MOST_COUNTED:
        raise ParameterError(
            f"{source}: {place} takes a whole number of at most {_MOST_COUNTED:,}, not {_said(value)}"
        )
