"""Which unit of the layer itself each unit under a basis is nearest to: ``nearest.csv`` of a layer."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError
from onnxdissect.results.formats.rows import Cells, read_rows
from onnxdissect.storage.files import write_csv

__all__ = ["NEAREST", "NearestUnits", "expect_nearest", "read_nearest_units", "write_nearest_units"]

NEAREST = "nearest.csv"

# Matrices of more numbers are not read only to look at the table once more.
_MOST_COMPARED = 2**24
_ROUNDING = 1e-6

_COLUMNS = ("unit", "nearest_unit", "cosine")


@dataclass(frozen=True, slots=True)
class NearestUnits:
    """The units of a layer itself that those under a basis are most like.

    Attributes
    ----------
    unit : ndarray of int64, shape (K,)
        For each unit under the basis, the layer's own of largest cosine, the lowest of equal ones.
    cosine : ndarray of float64, shape (K,)
        Between the row of the matrix and that unit's axis, in [-1, 1]: 1 where the row is that unit alone. A
        bias and an activation do not enter.
    """

    unit: NDArray[np.int64]
    cosine: NDArray[np.float64]


def write_nearest_units(folder: Path, nearest: NearestUnits) -> None:
    """Write ``nearest.csv``; equal numbers give equal bytes.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    nearest : NearestUnits

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    rows = zip(count(), nearest.unit.tolist(), nearest.cosine.tolist(), strict=False)
    write_csv(folder / NEAREST, _COLUMNS, rows)


def read_nearest_units(folder: Path, units: int, own_units: int) -> NearestUnits | None:
    """Read ``nearest.csv``.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    units : int
        Under the basis, K.
    own_units : int
        Of the layer itself.

    Returns
    -------
    NearestUnits or None
        None if there is no such file: versions that did not write it made the run.

    Raises
    ------
    RunFormatError
        If it does not list every unit once and in order, or names a unit that the layer does not have, or a
        cosine that is none.
    """
    path = folder / NEAREST
    if not os.path.lexists(path):
        return None
    numbers = count()
    # Of a vector of length 1 the largest entry is no smaller, even if all are negative.
    least = max(-1.0, -1 / math.sqrt(own_units) - _ROUNDING)

    def parse(cells: Cells, _: Sequence[str]) -> tuple[int, float]:
        number = next(numbers)
        # before it is kept: a file may list more than memory holds
        if number >= units:
            raise ValueError(f"there are more than the {units:,} units of the layer")
        cells.integer("unit", number, number)
        return cells.integer("nearest_unit", 0, own_units - 1), cells.finite("cosine", least, 1)

    found = list(read_rows(path, _COLUMNS, _COLUMNS, parse))
    if len(found) != units:
        raise RunFormatError(
            f"{path} lists {len(found):,} of the {units:,} units of the layer",
            hint="dissect again with --fresh",
        )
    unit, cosine = zip(*found, strict=True)
    return NearestUnits(np.array(unit, np.int64), np.array(cosine, np.float64))


def expect_nearest(folder: Path, basis: Mapping[str, Any], found: NearestUnits) -> None:
    """See that nearest units are those of the basis, where that is told at once.

    That is so of the identity, of permutations, and of matrices of up to 2^24 numbers that the run keeps.
    Rotations and random directions are not drawn again for it.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    basis : mapping
        As the manifest has it.
    found : NearestUnits

    Raises
    ------
    RunFormatError
        If they are others, or the matrix that the run keeps is damaged.
    """
    known = _known(folder, basis)
    if known is None:
        return
    units, cosines = known
    other = np.flatnonzero((units != found.unit) | (np.abs(cosines - found.cosine) > _ROUNDING))
    if other.size:
        unit = int(other[0])
        raise RunFormatError(
            f"{folder / NEAREST} has unit {found.unit[unit]} with the cosine {found.cosine[unit]:g} as the "
            f"nearest to unit {unit}, where the basis has unit {units[unit]} with {cosines[unit]:g}",
            hint="dissect again with --fresh",
        )


def _known(folder: Path, basis: Mapping[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Nearest units and cosines, None where telling them takes long."""
    from onnxdissect.model.bases.draws import random_permutation
    from onnxdissect.model.bases.kept import read_kept_basis

    rows, units = basis["shape"]
    if basis["kind"] == "identity" and rows == units:
        return np.arange(rows), np.ones(rows)
    if basis["kind"] == "permutation" and "seed" in basis and rows == units:
        return random_permutation(units, basis["seed"]), np.ones(rows)
    path = folder / "basis.npz"
    if rows * units > _MOST_COMPARED or not os.path.lexists(path):
        return None
    return read_kept_basis(path, basis).nearest_units()
