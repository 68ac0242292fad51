"""From counts to scores: IoU under the three published conventions, labels, detectors and unique detectors.

Pure functions on arrays (paper section 3.3). Axes, where present, come in the order quantiles Q, units K,
and then concepts C or categories G. Concepts are in the order of their numbers, so the first of several
equal scores is the one of the lowest number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ParameterError, nearest

__all__ = [
    "NO_CONCEPT",
    "SCORINGS",
    "Scores",
    "best_by_category",
    "best_concepts",
    "check_iou_threshold",
    "check_scoring",
    "detectors",
    "iou",
    "score",
    "unique_any",
    "unique_by_category",
    "unique_detectors",
]

SCORINGS = ("paper", "lite", "pnas")

NO_CONCEPT = -1


@dataclass(frozen=True, slots=True)
class Scores:
    """What follows from the IoU of every unit with every concept.

    Attributes
    ----------
    iou : ndarray of float64, shape (..., K, C)
        Score of every unit with every concept.
    concept : ndarray of int64, shape (..., K)
        Index of each unit's label; `NO_CONCEPT` where its mask meets no concept at all.
    best : ndarray of float64, shape (..., K)
        IoU of the label.
    category_concept : ndarray of int64, shape (..., K, G)
        Index of the best concept of each category, or `NO_CONCEPT`.
    category_best : ndarray of float64, shape (..., K, G)
        IoU of that concept.
    """

    iou: NDArray[np.float64]
    concept: NDArray[np.int64]
    best: NDArray[np.float64]
    category_concept: NDArray[np.int64]
    category_best: NDArray[np.float64]


def check_scoring(scoring: str) -> str:
    """Refuse the name of a convention that does not exist.

    Parameters
    ----------
    scoring : str
        One of `SCORINGS`.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    ParameterError
        If there is no such convention.
    """
    if scoring not in SCORINGS:
        raise ParameterError(
            f"there is no scoring {scoring!r}", candidates=nearest(scoring, SCORINGS) or SCORINGS
        )
    return scoring


def check_iou_threshold(threshold: float) -> float:
    """Refuse an IoU threshold outside 0..1.

    Parameters
    ----------
    threshold : float
        A unit is a detector if its IoU is strictly larger.

    Returns
    -------
    float
        The same threshold.

    Raises
    ------
    ParameterError
        If it is below 0, 1 or above, or not a number.
    """
    if not math.isfinite(threshold) or not 0 <= threshold < 1:
        raise ParameterError(
            f"the IoU threshold must be at least 0 and below 1, not {threshold}", hint="the paper uses 0.04"
        )
    return float(threshold)


def iou(
    intersection: NDArray[np.int64],
    activation: NDArray[np.int64],
    truth: NDArray[np.int64],
    category_of: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Intersection over union, a ratio of sums over the data set (paper section 3.3).

    ``IoU[k, c] = intersection[k, c] / (activation[k, g(c)] + truth[c] - intersection[k, c])``.

    The three published conventions differ in the images whose mask pixels are counted in `activation`:
    ``paper`` those that carry the concept's category, ``lite`` those where the category overlaps the mask,
    ``pnas`` all.

    Parameters
    ----------
    intersection : ndarray of int64, shape (..., K, C)
        Mask pixels that hold the concept.
    activation : ndarray of int64, shape (..., K, G), or (..., K) without `category_of`
        Mask pixels, per category (``paper``, ``lite``) or once (``pnas``).
    truth : ndarray of int64, shape (..., C)
        Pixels of each concept. Leading axes, if any, match those before K.
    category_of : ndarray of int64, shape (C,), optional
        Primary category of each concept.

    Returns
    -------
    ndarray of float64, shape (..., K, C)
        0 where the ratio is 0/0.
    """
    masked = activation[..., None] if category_of is None else activation[..., category_of]
    union = masked + truth[..., None, :] - intersection
    scores: NDArray[np.float64] = np.zeros(intersection.shape, np.float64)
    np.divide(intersection, union, out=scores, where=union > 0)
    return scores


def best_concepts(scores: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Label of each unit: the concept of highest IoU, the lowest number on a tie.

    Parameters
    ----------
    scores : ndarray of float64, shape (..., K, C)
        IoU.

    Returns
    -------
    concept : ndarray of int64, shape (..., K)
        `NO_CONCEPT` where no IoU is above 0: a mask that meets nothing names nothing.
    best : ndarray of float64, shape (..., K)
        Its IoU.
    """
    if scores.shape[-1] == 0:
        return np.full(scores.shape[:-1], NO_CONCEPT, np.int64), np.zeros(scores.shape[:-1], np.float64)
    first = scores.argmax(axis=-1)
    best: NDArray[np.float64] = np.take_along_axis(scores, first[..., None], axis=-1)[..., 0]
    return np.where(best > 0, first, NO_CONCEPT).astype(np.int64), best


def best_by_category(
    scores: NDArray[np.float64], category_of: NDArray[np.int64], categories: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Best concept of each unit within each category.

    Parameters
    ----------
    scores : ndarray of float64, shape (..., K, C)
        IoU.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    categories : int
        How many categories there are, G.

    Returns
    -------
    concept : ndarray of int64, shape (..., K, G)
        `NO_CONCEPT` where no concept of the category has an IoU above 0.
    best : ndarray of float64, shape (..., K, G)
        Its IoU.
    """
    concept: NDArray[np.int64] = np.full((*scores.shape[:-1], categories), NO_CONCEPT, np.int64)
    best: NDArray[np.float64] = np.zeros((*scores.shape[:-1], categories), np.float64)
    for category in range(categories):
        members = np.flatnonzero(category_of == category)
        chosen, best[..., category] = best_concepts(scores[..., members])
        if members.size:
            concept[..., category] = np.where(chosen == NO_CONCEPT, NO_CONCEPT, members[chosen])
    return concept, best


def score(scores: NDArray[np.float64], category_of: NDArray[np.int64], categories: int) -> Scores:
    """Labels of all units, overall and per category.

    Parameters
    ----------
    scores : ndarray of float64, shape (..., K, C)
        IoU.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    categories : int
        How many categories there are, G.

    Returns
    -------
    Scores
    """
    concept, best = best_concepts(scores)
    category_concept, category_best = best_by_category(scores, category_of, categories)
    return Scores(scores, concept, best, category_concept, category_best)


def detectors(best: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Tell which units' IoU exceeds the threshold.

    Parameters
    ----------
    best : ndarray of float64, any shape
        IoU of each label.
    threshold : float
        An IoU equal to it is not enough.

    Returns
    -------
    ndarray of bool, same shape
    """
    return np.asarray(best > threshold, np.bool_)


def unique_detectors(concept: NDArray[np.int64], detector: NDArray[np.bool_]) -> int:
    """Count the distinct labels among the detectors of one layer at one quantile.

    Parameters
    ----------
    concept : ndarray of int64, shape (K,)
        Index of each unit's label.
    detector : ndarray of bool, shape (K,)
        Which units are detectors.

    Returns
    -------
    int
    """
    return int(np.unique(concept[detector]).size)


def unique_by_category(
    concept: NDArray[np.int64],
    detector: NDArray[np.bool_],
    category_of: NDArray[np.int64],
    categories: int,
) -> NDArray[np.int64]:
    """Count unique detectors by the category of their label; the sum is `unique_detectors`.

    Parameters
    ----------
    concept : ndarray of int64, shape (K,)
        Index of each unit's label.
    detector : ndarray of bool, shape (K,)
        Which units are detectors.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    categories : int
        How many categories there are, G.

    Returns
    -------
    ndarray of int64, shape (G,)
    """
    distinct = np.unique(concept[detector])
    return np.bincount(category_of[distinct], minlength=categories).astype(np.int64)


def unique_any(
    category_concept: NDArray[np.int64], category_best: NDArray[np.float64], threshold: float
) -> int:
    """Count unique detectors as the paper's released figures do.

    A unit counts in *every* category in which its best IoU exceeds the threshold, so one unit may stand
    for several concepts. A concept has one primary category, so distinct concepts are distinct pairs of
    category and label.

    Parameters
    ----------
    category_concept : ndarray of int64, shape (K, G)
        Index of the best concept of each category.
    category_best : ndarray of float64, shape (K, G)
        IoU of that concept.
    threshold : float
        An IoU equal to it is not enough.

    Returns
    -------
    int
    """
    return int(np.unique(category_concept[category_best > threshold]).size)
