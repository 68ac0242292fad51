"""A unit's ten best concepts, and how certain the IoU of each is: why this label and not the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnxdissect.results import Dissection

__all__ = ["TopConcepts", "find_top_concepts"]

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class TopConcepts:
    """The best concepts of every unit of a layer: Q quantiles, K units, R concepts.

    Attributes
    ----------
    concept : ndarray of int64, shape (Q, K, R)
        Positions in the run's concepts by falling IoU, the lower one on a tie.
    iou : ndarray of float64, shape (Q, K, R)
        Their IoU in the run's scoring.
    low, high : ndarray of float64, shape (Q, K, R)
        95 % percentile interval over resampled images; NaN where it is not known.
    """

    concept: NDArray[np.int64]
    iou: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def find_top_concepts(dissection: Dissection, layer: str) -> TopConcepts:
    """Rank the concepts of every unit of a layer.

    Intervals come from the same resamples as those of the labels. Only concepts whose counts the run kept
    image by image have one.

    Parameters
    ----------
    dissection : Dissection
    layer : str
        ONNX value name.

    Returns
    -------
    TopConcepts
    """
    scores = dissection.iou(layer)
    concept = np.argsort(-scores, axis=2, kind="stable")[:, :, :_SHOWN]
    iou = np.take_along_axis(scores, concept, axis=2)
    low, high = np.full((2, *concept.shape), np.nan)
    intervals = dissection.intervals(layer)
    if intervals is None:
        return TopConcepts(concept, iou, low, high)
    for rank in range(intervals.concept.shape[2]):
        followed = intervals.concept[:, :, rank]
        place = (concept == followed[:, :, None]) & (followed >= 0)[:, :, None]
        shown = place.any(axis=2)
        low[place], high[place] = intervals.low[:, :, rank][shown], intervals.high[:, :, rank][shown]
    return TopConcepts(concept, iou, low, high)
