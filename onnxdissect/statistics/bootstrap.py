"""How certain labels and counts of detectors are: images, or groups of them, resampled with replacement."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.resample import resample_scores, resample_truth
from onnxdissect.core.per_image_counts import PerImageCounts, PerImageCountsPart, TruthCounts
from onnxdissect.core.scoring import check_scoring

__all__ = ["Bootstrap", "Certainty", "Resampled", "bootstrap_iou", "resample_weights"]

# Resamples that are drawn together: part of what a seed means.
_DRAWN = 64
# Weights kept from layer to layer, and results of resamples held at a time.
_KEPT_BYTES = 128 * 2**20
_CELL_BYTES = 20

_LEVELS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Resampled:
    """Units of a layer in every resample.

    Attributes
    ----------
    iou : ndarray of float64, shape (Q, K, resamples)
        Of the unit's label; NaN where it is not among the top concepts.
    winner : ndarray of int32, shape (Q, K, resamples)
        The concept of highest IoU among the top concepts, the lowest on a tie; -1 where no IoU is above 0.
    best : ndarray of float64, shape (Q, K, resamples)
        Its IoU.
    """

    iou: NDArray[np.float64]
    winner: NDArray[np.int32]
    best: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Certainty:
    """How certain the labels of a layer are.

    Attributes
    ----------
    low, high : ndarray of float64, shape (Q, K)
        95 % percentile interval of the label's IoU; NaN where there is no label, or it is not followed.
    stability : ndarray of float64, shape (Q, K)
        Share of resamples in which the label wins; NaN likewise.
    unique_low, unique_median, unique_high : ndarray of int64, shape (Q,)
        Where the middle 95 % of the resamples' counts of unique detectors begin, their median, and where
        they end.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    stability: NDArray[np.float64]
    unique_low: NDArray[np.int64]
    unique_median: NDArray[np.int64]
    unique_high: NDArray[np.int64]


def resample_weights(
    images: int, resamples: int, seed: int, groups: NDArray[np.int64] | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Draw images with replacement, as many as there are, again and again; or whole groups of them.

    Runs over the same images that are given the same seed resample the same images: compared resample by
    resample, they are paired.

    Parameters
    ----------
    images : int
        How many images there are, n.
    resamples : int
        How many resamples are wanted.
    seed : int
        From 0 to 2**64 - 1.
    groups : ndarray of int64, shape (n,), optional
        Group of each image, from 0. As many groups are drawn as there are, each with all of its images.

    Yields
    ------
    ndarray of uint8, shape (up to 64, n)
        How often each of the next resamples holds each image. A resample depends on the seed, on n, on the
        groups and on its number alone.
    """
    if groups is not None:
        for drawn in resample_weights(int(groups.max(initial=-1)) + 1, resamples, seed):
            yield np.ascontiguousarray(drawn[:, groups])
        return
    for block, first in enumerate(range(0, resamples, _DRAWN)):
        count = min(_DRAWN, resamples - first)
        raw = np.random.Philox(key=np.array([seed, block], np.uint64)).random_raw(count * images)
        # The upper half of each number, brought to 0..n-1.
        drawn = ((raw >> np.uint64(32)) * np.uint64(images)) >> np.uint64(32)
        drawn += np.repeat(np.arange(count, dtype=np.uint64) * np.uint64(images), images)
        often = np.bincount(drawn.astype(np.int64), minlength=count * images)
        # No image comes 256 times: its count is Poisson-like, of mean 1.
        yield often.astype(np.uint8).reshape(count, images)


def bootstrap_iou(
    per_image: PerImageCounts,
    truth: TruthCounts,
    category_of: NDArray[np.int64],
    weights: NDArray[np.uint8],
    *,
    labels: NDArray[np.int64] | None = None,
    scoring: str = "paper",
    threads: int = 1,
) -> Resampled:
    """Score the units of a layer in resamples.

    Parameters
    ----------
    per_image : PerImageCounts
        Of the layer.
    truth : TruthCounts
        Of the images.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    weights : ndarray of uint8, shape (resamples, n)
        How often each resample holds each image.
    labels : ndarray of int64, shape (Q, K), optional
        The units' labels, -1 for none; by default each unit's first top concept.
    scoring : {"paper", "lite", "pnas"}
        Which images' masks are divided by.
    threads : int
        Results do not depend on it.

    Returns
    -------
    Resampled

    Raises
    ------
    ParameterError
        If there is no such convention.
    """
    upright = np.ascontiguousarray(weights.T)
    sums = resample_truth(truth, upright, category_of.size)
    places = _places(per_image, labels)
    counted = _counted(per_image, truth, check_scoring(scoring))
    q, k, _ = per_image.top_concepts.shape
    iou, winner, best = _scores(
        per_image, upright, sums, category_of, counted, places, slice(0, q * k), threads
    )
    iou[places < 0] = np.nan
    shape = (q, k, weights.shape[0])
    return Resampled(iou.reshape(shape), winner.reshape(shape), best.reshape(shape))


class Bootstrap:
    """Resamples of a run's images, for any number of its layers.

    Parameters
    ----------
    truth : TruthCounts
        Of the images.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    resamples : int
        At least 1.
    seed : int
        As for `resample_weights`.
    """

    def __init__(self, truth: TruthCounts, category_of: NDArray[np.int64], resamples: int, seed: int) -> None:
        self._truth = truth
        self._category_of = category_of
        self._resamples = resamples
        self._seed = seed
        images = truth.starts.size - 1
        self._kept: list[NDArray[np.uint8]] | None = None
        if images * resamples <= _KEPT_BYTES:
            blocks = list(resample_weights(images, resamples, seed, truth.groups))
            self._kept = [np.ascontiguousarray(np.concatenate(blocks).T)]
        self._sums = [resample_truth(truth, weights, category_of.size) for weights in self._weights()]

    def certainty(
        self,
        parts: Iterable[PerImageCountsPart],
        labels: NDArray[np.int64],
        *,
        scoring: str,
        iou_threshold: float,
    ) -> Certainty:
        """Find intervals and stabilities of one layer.

        Parameters
        ----------
        parts : iterable of PerImageCountsPart
            All of the layer, however it is cut.
        labels : ndarray of int64, shape (Q, K)
            The units' labels, -1 for none.
        scoring : {"paper", "lite", "pnas"}
            As the labels were scored.
        iou_threshold : float
            A unit is a detector if its IoU is larger.

        Returns
        -------
        Certainty
        """
        check_scoring(scoring)
        low, high, stability = np.full((3, *labels.shape), np.nan)
        found = np.zeros((labels.shape[0], self._resamples, self._category_of.size), np.bool_)
        for part in parts:
            for units, iou, winner, best in self._scores(part, labels, scoring):
                at = part.quantile, units
                row, resample = np.nonzero(best > iou_threshold)
                found[part.quantile, resample, winner[row, resample]] = True
                known = ~np.isnan(iou[:, 0])
                low[at][known], high[at][known] = np.quantile(iou[known], _LEVELS, axis=1)
                same = winner == labels[at][:, None]
                stability[at] = np.where(known, same.mean(axis=1), np.nan)
        detected = found.sum(axis=2)
        return Certainty(
            low,
            high,
            stability,
            np.quantile(detected, _LEVELS[0], axis=1, method="lower").astype(np.int64),
            np.quantile(detected, 0.5, axis=1, method="inverted_cdf").astype(np.int64),
            np.quantile(detected, _LEVELS[1], axis=1, method="higher").astype(np.int64),
        )

    def _scores(
        self, part: PerImageCountsPart, labels: NDArray[np.int64], scoring: str
    ) -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]]]:
        """Give the units of a part a few at a time, with what they score in all resamples."""
        per_image, threads = part.per_image, _cores()
        places = _places(per_image, labels[part.quantile, part.units][None])
        counted = _counted(per_image, self._truth, scoring)
        step = max(1, _KEPT_BYTES // (_CELL_BYTES * self._resamples))
        for first in range(0, places.size, step):
            rows = slice(first, min(first + step, places.size))
            scored = [
                _scores(per_image, weights, sums, self._category_of, counted, places, rows, threads)
                for weights, sums in zip(self._weights(), self._sums, strict=True)
            ]
            iou, winner, best = (
                scored[0]
                if len(scored) == 1
                else tuple(np.concatenate(score, axis=1) for score in zip(*scored, strict=True))
            )
            iou[places[rows] < 0] = np.nan
            units = slice(part.units.start + rows.start, part.units.start + rows.stop)
            yield units, iou, winner, best

    def _weights(self) -> Iterator[NDArray[np.uint8]]:
        if self._kept is not None:
            yield from self._kept
            return
        truth = self._truth
        for block in resample_weights(truth.starts.size - 1, self._resamples, self._seed, truth.groups):
            yield np.ascontiguousarray(block.T)


def _places(per_image: PerImageCounts, labels: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Which top concept is the label."""
    q, k, r = per_image.top_concepts.shape
    rows = per_image.top_concepts.reshape(q * k, r)
    if r == 0:
        return np.full(q * k, -1, np.int64)
    asked = rows[:, 0] if labels is None else labels.reshape(q * k)
    same = (rows == asked[:, None]) & (asked >= 0)[:, None]
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)


def _counted(per_image: PerImageCounts, truth: TruthCounts, scoring: str) -> NDArray[np.bool_] | None:
    """Which masks count as activation for each category."""
    if scoring == "pnas":
        return None
    if scoring == "paper":
        counted: NDArray[np.bool_] = truth.categories[per_image.image]
        return counted
    bits = np.unpackbits(per_image.overlap, axis=1, count=truth.categories.shape[1])
    return bits.astype(np.bool_)


def _scores(
    per_image: PerImageCounts,
    weights: NDArray[np.uint8],
    sums: NDArray[np.int64],
    category_of: NDArray[np.int64],
    counted: NDArray[np.bool_] | None,
    places: NDArray[np.int64],
    rows: slice,
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]]:
    units = rows.stop - rows.start
    resamples = weights.shape[1]
    scores = (
        np.empty((units, resamples), np.float64),
        np.empty((units, resamples), np.int32),
        np.empty((units, resamples), np.float64),
    )
    edges = np.linspace(0, units, 4 * threads + 1).astype(int).tolist()

    def part(first: int, last: int) -> None:
        iou, winner, best = scores
        resample_scores(
            per_image,
            weights,
            sums,
            category_of,
            counted,
            places,
            slice(rows.start + first, rows.start + last),
            (iou[first:last], winner[first:last], best[first:last]),
        )

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, edges[:-1], edges[1:]))
    return scores


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
