"""``published.npz`` of a layer whose results were imported: the best concept of each category, nothing else.

A run that was imported has it in place of all other archives. Whatever it lacks is not known, and nothing in
it stands for what is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError
from onnxdissect.results.records import CategoryBests, Concept
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["IMPORTED", "PUBLISHED", "known_concepts", "read_published", "spread_iou", "write_published"]

PUBLISHED = "published.npz"

IMPORTED = "imported"
"""Key of the manifest: there only if the run was imported."""

# Two ways to divide the same numbers.
_ALMOST = 1e-9
_SCHEMA = Schema(
    {
        "concept": ArraySpec("int64", "QKG"),
        "iou": ArraySpec("float64", "QKG"),
        "activation": ArraySpec("int64", "QKG", optional=True),
        "intersection": ArraySpec("int64", "QKG", optional=True),
    },
    hint="import the results again: onnxdissect import-netdissect ... --fresh",
)


def write_published(folder: Path, bests: CategoryBests) -> None:
    """Write ``published.npz``; equal results give equal bytes.

    Parameters
    ----------
    folder : Path
        The layer's folder; it exists.
    bests : CategoryBests

    Raises
    ------
    ValueError
        If an array's dtype or shape is not that of the format.
    OutputError
        If the file cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {
        name: array for name in _SCHEMA.arrays if (array := getattr(bests, name)) is not None
    }
    write_archive(folder / PUBLISHED, _SCHEMA, arrays)


def read_published(
    folder: Path, lengths: Mapping[str, int], concepts: Sequence[Concept], category_of: NDArray[np.int64]
) -> CategoryBests:
    """Read ``published.npz``.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    lengths : mapping of str to int
        Of the axes Q, K and G.
    concepts : sequence of Concept
        Of the run.
    category_of : ndarray of int64, shape (C,)
        Their primary categories.

    Returns
    -------
    CategoryBests

    Raises
    ------
    RunFormatError
        If the file is missing, damaged, or contradicts itself or the run's concepts.
    """
    arrays = read_archive(folder / PUBLISHED, _SCHEMA, lengths=lengths)
    bests = CategoryBests(
        arrays["concept"], arrays["iou"], arrays.get("activation"), arrays.get("intersection")
    )
    truth = np.array([concept.truth for concept in concepts], np.int64)
    problem = _contradiction(bests, truth, category_of)
    if problem:
        raise RunFormatError(f"{folder / PUBLISHED}: {problem}", hint=_SCHEMA.hint)
    return bests


def spread_iou(bests: CategoryBests, concepts: int) -> NDArray[np.float64]:
    """Lay the known IoUs out over all concepts.

    Parameters
    ----------
    bests : CategoryBests
    concepts : int
        How many the run has, C.

    Returns
    -------
    ndarray of float64, shape (Q, K, C)
        0 where the IoU is not known, see `known_concepts`.
    """
    scores = np.zeros((*bests.iou.shape[:2], concepts), np.float64)
    q, k, g = np.nonzero(bests.concept >= 0)
    scores[q, k, bests.concept[q, k, g]] = bests.iou[q, k, g]
    return scores


def known_concepts(bests: CategoryBests, concepts: int) -> NDArray[np.bool_]:
    """Tell of which concepts the IoU is known.

    Parameters
    ----------
    bests : CategoryBests
    concepts : int
        How many the run has, C.

    Returns
    -------
    ndarray of bool, shape (Q, K, C)
        True for the best concept of each category.
    """
    known = np.zeros((*bests.iou.shape[:2], concepts), np.bool_)
    q, k, g = np.nonzero(bests.concept >= 0)
    known[q, k, bests.concept[q, k, g]] = True
    return known


def _contradiction(bests: CategoryBests, truth: NDArray[np.int64], category_of: NDArray[np.int64]) -> str:
    """Tell what no results can be; empty if there is nothing."""
    concept, iou = bests.concept, bests.iou
    if concept.size and not (concept.min() >= -1 and concept.max() < truth.size):
        return "concept names concepts that concepts.csv does not list"
    met = concept >= 0
    places = np.broadcast_to(np.arange(concept.shape[2]), concept.shape)
    if not np.array_equal(category_of[concept[met]], places[met]):
        return "concept has concepts in categories that are not theirs"
    if not np.isfinite(iou).all() or (iou[met] <= 0).any() or (iou[~met] != 0).any() or (iou > 1).any():
        return "iou holds values that are no IoU of a concept"
    activation, intersection = bests.activation, bests.intersection
    if (activation is None) != (intersection is None):
        return "activation and intersection come together or not at all"
    if activation is None or intersection is None:
        return ""
    if any(array.size and array.min() < 0 for array in (activation, intersection)):
        return "activation or intersection hold counts below 0"
    union = activation[met] + truth[concept[met]] - intersection[met]
    if (intersection[met] > truth[concept[met]]).any() or (union <= 0).any():
        return "intersection counts pixels that truth does not"
    if (np.abs(intersection[met] / union - iou[met]) > _ALMOST).any():
        return "iou is not what the counts give"
    return ""
