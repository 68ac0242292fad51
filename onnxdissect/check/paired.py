"""The paired bootstrap: whether the candidate lost what the baseline had, beyond chance.

Both runs are over the same images. A resample draws images with replacement and recomputes both runs' IoU
from the same draw, so what is hard or easy about an image cancels in the difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.evidence import LayerEvidence, TruthCounts

__all__ = ["LayerResamples", "Resampler", "holm", "loss_p_values", "share_p_value"]

_BLOCK = 256


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


class Resampler:
    """Draws of images that two runs over the same images share.

    Parameters
    ----------
    truth : TruthCounts
        Of the data set.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    resamples : int
        B, how many draws.
    seed : int
        Equal seeds give equal draws.
    """

    def __init__(
        self, truth: TruthCounts, category_of: NDArray[np.int64], *, resamples: int, seed: int
    ) -> None:
        n = len(truth.categories)
        random = np.random.default_rng(seed)
        # No image is drawn 256 times in practice: the count is Poisson-like with mean 1.
        weights = np.ones((1 + resamples, n), np.uint8)
        for start in range(0, resamples, _BLOCK):
            size = min(_BLOCK, resamples - start)
            weights[1 + start : 1 + start + size] = random.multinomial(n, np.full(n, 1 / n), size=size)
        self._weights = weights
        self._category_of = category_of
        self._inside = truth.categories.astype(np.float64)
        order = np.argsort(truth.concept, kind="stable")
        self._truth_concept = truth.concept[order]
        self._truth_image = np.repeat(np.arange(n), np.diff(truth.starts))[order]
        self._truth_pixels = truth.pixels[order].astype(np.float64)

    def layer(
        self, evidence: LayerEvidence, labels: NDArray[np.int64], *, quantile: int, iou_threshold: float
    ) -> LayerResamples:
        """Score every unit of a layer in every resample.

        Parameters
        ----------
        evidence : LayerEvidence
            Counts by image.
        labels : ndarray of int64, shape (K,)
            The concept asked for of each unit, -1 for none. Where it is not among a unit's contenders, the
            weakest contender stands for it: its IoU is at least as large, so a loss is never overstated.
        quantile : int
            Position of the level tau.
        iou_threshold : float
            A detector's IoU exceeds this.

        Returns
        -------
        LayerResamples
        """
        contenders = evidence.contenders[quantile]
        units = len(contenders)
        draws = len(self._weights)
        truth = {int(c): self._truth(int(c)) for c in np.unique(contenders) if c >= 0}
        iou = np.zeros((units, draws))
        images = np.zeros(units, np.int64)
        found = np.zeros((draws, len(self._category_of)), np.bool_)
        for k in range(units):
            known = contenders[k][contenders[k] >= 0]
            if not len(known):
                continue
            row = quantile * units + k
            span = slice(int(evidence.starts[row]), int(evidence.starts[row + 1]))
            scores = self._scores(evidence, span, known, truth)
            # On a tie the lowest concept wins, as in the labels themselves.
            order = np.argsort(known, kind="stable")
            winner = order[np.argmax(scores[order], axis=0)]
            best = scores[winner, np.arange(draws)]
            detected = np.flatnonzero(best > iou_threshold)
            found[detected, known[winner[detected]]] = True
            place = _place(known, int(labels[k]), contenders.shape[1])
            if place is not None:
                iou[k] = scores[place]
                images[k] = np.count_nonzero(evidence.intersection[span, place])
        return LayerResamples(iou, found.sum(axis=1), images)

    def _truth(self, concept: int) -> NDArray[np.float64]:
        first, last = np.searchsorted(self._truth_concept, [concept, concept + 1])
        return (
            self._weights[:, self._truth_image[first:last]].astype(np.float64)
            @ (self._truth_pixels[first:last])
        )

    def _scores(
        self,
        evidence: LayerEvidence,
        span: slice,
        known: NDArray[np.int64],
        truth: dict[int, NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        where = evidence.image[span]
        weights = self._weights[:, where].astype(np.float64)
        intersection = weights @ evidence.intersection[span, : len(known)]
        inside = self._inside[where][:, self._category_of[known]]
        activation = weights @ (evidence.activation[span, None] * inside)
        union = activation + np.stack([truth[int(c)] for c in known], axis=1) - intersection
        return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0).T


def _place(known: NDArray[np.int64], label: int, room: int) -> int | None:
    if label < 0:
        return None
    at = np.flatnonzero(known == label)
    if len(at):
        return int(at[0])
    # With room left among the contenders, every concept that the mask meets is one of them.
    return len(known) - 1 if len(known) == room else None


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
