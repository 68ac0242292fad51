"""Paired tests: whether one of two networks lost, on the same images, what the other has.

Both are scored in the same resamples of the images, so that what makes an image hard or easy cancels in the
difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import PerImageCounts, PerImageCountsPart
from onnxdissect.statistics.resamples import Resamples, UniqueDetectors

__all__ = [
    "LayerResamples",
    "loss_p_values",
    "mcnemar_p_values",
    "resample_layer",
    "unique_loss_p_value",
]

# Sums of the same counts in another order differ by rounding, and by no more than this.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class LayerResamples:
    """What one layer scores in the data set itself (column 0) and in each resample (the others).

    Attributes
    ----------
    iou : ndarray of float64, shape (K, 1 + B)
        IoU of the concept asked about.
    unique : ndarray of int64, shape (1 + B,)
        Distinct labels among the detectors.
    images : ndarray of int64, shape (K,)
        Images in which the mask meets the concept asked about.
    """

    iou: NDArray[np.float64]
    unique: NDArray[np.int64]
    images: NDArray[np.int64]


def resample_layer(
    resamples: Resamples,
    per_image: PerImageCounts,
    labels: NDArray[np.int64],
    *,
    scoring: str,
    iou_threshold: float,
) -> LayerResamples:
    """Score every unit of a layer in the data set itself and in every resample.

    Parameters
    ----------
    resamples : Resamples
        Of the images, the data set itself first.
    per_image : PerImageCounts
        Of one quantile.
    labels : ndarray of int64, shape (K,)
        The concept asked about of each unit, -1 for none. Where it is not among a unit's top concepts, the
        weakest of these stands in for it: its IoU is at least as large, so a loss is never overstated.
    scoring : str
        Convention of the IoU.
    iou_threshold : float
        A detector's IoU exceeds it.

    Returns
    -------
    LayerResamples
    """
    if not resamples.whole:
        raise ValueError("the data set itself has to come before its resamples")
    asked = _asked(per_image.top_concepts[0], labels)
    iou = np.zeros((asked.size, resamples.size))
    unique = UniqueDetectors(1, resamples, iou_threshold)
    part = PerImageCountsPart(0, slice(0, asked.size), per_image)
    for units in resamples.walk([part], scoring):
        iou[units.units] = np.nan_to_num(units.iou_of(asked[units.units]), nan=0.0)
        unique.add(units)
    return LayerResamples(iou, unique.counts()[0], _images_met(per_image, asked))


def _asked(top_concepts: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Replace labels that are no top concepts by the weakest top concept.

    A unit with fewer top concepts than there is room for meets no others: it is not asked about any.
    """
    if top_concepts.shape[1] == 0:
        return np.full(len(labels), -1, np.int64)
    known = (top_concepts == labels[:, None]).any(axis=1)
    return np.where((labels < 0) | known, labels, top_concepts[:, -1])


def _images_met(per_image: PerImageCounts, asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the images in which each unit's masks meet the concept asked about."""
    top_concepts = per_image.top_concepts[0]
    images = np.zeros(len(asked), np.int64)
    for k in range(len(asked)):
        place = np.flatnonzero((top_concepts[k] == asked[k]) & (asked[k] >= 0))
        if place.size:
            held = per_image.intersection[per_image.starts[k] : per_image.starts[k + 1], place[0]]
            images[k] = np.count_nonzero(held)
    return images


def loss_p_values(
    before: NDArray[np.float64], after: NDArray[np.float64], images: NDArray[np.int64], margin: float
) -> NDArray[np.float64]:
    """Test each unit for a loss of IoU beyond a margin, one-sided.

    The standard error of the paired difference is that of its resamples. The error is itself uncertain: few
    images may carry a unit's score, and resamples are finitely many. So the difference over its error is
    held to Student's distribution; a normal one gives too many false alarms. Counting the resamples without a
    loss would not do, since a correction for hundreds of units asks for p-values far below one in B.

    Parameters
    ----------
    before, after : ndarray of float64, shape (K, 1 + B)
        As `LayerResamples.iou`, of the same resamples.
    images : ndarray of int64, shape (K,)
        Images that carry the score, as `LayerResamples.images` of the baseline.
    margin : float
        Share of the IoU that may go without being called a loss.

    Returns
    -------
    ndarray of float64, shape (K,)
        1 where nothing was lost; 0 where something was, and equally much in every resample.
    """
    difference = before * (1 - margin) - after
    error = difference[:, 1:].std(axis=1, ddof=1)
    steady = error <= _ROUNDING
    t = np.divide(difference[:, 0], error, out=np.zeros(len(error)), where=~steady)
    draws = difference.shape[1] - 2
    freedom = 1 / (1 / np.maximum(images - 1, 1) + 1 / draws)
    # Imported here: it takes a tenth of a second, and most commands test nothing.
    from scipy.special import stdtr

    p = stdtr(freedom, -t)
    return np.where(steady, np.where(difference[:, 0] > _ROUNDING, 0.0, 1.0), p)


def unique_loss_p_value(before: NDArray[np.int64], after: NDArray[np.int64], margin: float) -> float:
    """Test a layer for a loss of unique detectors beyond a margin, one-sided.

    Parameters
    ----------
    before, after : ndarray of int64, shape (1 + B,)
        As `LayerResamples.unique`, of the same resamples.
    margin : float
        Share that may go.

    Returns
    -------
    float
        Share of resamples without such a loss, counting the data set as one; 1 if it shows none itself.
    """
    lost = before * (1 - margin) - after > 0
    if not lost[0]:
        return 1.0
    return float((1 + np.count_nonzero(~lost[1:])) / len(lost))


def mcnemar_p_values(only_before: NDArray[np.int64], only_after: NDArray[np.int64]) -> NDArray[np.float64]:
    """Test whether something became rarer from one to the other of two paired sides, one-sided and exact.

    Only images that show it on one side and not on the other tell anything. If it were equally likely on
    both, which side that is would be as the toss of a coin: their number is binomial (McNemar 1947).

    Parameters
    ----------
    only_before, only_after : ndarray of int64, of one shape
        Images that show it on one side alone.

    Returns
    -------
    ndarray of float64, same shape
        Chance that so few of them would be on the second side.
    """
    # Imported here: it takes a tenth of a second, and most commands test nothing.
    from scipy.special import bdtr

    return np.asarray(bdtr(only_after.astype(np.float64), only_before + only_after, 0.5), np.float64)
