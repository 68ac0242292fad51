"""Counts by image: ``evidence.npz`` of a layer and ``truth.npz`` of a run."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.evidence import Evidence, TruthCounts
from onnxdissect.errors import RunFormatError
from onnxdissect.files import write_npz
from onnxdissect.results.archive import read_archive
from onnxdissect.results.arrays import Sizes

__all__ = [
    "EVIDENCE",
    "NULL",
    "TRUTH",
    "Evidence",
    "TruthCounts",
    "read_evidence",
    "read_null",
    "read_truth",
    "write_evidence",
    "write_null",
    "write_truth",
]

EVIDENCE = "evidence.npz"
NULL = "null.npz"
TRUTH = "truth.npz"

_EVIDENCE_SCHEMA = {
    "contenders": ("int64", 3),
    "starts": ("int64", 1),
    "image": ("int32", 1),
    "activation": ("int32", 1),
    "intersection": ("int32", 2),
    "overlap": ("uint8", 2),
}
_TRUTH_SCHEMA = {
    "starts": ("int64", 1),
    "concept": ("int32", 1),
    "pixels": ("int32", 1),
    "categories": ("bool", 2),
}

_NULL_SCHEMA = {"best": ("float64", 3)}


def write_evidence(folder: Path, evidence: Evidence) -> None:
    """Write ``evidence.npz``; equal counts give equal bytes.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    evidence : Evidence

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    write_npz(folder / EVIDENCE, _arrays(evidence))


def write_truth(folder: Path, truth: TruthCounts) -> None:
    """Write ``truth.npz``; equal counts give equal bytes.

    Parameters
    ----------
    folder : Path
        The run directory.
    truth : TruthCounts

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    write_npz(folder / TRUTH, _arrays(truth))


def read_evidence(folder: Path, sizes: Sizes) -> Evidence | None:
    """Read ``evidence.npz``.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    sizes : Sizes
        What the shapes must agree with.

    Returns
    -------
    Evidence or None
        None if the run was made without.

    Raises
    ------
    RunFormatError
        If the file is damaged, or does not belong to this run.
    """
    path = folder / EVIDENCE
    if not path.exists():
        return None
    found = Evidence(**read_archive(path, _EVIDENCE_SCHEMA))
    masks = found.image.size
    sound = (
        found.contenders.shape == (sizes.Q, sizes.K, min(found.contenders.shape[2], sizes.C))
        and found.starts.shape == (sizes.Q * sizes.K + 1,)
        and _climbs(found.starts, masks)
        and found.activation.shape == (masks,)
        and found.intersection.shape == (masks, found.contenders.shape[2])
        and found.overlap.shape == (masks, (sizes.G + 7) // 8)
        and _within(found.image, sizes.images)
        and _within(found.contenders + 1, sizes.C + 1)
    )
    if not sound:
        raise RunFormatError(f"{path} does not belong to this run", hint="dissect again with --fresh")
    return found


def read_truth(folder: Path, concepts: int, categories: int, images: int) -> TruthCounts | None:
    """Read ``truth.npz``.

    Parameters
    ----------
    folder : Path
        The run directory.
    concepts, categories, images : int
        How many the run has.

    Returns
    -------
    TruthCounts or None
        None if the run was made without.

    Raises
    ------
    RunFormatError
        If the file is damaged, or does not belong to this run.
    """
    path = folder / TRUTH
    if not path.exists():
        return None
    found = TruthCounts(**read_archive(path, _TRUTH_SCHEMA))
    sound = (
        found.starts.shape == (images + 1,)
        and _climbs(found.starts, found.concept.size)
        and found.pixels.shape == found.concept.shape
        and found.categories.shape == (images, categories)
        and _within(found.concept, concepts)
    )
    if not sound:
        raise RunFormatError(f"{path} does not belong to this run", hint="dissect again with --fresh")
    return found


def write_null(folder: Path, best: NDArray[np.float64]) -> None:
    """Write ``null.npz``; equal scores give equal bytes.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    best : ndarray of float64, shape (1 + shuffles, Q, K)
        Best score of each unit on the lattice: as observed, then after each shuffle.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    write_npz(folder / NULL, {"best": best})


def read_null(folder: Path, sizes: Sizes) -> NDArray[np.float64] | None:
    """Read ``null.npz``.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    sizes : Sizes
        What the shapes must agree with.

    Returns
    -------
    ndarray of float64, shape (1 + shuffles, Q, K), or None
        None if the run was made without shuffles.

    Raises
    ------
    RunFormatError
        If the file is damaged, or does not belong to this run.
    """
    path = folder / NULL
    if not path.exists():
        return None
    best: NDArray[np.float64] = read_archive(path, _NULL_SCHEMA)["best"]
    if best.shape[0] < 3 or best.shape[1:] != (sizes.Q, sizes.K) or not np.isfinite(best).all():
        raise RunFormatError(f"{path} does not belong to this run", hint="dissect again with --fresh")
    return best


def _arrays(record: Evidence | TruthCounts) -> dict[str, NDArray[Any]]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _climbs(starts: NDArray[np.int64], end: int) -> bool:
    return bool(starts[0] == 0 and starts[-1] == end and (np.diff(starts) >= 0).all())


def _within(positions: NDArray[Any], size: int) -> bool:
    return positions.size == 0 or bool(positions.min() >= 0 and positions.max() < size)
