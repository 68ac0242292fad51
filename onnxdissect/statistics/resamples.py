"""Resamples of a run's images, and what units score in each of them: the walk that every bootstrap takes.

A resample draws as many images as there are, with replacement, or as many groups of images. Intervals and
stabilities (`onnxdissect.statistics.bootstrap`), comparisons of two runs (`onnxdissect.statistics.paired`)
and the intervals in the report all come from this walk, and from the same resamples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.resampling.resample import resample_scores, resample_truth
from onnxdissect.core.per_image_counts import PerImageCounts, PerImageCountsPart, TruthCounts
from onnxdissect.core.scoring import check_scoring
from onnxdissect.machine import cores

__all__ = ["ResampledUnits", "Resamples", "UniqueDetectors", "resample_weights"]

# How many resamples are drawn from one state of the generator. Changing it changes what a seed draws.
_DRAWN = 64
# Weights that are kept in memory; those of more images are drawn again for each walk.
_KEPT_BYTES = 128 * 2**20
# Scores of units that are in memory at a time. Intervals are made of sorted copies of them.
_STEP_BYTES = 32 * 2**20
# What one unit takes in one resample: an IoU for each top concept; a winner and its IoU.
_CONCEPT_BYTES, _WINNER_BYTES = 8, 12


def resample_weights(
    images: int, resamples: int, seed: int, groups: NDArray[np.int64] | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Draw images with replacement, as many as there are, again and again; or whole groups of them.

    Two runs over the same images that are given the same seed get the same resamples, so that they can be
    compared resample by resample.

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
        How often each of the next resamples holds each image. A resample depends only on the seed, on n, on
        the groups and on its own number.
    """
    if groups is not None:
        for drawn in resample_weights(int(groups.max(initial=-1)) + 1, resamples, seed):
            yield np.ascontiguousarray(drawn[:, groups])
        return
    for block, first in enumerate(range(0, resamples, _DRAWN)):
        count = min(_DRAWN, resamples - first)
        raw = np.random.Philox(key=np.array([seed, block], np.uint64)).random_raw(count * images)
        # The upper half of each random number, scaled to 0..n-1, is an image.
        drawn = ((raw >> np.uint64(32)) * np.uint64(images)) >> np.uint64(32)
        drawn += np.repeat(np.arange(count, dtype=np.uint64) * np.uint64(images), images)
        often = np.bincount(drawn.astype(np.int64), minlength=count * images)
        # How often an image is drawn is nearly Poisson of mean 1: that it exceeds 255 is out of the question.
        yield often.astype(np.uint8).reshape(count, images)


@dataclass(frozen=True, slots=True)
class ResampledUnits:
    """What some units of a layer score in every resample, at one quantile.

    Attributes
    ----------
    quantile : int
        Its position.
    units : slice
        Consecutive ones.
    top_concepts : ndarray of int64, shape (units, R)
        The concepts that were counted image by image, -1 where there are fewer.
    iou : ndarray of float64, shape (units, R, B)
        Of each of them; NaN where there are fewer.
    winner : ndarray of int32, shape (units, B)
        The top concept of highest IoU, the lowest on a tie; -1 where no IoU is above 0.
    best : ndarray of float64, shape (units, B)
        Its IoU.
    """

    quantile: int
    units: slice
    top_concepts: NDArray[np.int64]
    iou: NDArray[np.float64]
    winner: NDArray[np.int32]
    best: NDArray[np.float64]

    def places(self, concepts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find one concept of each unit among its top concepts.

        Parameters
        ----------
        concepts : ndarray of int64, shape (units,)
            -1 for none.

        Returns
        -------
        ndarray of int64, shape (units,)
            Positions on the axis R, -1 where it is none of them.
        """
        if self.top_concepts.shape[1] == 0:
            return np.full(len(concepts), -1, np.int64)
        same = (self.top_concepts == concepts[:, None]) & (concepts >= 0)[:, None]
        return np.where(same.any(axis=1), same.argmax(axis=1), -1)

    def iou_of(self, concepts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give what one concept of each unit scores.

        Parameters
        ----------
        concepts : ndarray of int64, shape (units,)
            -1 for none.

        Returns
        -------
        ndarray of float64, shape (units, B)
            NaN where the concept is not among the unit's top concepts.
        """
        places = self.places(concepts)
        found = np.full(self.best.shape, np.nan)
        known = np.flatnonzero(places >= 0)
        found[known] = self.iou[known, places[known]]
        return found


class Resamples:
    """Resamples of a run's images, to be walked over for any number of its layers.

    Parameters
    ----------
    truth : TruthCounts
        Of the n images.
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.
    count : int
        How many resamples are drawn, at least 1.
    seed : int
        As for `resample_weights`.
    whole : bool
        Whether the data set itself, every image once, comes before the resamples.
    threads : int, optional
        By default as many as there are cores. Results do not depend on it.

    Attributes
    ----------
    whole : bool
        As it was given.
    size : int
        B, how many resamples there are, the data set itself included where it comes first.
    concepts : int
        C.
    """

    def __init__(
        self,
        truth: TruthCounts,
        category_of: NDArray[np.int64],
        count: int,
        seed: int,
        *,
        whole: bool = False,
        threads: int | None = None,
    ) -> None:
        self._truth = truth
        self._category_of = category_of
        self._count = count
        self._seed = seed
        self._images = truth.starts.size - 1
        self._threads = threads or cores()
        self.whole = whole
        self.size = count + whole
        self.concepts = category_of.size
        self._kept: list[NDArray[np.uint8]] | None = None
        if self._images * self.size <= _KEPT_BYTES:
            self._kept = [np.concatenate(list(self._weights()), axis=1)]
        self._sums = [resample_truth(truth, weights, self.concepts) for weights in self._weights()]

    def walk(self, parts: Iterable[PerImageCountsPart], scoring: str) -> Iterator[ResampledUnits]:
        """Score the units of a layer in all resamples.

        Parameters
        ----------
        parts : iterable of PerImageCountsPart
            All of the layer or some of it, however it is cut.
        scoring : {"paper", "lite", "pnas"}
            Which images' masks are divided by.

        Yields
        ------
        ResampledUnits
            A few units at a time, in the order of the parts.

        Raises
        ------
        ParameterError
            If there is no such convention.
        """
        check_scoring(scoring)
        for part in parts:
            top_concepts = part.per_image.top_concepts[0]
            cell = _CONCEPT_BYTES * top_concepts.shape[1] + _WINNER_BYTES
            step = max(1, _STEP_BYTES // (cell * self.size))
            counted = _counted(part.per_image, self._truth, scoring)
            for first in range(0, len(top_concepts), step):
                rows = slice(first, min(first + step, len(top_concepts)))
                scores = self._scores(part.per_image, counted, rows)
                units = slice(part.units.start + rows.start, part.units.start + rows.stop)
                yield ResampledUnits(part.quantile, units, top_concepts[rows], *scores)

    def _scores(
        self,
        per_image: PerImageCounts,
        counted: NDArray[np.bool_] | None,
        rows: slice,
    ) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]]:
        blocks = [
            self._scores_of_block(per_image, weights, sums, counted, rows)
            for weights, sums in zip(self._weights(), self._sums, strict=True)
        ]
        if len(blocks) == 1:
            return blocks[0]
        iou, winner, best = (np.concatenate(of_blocks, axis=-1) for of_blocks in zip(*blocks, strict=True))
        return iou, winner, best

    def _scores_of_block(
        self,
        per_image: PerImageCounts,
        weights: NDArray[np.uint8],
        sums: NDArray[np.int64],
        counted: NDArray[np.bool_] | None,
        rows: slice,
    ) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]]:
        shape = rows.stop - rows.start, weights.shape[1]
        iou = np.full((shape[0], per_image.top_concepts.shape[2], shape[1]), np.nan)
        winner, best = np.empty(shape, np.int32), np.empty(shape)

        def score(first: int, last: int) -> None:
            resample_scores(
                per_image,
                weights,
                sums,
                self._category_of,
                counted,
                slice(rows.start + first, rows.start + last),
                (iou[first:last], winner[first:last], best[first:last]),
            )

        edges = np.linspace(0, shape[0], 4 * self._threads + 1).astype(int).tolist()
        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(score, edges[:-1], edges[1:]))
        return iou, winner, best

    def _weights(self) -> Iterator[NDArray[np.uint8]]:
        """Give the weights block by block, each of shape (n, resamples of the block)."""
        if self._kept is not None:
            yield from self._kept
            return
        if self.whole:
            yield np.ones((self._images, 1), np.uint8)
        for block in resample_weights(self._images, self._count, self._seed, self._truth.groups):
            yield np.ascontiguousarray(block.T)


class UniqueDetectors:
    """How many different concepts the detectors of a layer have in each resample.

    Parameters
    ----------
    quantiles : int
        How many there are, Q.
    resamples : Resamples
        Whose walk is counted.
    iou_threshold : float
        A unit is a detector if its IoU is larger.
    """

    def __init__(self, quantiles: int, resamples: Resamples, iou_threshold: float) -> None:
        self._found = np.zeros((quantiles, resamples.size, resamples.concepts), np.bool_)
        self._iou_threshold = iou_threshold

    def add(self, units: ResampledUnits) -> None:
        """Take in some units.

        Parameters
        ----------
        units : ResampledUnits
        """
        unit, resample = np.nonzero(units.best > self._iou_threshold)
        self._found[units.quantile, resample, units.winner[unit, resample]] = True

    def counts(self) -> NDArray[np.int64]:
        """Count the concepts of all units taken in.

        Returns
        -------
        ndarray of int64, shape (Q, B)
        """
        return np.asarray(self._found.sum(axis=2), np.int64)

    def counts_by_category(self, category_of: NDArray[np.int64], categories: int) -> NDArray[np.int64]:
        """Count them by primary category; the sum over the categories is `counts`.

        Parameters
        ----------
        category_of : ndarray of int64, shape (C,)
            Primary category of each concept.
        categories : int
            G.

        Returns
        -------
        ndarray of int64, shape (Q, G, B)
        """
        counted = [self._found[:, :, category_of == g].sum(axis=2) for g in range(categories)]
        return np.stack(counted, axis=1).astype(np.int64)


def _counted(per_image: PerImageCounts, truth: TruthCounts, scoring: str) -> NDArray[np.bool_] | None:
    """Tell which masks count as activation for each category, shape (E, G); None if all of them do."""
    if scoring == "pnas":
        return None
    if scoring == "paper":
        counted: NDArray[np.bool_] = truth.categories[per_image.image]
        return counted
    bits = np.unpackbits(per_image.overlap, axis=1, count=truth.categories.shape[1])
    return bits.astype(np.bool_)
