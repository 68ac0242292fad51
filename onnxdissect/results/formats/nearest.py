"""Which unit of the layer itself each unit under a basis is nearest to: ``nearest.csv`` of a layer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError
from onnxdissect.results.formats.rows import Cells, read_rows
from onnxdissect.storage.files import write_csv

__all__ = ["NEAREST", "NearestUnits", "read_nearest_units", "write_nearest_units"]

NEAREST = "nearest.csv"

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

    def parse(cells: Cells, _: Sequence[str]) -> tuple[int, float]:
        number = next(numbers)
        # before it is kept: a file may list more than memory holds
        if number >= units:
            raise ValueError(f"there are more than the {units:,} units of the layer")
        cells.integer("unit", number, number)
        return cells.integer("nearest_unit", 0, own_units - 1), cells.finite("cosine", -1, 1)

    found = list(read_rows(path, _COLUMNS, _COLUMNS, parse))
    if len(found) != units:
        raise RunFormatError(
            f"{path} lists {len(found):,} of the {units:,} units of the layer",
            hint="dissect again with --fresh",
        )
    unit, cosine = zip(*found, strict=True)
    return NearestUnits(np.array(unit, np.int64), np.array(cosine, np.float64))
