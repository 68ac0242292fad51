"""Documents of experiments: JSON of a stated format version, read back only if every field is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from onnxdissect.errors import RunFormatError
from onnxdissect.storage.fields import FieldError, shown
from onnxdissect.storage.json_file import read_json

__all__ = ["read_document"]


def read_document(
    path: Path,
    folder: Path,
    *,
    version: int,
    largest: int,
    check: Callable[[Mapping[str, Any]], None],
    hint: str,
) -> Mapping[str, Any]:
    """Read a document, every field of which is of its type and within bounds.

    Parameters
    ----------
    path : Path
        The file.
    folder : Path
        No link leads out of it.
    version : int
        The only ``format_version`` that is read.
    largest : int
        Bytes that the file may have.
    check : callable
        Given the document, raises FieldError where a field is not right.
    hint : str
        What makes the document anew.

    Returns
    -------
    mapping

    Raises
    ------
    RunFormatError
        If the file cannot be read, is of another version, or holds what it should not.
    """
    try:
        document = read_json(path, largest, inside=folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunFormatError(f"{path} cannot be read: {reason}", hint=hint) from error
    found = document.get("format_version") if isinstance(document, dict) else None
    if found != version or type(found) is not int:
        raise RunFormatError(f"{path} is of format version {shown(found)}, not {version}", hint=hint)
    told: Mapping[str, Any] = document
    try:
        check(told)
    except FieldError as error:
        raise RunFormatError(f"{path}: {error}", hint=hint) from error
    return told
