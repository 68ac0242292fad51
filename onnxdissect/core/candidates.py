"""Which concepts a unit may be labelled with: those that enough images hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import PerImageCounts
from onnxdissect.core.scoring import NO_CONCEPT
from onnxdissect.errors import ParameterError

__all__ = ["among", "candidates", "check_min_images", "followed", "followed_concepts"]


def check_min_images(min_images: int, most: int | None = None) -> int:
    """Refuse a smallest number of images per concept that leaves no concept.

    Parameters
    ----------
    min_images : int
        Concepts held by fewer images are no candidates.
    most : int, optional
        Images that there are, or that the commonest concept is held by.

    Returns
    -------
    int
        The same number.

    Raises
    ------
    ParameterError
        If it is below 1, or leaves no concept.
    """
    if min_images < 1:
        raise ParameterError(
            f"the number of images a concept must be held by cannot be {min_images}",
            hint="--min-images 10; 1 leaves no concept out",
        )
    if most is not None and min_images > most:
        raise ParameterError(
            f"no concept is held by {min_images} images: there can be no label, with at most {most}",
            hint=f"--min-images {max(min(most, 10), 1)}",
        )
    return int(min_images)


def candidates(concept_images: NDArray[np.int64], min_images: int) -> NDArray[np.bool_]:
    """Tell which concepts are candidates for labels.

    Labels, the best concept of each category, the concepts followed image by image, the best concept of a
    resample and of a shuffle: all are taken among these, and only here it is decided which they are. Counts
    hold every concept.

    Parameters
    ----------
    concept_images : ndarray of int64, shape (C,)
        How many images of the run hold each concept.
    min_images : int
        What a candidate needs.

    Returns
    -------
    ndarray of bool, shape (C,)
    """
    return np.asarray(concept_images >= min_images, np.bool_)


def among(iou: NDArray[np.float64], candidate: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Set the score of every concept that is no candidate to 0, with which it cannot become a label.

    Parameters
    ----------
    iou : ndarray of float64, shape (..., C)
        Scores; not changed.
    candidate : ndarray of bool, shape (C,)
        As of `candidates`.

    Returns
    -------
    ndarray of float64, shape (..., C)
        The scores themselves where there is nothing to leave out.
    """
    return iou if candidate.all() else np.where(candidate, iou, 0.0)


def followed_concepts(
    top_concepts: NDArray[np.int64], candidate: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Leave out those top concepts that are no candidates.

    Parameters
    ----------
    top_concepts : ndarray of int64, shape (Q, K, R)
        As in `PerImageCounts`.
    candidate : ndarray of bool, shape (C,)
        As of `candidates`.

    Returns
    -------
    chosen : ndarray of int64, shape (Q, K, R)
        The top concepts that are candidates, in their order; -1 behind them.
    order : ndarray of int64, shape (Q, K, R)
        Which place each had.
    """
    known = top_concepts >= 0
    kept = known & candidate[np.where(known, top_concepts, 0)] if candidate.size else known
    order = np.argsort(~kept, axis=2, kind="stable")
    # What is not kept comes last: a unit's top concepts end at the first -1.
    chosen = np.where(kept, top_concepts, NO_CONCEPT)
    return np.take_along_axis(chosen, order, axis=2), order


def followed(per_image: PerImageCounts, candidate: NDArray[np.bool_]) -> PerImageCounts:
    """Leave out what was counted image by image of concepts that are no candidates.

    Parameters
    ----------
    per_image : PerImageCounts
        Not changed.
    candidate : ndarray of bool, shape (C,)
        As of `candidates`.

    Returns
    -------
    PerImageCounts
        The top concepts that are candidates, in their order; the counts themselves where all are.
    """
    top_concepts = per_image.top_concepts
    chosen, order = followed_concepts(top_concepts, candidate)
    if np.array_equal(chosen, top_concepts):
        return per_image
    of_mask = np.repeat(np.arange(per_image.starts.size - 1), np.diff(per_image.starts))
    places = top_concepts.shape[2]
    intersection = np.take_along_axis(per_image.intersection, order.reshape(-1, places)[of_mask], axis=1)
    intersection[chosen.reshape(-1, places)[of_mask] < 0] = 0
    return replace(per_image, top_concepts=chosen, intersection=intersection)
