"""Counts image by image: what a paired comparison of two runs is made from."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError

__all__ = ["LayerEvidence", "TruthCounts", "read_evidence", "read_truth"]

_Record = TypeVar("_Record", "LayerEvidence", "TruthCounts")


@dataclass(frozen=True, slots=True)
class LayerEvidence:
    """Mask pixels of each unit of a layer in each image.

    Attributes
    ----------
    contenders : ndarray of int64, shape (Q, K, R)
        Concepts of highest IoU of each unit as positions in ``concepts.csv``, best first, -1 where fewer.
    starts : ndarray of int64, shape (Q*K + 1,)
        Row q*K + k holds entries ``starts[row]`` to ``starts[row + 1]``.
    image : ndarray of int32, shape (E,)
        Images in which the unit's mask is not empty, ascending in each row.
    activation : ndarray of int32, shape (E,)
        Mask pixels |M_k(x)|.
    intersection : ndarray of int32, shape (E, R)
        Those of them that hold each contender.
    """

    contenders: NDArray[np.int64]
    starts: NDArray[np.int64]
    image: NDArray[np.int32]
    activation: NDArray[np.int32]
    intersection: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class TruthCounts:
    """Pixels of each concept in each image.

    Attributes
    ----------
    starts : ndarray of int64, shape (n + 1,)
        Image i holds entries ``starts[i]`` to ``starts[i + 1]``.
    concept : ndarray of int32, shape (T,)
        Positions in ``concepts.csv``.
    pixels : ndarray of int32, shape (T,)
        |L_c(x)|.
    categories : ndarray of bool, shape (n, G)
        Whether the image is in D_g.
    """

    starts: NDArray[np.int64]
    concept: NDArray[np.int32]
    pixels: NDArray[np.int32]
    categories: NDArray[np.bool_]


def read_evidence(folder: Path, slug: str) -> LayerEvidence | None:
    """Read the counts by image of one layer.

    Parameters
    ----------
    folder : Path
        A run directory.
    slug : str
        The layer's folder.

    Returns
    -------
    LayerEvidence or None
        None where the run was made without.

    Raises
    ------
    RunFormatError
        If the file is damaged.
    """
    return _read(folder / "layers" / slug / "evidence.npz", LayerEvidence)


def read_truth(folder: Path) -> TruthCounts | None:
    """Read the concepts' pixels by image.

    Parameters
    ----------
    folder : Path
        A run directory.

    Returns
    -------
    TruthCounts or None
        None where the run was made without.

    Raises
    ------
    RunFormatError
        If the file is damaged.
    """
    return _read(folder / "truth.npz", TruthCounts)


def _read(path: Path, kind: type[_Record]) -> _Record | None:
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return kind(**{field.name: arrays[field.name] for field in fields(kind)})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RunFormatError(f"{path} is damaged: {error}", hint="dissect again with --fresh") from error
