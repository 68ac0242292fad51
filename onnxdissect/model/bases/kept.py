"""Bases that a run keeps: those that a seed does not give again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from onnxdissect.errors import ParameterError, RunFormatError
from onnxdissect.model.bases.basis import Basis
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["BASIS", "keep_basis", "read_kept_basis"]

BASIS = Schema(
    {
        "matrix": ArraySpec("float32", "rc"),
        "bias": ArraySpec("float32", "r", optional=True),
        "activation": ArraySpec("str", "", optional=True),
        "names": ArraySpec("str", "r", optional=True),
    }
)
"""What the file holds; `Basis.from_file` reads it as well."""

_NOT_DETAILS = {"kind", "name", "shape", "bias", "activation", "names", "sha256"}


def keep_basis(path: Path, basis: Basis) -> None:
    """Write the numbers of a basis atomically; equal ones give equal bytes.

    Parameters
    ----------
    path : Path
        Where the ``.npz`` file goes; one already there is replaced.
    basis : Basis

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    arrays: dict[str, Any] = {"matrix": basis.matrix}
    if basis.bias is not None:
        arrays["bias"] = basis.bias
    if basis.activation:
        arrays["activation"] = np.array(basis.activation)
    if basis.row_names:
        arrays["names"] = np.array(basis.row_names)
    write_archive(path, BASIS, arrays)


def read_kept_basis(path: Path, record: Mapping[str, Any]) -> Basis:
    """Read a basis that a run has kept.

    Parameters
    ----------
    path : Path
        What `keep_basis` wrote.
    record : mapping of str to object
        `Basis.record` of it, as the run has it.

    Returns
    -------
    Basis
        Equal to the one that was kept, of the same record.

    Raises
    ------
    RunFormatError
        If the file is missing, damaged, or another than the record says.
    """
    arrays = read_archive(path, BASIS)
    details = tuple((key, value) for key, value in record.items() if key not in _NOT_DETAILS)
    try:
        basis = Basis(
            cast(str, record["name"]),
            arrays["matrix"],
            arrays.get("bias"),
            str(arrays.get("activation", "")),
            # NumPy drops NULs at the end of a text, so names come from the record
            tuple(record.get("names", ())),
            kind=cast(str, record["kind"]),
            details=details,
        )
    except (ParameterError, KeyError, TypeError, ValueError, SystemError) as error:
        raise RunFormatError(f"{path} is no basis that a run keeps: {error}", hint=BASIS.hint) from error
    if basis.digest != record.get("sha256"):
        raise RunFormatError(
            f"{path} holds other numbers than those of the basis {basis.name!r} of this run", hint=BASIS.hint
        )
    return basis
