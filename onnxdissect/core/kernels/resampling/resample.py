"""Sums over resampled images: the counts of a bootstrap, from counts image by image.

A resample b holds image x ``w[x, b]`` times. Counts add up over images, so those of a resample are sums of
the counts of single images, weighted by w.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import inlined, kernel
from onnxdissect.core.per_image_counts import PerImageCounts, TruthCounts

__all__ = ["resample_scores", "resample_truth"]


def resample_truth(truth: TruthCounts, weights: NDArray[np.uint8], concepts: int) -> NDArray[np.int64]:
    """Count the pixels of each concept in each resample.

    Parameters
    ----------
    truth : TruthCounts
        Of n images.
    weights : ndarray of uint8, shape (n, resamples)
        How often each resample holds each image.
    concepts : int
        How many concepts there are, C.

    Returns
    -------
    ndarray of int64, shape (C, resamples)
    """
    if truth.starts.shape != (weights.shape[0] + 1,):
        raise ValueError(f"truth of {truth.starts.size - 1} images, weights of {weights.shape[0]}")
    sums = np.zeros((concepts, weights.shape[1]), np.int64)
    _resample_truth(truth.starts, truth.concept, truth.pixels, weights, sums)
    return sums


def resample_scores(
    per_image: PerImageCounts,
    weights: NDArray[np.uint8],
    truth: NDArray[np.int64],
    category_of: NDArray[np.int64],
    counted: NDArray[np.bool_] | None,
    rows: slice,
    scores: tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]],
) -> None:
    """Score the top concepts of some units in each resample, and find the best of them.

    Parameters
    ----------
    per_image : PerImageCounts
        Of the layer.
    weights : ndarray of uint8, shape (n, resamples)
        How often each resample holds each image.
    truth : ndarray of int64, shape (C, resamples)
        Pixels of each concept in each resample.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    counted : ndarray of bool, shape (E, G), or None
        Whether each mask counts as activation for each category; None counts all.
    rows : slice
        Only these units, as positions q*K + k.
    scores : tuple of ndarray of float64, int32 and float64
        Written to: IoU of each top concept, shape (rows, R, resamples), left alone where a unit has fewer;
        the top concept of highest IoU as a concept, shape (rows, resamples), the lowest on a tie, -1 where no
        IoU is above 0; its IoU, likewise.
    """
    first, last, _ = rows.indices(per_image.starts.size - 1)
    resamples = weights.shape[1]
    top_concepts = per_image.top_concepts.shape[2]
    each, winner, best = (array.shape for array in scores)
    if each != (last - first, top_concepts, resamples) or {winner, best} != {(last - first, resamples)}:
        raise ValueError("scores, units and resamples disagree")
    # No sum exceeds all pixels of a unit's masks, times the largest weight: 32 bits suffice nearly always.
    sums = np.concatenate([[0], np.cumsum(per_image.activation, dtype=np.int64)])
    area = np.diff(sums[per_image.starts[first : last + 1]])
    narrow = int(area.max(initial=0)) * int(weights.max(initial=0)) < 2**31
    kind = np.int32 if narrow else np.int64
    _resample_scores(
        (first, last, counted is None),
        (
            per_image.top_concepts.reshape(per_image.starts.size - 1, top_concepts),
            per_image.starts,
            per_image.image,
            per_image.activation,
            per_image.intersection,
        ),
        weights,
        truth,
        category_of,
        np.ones((1, 1), np.bool_) if counted is None else counted,
        (
            np.empty((top_concepts, resamples), kind),
            np.empty((top_concepts, resamples), kind),
            np.empty(top_concepts, np.int64),
            np.empty(top_concepts, np.int64),
        ),
        scores,
    )


@kernel
def _resample_truth(starts, concept, pixels, weights, sums):
    """Add ``sums[c, b] += |L_c(x)| * w[x, b]`` over all images x; see `resample_truth`."""
    for image in range(weights.shape[0]):
        weight = weights[image]
        for at in range(starts[image], starts[image + 1]):
            held = np.int64(pixels[at])
            sum_ = sums[concept[at]]
            for b in range(weight.shape[0]):
                sum_[b] += held * weight[b]


@kernel
def _resample_scores(share, per_image, weights, truth, category_of, counted, scratch, results):
    """Do what `resample_scores` says, for the rows ``first .. last - 1``.

    With the sums over the unit's masks, weighted by how often resample b holds the image of each::

        met[c, b]    = sum of w[x, b] * |M_k(x) and L_c(x)|
        active[g, b] = sum of w[x, b] * |M_k(x)|,   of masks that count for category g
        iou[c, b]    = met[c, b] / (active[g(c), b] + truth[c, b] - met[c, b])

    ``share`` is first, last and whether every mask counts for every category, so that one sum of active does
    for all. ``scratch`` is room for met and active, shape (top concepts, resamples), for the sum that each
    top concept goes by, and for the category of each sum.
    """
    first, last, always = share
    top_concepts, starts, image, activation, intersection = per_image
    met, active, sum_of, categories = scratch
    ious, winners, bests = results
    resamples = weights.shape[1]
    for row in range(first, last):
        slots = 0
        sums = 0
        # Top concepts of one category share a sum.
        while slots < top_concepts.shape[1] and top_concepts[row, slots] >= 0:
            category = -1 if always else category_of[top_concepts[row, slots]]
            at = 0
            while at < sums and categories[at] != category:
                at += 1
            if at == sums:
                categories[sums] = category
                sums += 1
            sum_of[slots] = at
            slots += 1
        for slot in range(slots):
            _clear(met[slot])
        for at in range(sums):
            _clear(active[at])
        for mask in range(starts[row], starts[row + 1]):
            weight = weights[image[mask]]
            for at in range(sums):
                if always or counted[mask, categories[at]]:
                    _add(active[at], activation[mask], weight)
            for slot in range(slots):
                if intersection[mask, slot] > 0:
                    _add(met[slot], intersection[mask, slot], weight)
        winner = winners[row - first]
        best = bests[row - first]
        for b in range(resamples):
            winner[b] = -1
            best[b] = 0
        for slot in range(slots):
            concept = top_concepts[row, slot]
            pixels = truth[concept]
            area = active[sum_of[slot]]
            common = met[slot]
            score = ious[row - first, slot]
            for b in range(resamples):
                union = area[b] + pixels[b] - common[b]
                iou = common[b] / union if union > 0 else 0.0
                score[b] = iou
                if iou > best[b] or (iou == best[b] and iou > 0 and concept < winner[b]):
                    best[b] = iou
                    winner[b] = concept


@inlined
def _clear(sums):
    """Set the sums of all resamples to zero."""
    for b in range(sums.shape[0]):
        sums[b] = 0


@inlined
def _add(sums, value, weight):
    """Add a count of one image to the sums of all resamples; vectorises."""
    for b in range(weight.shape[0]):
        sums[b] += value * weight[b]
