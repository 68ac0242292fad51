"""The paired bootstrap: whether the candidate lost what the baseline had, beyond chance.

Both runs are over the same images. A resample draws images with replacement and scores both runs from the
same draw, so what is hard or easy about an image cancels in the difference.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.baseline.snapshot import LayerSnapshot
from onnxdissect.core.per_image_counts import PerImageCounts, TruthCounts
from onnxdissect.statistics.bootstrap import bootstrap_iou, resample_weights

__all__ = ["LayerResamples", "Resampler", "death_p_values", "holm", "loss_p_values", "share_p_value"]


@dataclass(frozen=True, slots=True)
class LayerResamples:
    """What one layer scores in the data set itself (column 0) and in each resample (the others).

    Attributes
    ----------
    iou : ndarray of float64, shape (K, 1 + B)
        IoU of the concept asked for.
    unique : ndarray of int64, shape (1 + B,)
        Distinct labels among the detectors.
    images : ndarray of int64, shape (K,)
        Images in which the mask meets the concept asked for.
    """

    iou: NDArray[np.float64]
    unique: NDArray[np.int64]
    images: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Resampler:
    """Draws of images that two runs over the same images share.

    Attributes
    ----------
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    resamples : int
        B, how many draws.
    seed : int
        Equal seeds draw equal images, as `onnxdissect.statistics.bootstrap.resample_weights` does.
    scoring : str
        Convention of the IoU.
    iou_threshold : float
        A detector's IoU exceeds it.
    """

    category_of: NDArray[np.int64]
    resamples: int
    seed: int
    scoring: str
    iou_threshold: float

    def layer(
        self, per_image: PerImageCounts, truth: TruthCounts, labels: NDArray[np.int64]
    ) -> LayerResamples:
        """Score every unit of a layer in every resample.

        Parameters
        ----------
        per_image : PerImageCounts
            Counts by image, of one quantile.
        truth : TruthCounts
            Of the images.
        labels : ndarray of int64, shape (K,)
            The concept asked for of each unit, -1 for none. Where it is not among a unit's top concepts, the
            weakest top concept stands for it: its IoU is at least as large, so a loss is never overstated.

        Returns
        -------
        LayerResamples
        """
        asked = _asked(per_image.top_concepts[0], labels)
        images = truth.starts.size - 1
        whole = np.ones((1, images), np.uint8)
        iou, unique = [], []
        for weights in (whole, *resample_weights(images, self.resamples, self.seed, truth.groups)):
            found = bootstrap_iou(
                per_image,
                truth,
                self.category_of,
                weights,
                labels=asked[None],
                scoring=self.scoring,
                threads=_cores(),
            )
            iou.append(np.nan_to_num(found.iou[0], nan=0.0))
            detected = np.zeros((len(weights), self.category_of.size), np.bool_)
            unit, resample = np.nonzero(found.best[0] > self.iou_threshold)
            detected[resample, found.winner[0][unit, resample]] = True
            unique.append(detected.sum(axis=1))
        return LayerResamples(
            np.concatenate(iou, axis=1), np.concatenate(unique), _carrying(per_image, asked)
        )


def _asked(top_concepts: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Replace labels that are no top concepts by the weakest of these, or by none where there is room.

    With room left among the top concepts, every concept that the masks meet is one of them.
    """
    if top_concepts.shape[1] == 0:
        return np.full(len(labels), -1, np.int64)
    known = (top_concepts == labels[:, None]).any(axis=1)
    return np.where((labels < 0) | known, labels, top_concepts[:, -1])


def _carrying(per_image: PerImageCounts, asked: NDArray[np.int64]) -> NDArray[np.int64]:
    top_concepts = per_image.top_concepts[0]
    images = np.zeros(len(asked), np.int64)
    for k in range(len(asked)):
        place = np.flatnonzero((top_concepts[k] == asked[k]) & (asked[k] >= 0))
        if place.size:
            held = per_image.intersection[per_image.starts[k] : per_image.starts[k + 1], place[0]]
            images[k] = np.count_nonzero(held)
    return images


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def loss_p_values(
    before: NDArray[np.float64], after: NDArray[np.float64], images: NDArray[np.int64], margin: float
) -> NDArray[np.float64]:
    """Test each unit for a loss of IoU beyond a margin, one-sided.

    The bootstrap gives the standard error of the paired difference; its tail is taken as Student's, for the
    error is known no better than from the images that carry the unit's score and from the resamples. The
    normal tail gives too many false alarms. Counting resamples instead could never give a p-value small
    enough to survive a correction for hundreds of units.

    Parameters
    ----------
    before, after : ndarray of float64, shape (K, 1 + B)
        As `LayerResamples.iou`, of the same draws.
    images : ndarray of int64, shape (K,)
        Images that carry the score, as `LayerResamples.images` of the baseline.
    margin : float
        Share of the IoU that may go without being called a loss.

    Returns
    -------
    ndarray of float64, shape (K,)
        1 where nothing was lost; 0 where something was in every resample alike.
    """
    difference = before * (1 - margin) - after
    error = difference[:, 1:].std(axis=1, ddof=1)
    # Sums of the same counts in another order differ by rounding only.
    steady = error <= 1e-12
    t = np.divide(difference[:, 0], error, out=np.zeros(len(error)), where=~steady)
    draws = difference.shape[1] - 2
    freedom = 1 / (1 / np.maximum(images - 1, 1) + 1 / draws)
    p = np.array([_student_tail(value, df) for value, df in zip(t, freedom, strict=True)])
    return np.where(steady, np.where(difference[:, 0] > 1e-12, 0.0, 1.0), p)


def _student_tail(t: float, freedom: float) -> float:
    # Wallace (1959): a normal deviate of nearly the same tail.
    z = math.sqrt(freedom * math.log1p(t * t / freedom)) * (8 * freedom + 1) / (8 * freedom + 3)
    return 0.5 * math.erfc(math.copysign(z, t) / math.sqrt(2))


def share_p_value(before: NDArray[np.int64], after: NDArray[np.int64], margin: float) -> float:
    """Test a layer for a loss of unique detectors beyond a margin, one-sided.

    Parameters
    ----------
    before, after : ndarray of int64, shape (1 + B,)
        As `LayerResamples.unique`, of the same draws.
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


def death_p_values(before: LayerSnapshot, after: LayerSnapshot) -> NDArray[np.float64]:
    """Test each unit for having become silent, one-sided.

    A unit that fires in a few images of very many may fire in none of another export's or of other crops
    without being worse. If firing in an image were as likely on either side, all m images would be on the
    baseline's with a chance of 2**-m (McNemar's exact test).

    Parameters
    ----------
    before, after : LayerSnapshot
        Of the same units.

    Returns
    -------
    ndarray of float64, shape (K,)
        1 for units that are alive, or were dead before; 0 for all others where counts by image are missing.
    """
    # One notion for both sides, the baseline's: quantisation must not make a layer of another kind.
    died = after.silent(before.rectified) & ~before.dead
    if before.per_image is None:
        return np.where(died, 0.0, 1.0)
    # A unit that seldom fires has a threshold of zero: its masks are all that is above zero. Others fire in
    # more images than they have masks, and the chance is smaller still.
    images = np.diff(before.per_image.starts)
    return np.where(died, 0.5 ** images.astype(np.float64), 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that one false alarm among all of them is as rare as the level says.

    Parameters
    ----------
    p_values : sequence of float
        Of all tests of a rule.

    Returns
    -------
    list of float
        Adjusted, in the same order (Holm 1979).
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
