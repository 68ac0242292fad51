"""Data as script files. A page that is opened from disk may run scripts, but not fetch other files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from onnxdissect.errors import RunFormatError

__all__ = ["read_script", "rounded", "to_json", "write_script"]

_DIGITS = 6


def rounded(value: float | None) -> float | None:
    """Round a number to six significant digits.

    Parameters
    ----------
    value : float or None

    Returns
    -------
    float or None
        None for None, NaN and infinity.
    """
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")


def to_json(content: Any) -> str:
    """Write JSON that can stand inside a script element.

    Parameters
    ----------
    content : object

    Returns
    -------
    str
        ASCII without ``<``, so that no name can end a script element.
    """
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def write_script(path: Path, call: str, arguments: Iterable[Any]) -> None:
    """Write a script that hands data to the page.

    Parameters
    ----------
    path : Path
    call : str
        Name of the function that takes it.
    arguments : iterable of objects
        What it is called with.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    said = ",".join(map(to_json, arguments))
    path.write_text(f"{call}({said});\n", encoding="ascii", newline="\n")


def read_script(path: Path) -> list[Any]:
    """Read the arguments back from what `write_script` wrote.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list

    Raises
    ------
    RunFormatError
        If the file is missing or no such script.
    """
    try:
        text = path.read_text(encoding="ascii")
        arguments = json.loads(f"[{text[text.index('(') + 1 : text.rindex(')')]}]")
    except (OSError, ValueError) as error:
        raise RunFormatError(f"{path} cannot be read: {error}") from error
    assert isinstance(arguments, list)
    return arguments
