"""How high a unit scores by chance: its masks against the annotations of other images.

A unit whose masks have nothing to do with what the images show would do as well with the annotations of
other images. So images exchange their annotations. Each annotation stays whole: where its concepts lie, and
which occur together, does not change. Annotations may have different grids, so all of them are looked at on
one grid of points, which also makes a shuffle cheap. The observed pairing is scored on the same points.

What is compared is how surprising the overlap with the unit's best concept is, given how often such a mask
and such a concept meet by chance (`onnxdissect.statistics.overlap`). The IoU itself would not do: the best of
many rare concepts is often high by luck, which would hide what common ones show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.candidates import candidates
from onnxdissect.core.fingerprint import Fingerprint
from onnxdissect.core.kernels.labels.label_sample import SIDE, sample_labels
from onnxdissect.core.kernels.resampling.permute import CELLS, ShuffledCounts, best_scores, shuffle
from onnxdissect.core.per_image_counts import LabelSample, Null
from onnxdissect.core.plan import Plan
from onnxdissect.core.progress import Progress
from onnxdissect.core.sparse_maps import Annotations
from onnxdissect.core.spool.spool import Chunk
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.pass_state import PassResult
from onnxdissect.core.upsampling import interpolation_table
from onnxdissect.statistics.overlap import Overlaps, gamma_surprise

__all__ = ["NullCounts", "PermutationNull"]

# Images that take part at most. So many suffice to tell chance from a concept in bounded memory and time.
_SAMPLED = 8192
# Counts of shuffles held at a time. The masks of top images and samples of activations are in memory as well.
_COUNT_BYTES = 64 * 2**20


class PermutationNull:
    """Annotations that change places between images.

    Sampled images stand in a row, group by group. A shuffle puts the annotations of the groups into another
    order; then, for each unit, it moves the row of annotations on by a number of places of the unit's own,
    from its end back to its start. So the images of a group stay neighbours, and each unit has a pairing of
    its own.

    Parameters
    ----------
    plan : Plan
        What is dissected.
    count : int
        How many shuffles, at least 2.
    seed : int
        What they are drawn by.

    Attributes
    ----------
    permutations : ndarray of int32, shape (1 + count, sampled)
        The row of annotations: the sampled images' own at first, then shuffled.
    shifts : ndarray of int32, shape (1 + count, most units)
        How far it is moved on for each unit of a layer; not at all at first.
    images : ImageRanges
        Which images have been seen.
    fingerprint : Fingerprint
        That of the plan, of the number of shuffles and of the seed.
    """

    def __init__(self, plan: Plan, count: int, seed: int) -> None:
        self._plan = plan
        keys = np.random.Philox(key=np.array([seed, 2**64 - 1], np.uint64))
        sampled = np.sort(np.argsort(keys.random_raw(plan.images), kind="stable")[:_SAMPLED])
        groups = np.arange(plan.images) if plan.groups is None else plan.groups
        # Images of a group become neighbours, in their own order.
        self._order = np.argsort(groups[sampled], kind="stable")
        self._sampled_as = np.full(plan.images, -1, np.int64)
        self._sampled_as[sampled[self._order]] = np.arange(sampled.size)
        of = np.unique(groups[sampled[self._order]], return_inverse=True)[1]
        orders = [
            np.argsort(keys.random_raw(int(of[-1]) + 1).argsort(kind="stable").argsort()[of], kind="stable")
            for _ in range(count)
        ]
        self.permutations = np.stack([np.arange(sampled.size), *orders]).astype(np.int32)
        units = max(layer.units for layer in plan.layers)
        moved = keys.random_raw(count * units).reshape(count, units) % np.uint64(sampled.size)
        self.shifts = np.concatenate([np.zeros((1, units)), moved]).astype(np.int32)
        self._seen: dict[int, LabelSample] = {}
        self.images = ImageRanges()
        self.fingerprint = plan.fingerprint().plus({"null": count, "seed": seed})

    def see(self, start: int, annotations: Annotations) -> None:
        """Take in what a chunk of images shows; chunks may come in any order.

        Parameters
        ----------
        start : int
            Number of the first of them.
        annotations : Annotations

        Raises
        ------
        ImagesOverlapError
            If one of the images has been seen before.
        """
        self.images |= ImageRanges.of((start, start + len(annotations)))
        images = np.flatnonzero(self._sampled_as[start : start + len(annotations)] >= 0)
        self._seen[start] = sample_labels(annotations, self._plan.grids, images)

    def merge(self, other: PermutationNull) -> None:
        """Take in what another one made with the same parameters has been shown.

        Parameters
        ----------
        other : PermutationNull
            Of other images. Not changed.

        Raises
        ------
        RunMismatchError
            If the other was made with other parameters, naming them. Nothing is changed then.
        ImagesOverlapError
            If both have seen the same images, naming them. Nothing is changed then.
        """
        self.fingerprint.expect(other.fingerprint)
        self.images |= other.images
        self._seen |= other._seen

    def scores(self, passed: PassResult, progress: Progress) -> list[Null]:
        """Score every unit with its own annotations and with shuffled ones, once all images have been seen.

        Parameters
        ----------
        passed : PassResult
            What the pass left.
        progress : Progress

        Returns
        -------
        list of Null
            One per layer; only candidates for labels are looked at.
        """
        rounds, label_sample = self.rounds(), self.label_sample()
        progress.start("null", self._plan.images * len(rounds))
        counted = (self.count(passed, label_sample, shares, progress) for shares in rounds)
        found = self.score(passed, label_sample, counted)
        progress.finish()
        return found

    def bare(self) -> PermutationNull:
        """Give one that has been shown nothing, for a part of the images that one thread looks at.

        Returns
        -------
        PermutationNull
            It may be merged with this one.
        """
        bare = copy(self)
        bare._plan = replace(self._plan, threads=1)
        bare._seen, bare.images = {}, ImageRanges()
        return bare

    def rounds(self) -> list[list[tuple[int, slice]]]:
        """Cut all layers' units into shares for threads, and those into rounds that fit the memory."""
        vocabulary, row = self._plan.vocabulary, 4 * self.permutations.shape[0]
        unit_bytes = row * (len(vocabulary.concepts) + len(vocabulary.categories))
        unit_bytes += 8 * (SIDE**2 + CELLS**4)
        return list(_rounds(self._plan, len(self._plan.quantiles) * unit_bytes))

    def label_sample(self) -> LabelSample:
        """Give what the sampled images show, once all images have been seen."""
        return _joined([self._seen[start] for start in sorted(self._seen)], self._order)

    def count(
        self,
        passed: PassResult,
        label_sample: LabelSample,
        shares: Sequence[tuple[int, slice]],
        progress: Progress,
    ) -> NullCounts:
        """Count what the masks of some units meet, in all images or some.

        Parameters
        ----------
        passed : PassResult
            Its spool may be any iterable of chunks.
        label_sample : LabelSample
            Of all images.
        shares : sequence of (int, slice)
            A round.
        progress : Progress

        Returns
        -------
        NullCounts
            That of a whole spool is that of its parts, merged.
        """
        plan = self._plan
        points = np.array([[SIDE, SIDE]], np.int64)
        samplings = [
            interpolation_table(layer.shape, points, plan.pixels, layer.field) for layer in plan.layers
        ]
        pairings = self.permutations.shape[0]
        counted = tuple(
            _Share(layer, units, _no_counts(plan, units.stop - units.start, pairings))
            for layer, units in shares
        )

        def add(chunk: Chunk, share: _Share) -> None:
            shuffle(
                chunk.layers[share.layer],
                self._sampled_as[chunk.start : chunk.start + len(chunk)],
                self.permutations,
                self.shifts,
                label_sample,
                passed.thresholds[share.layer],
                samplings[share.layer],
                share.counts,
                share.units,
            )

        images = []
        with ThreadPoolExecutor(plan.threads) as pool:
            for chunk in passed.spool:
                list(pool.map(partial(add, chunk), counted))
                images.append((chunk.start, chunk.start + len(chunk)))
                progress.advance(len(chunk))
        thresholds = np.concatenate([of_layer.ravel() for of_layer in passed.thresholds])
        counted_with = {"shares": list(shares), "thresholds": thresholds}
        return NullCounts(ImageRanges.of(*images), counted, self.fingerprint.plus(counted_with))

    def score(
        self, passed: PassResult, label_sample: LabelSample, rounds: Iterable[NullCounts]
    ) -> list[Null]:
        """Make scores of counts.

        Parameters
        ----------
        passed : PassResult
        label_sample : LabelSample
        rounds : iterable of NullCounts
            Of all images, one per round. Overwritten.

        Returns
        -------
        list of Null
            One per layer.
        """
        plan, vocabulary = self._plan, self._plan.vocabulary
        others = ~candidates(passed.concept_images, plan.min_images)
        overlaps = Overlaps(label_sample, len(vocabulary.concepts))
        best, surprise = (
            [
                np.zeros((self.permutations.shape[0], len(plan.quantiles), layer.units), np.float64)
                for layer in plan.layers
            ]
            for _ in range(2)
        )
        for counted in rounds:
            for share in counted.shares:
                # A concept that is no candidate for a label must not be the best one.
                share.counts.intersection[..., others] = 0
                scores, labels = best_scores(
                    share.counts.intersection, share.counts.activation, overlaps.truth, vocabulary.category_of
                )
                best[share.layer][:, :, share.units] = scores.transpose(2, 0, 1)
                surprise[share.layer][:, :, share.units] = _surprise(share, labels, overlaps)
            # or the counts of this round would be held while the next is counted
            del share, counted
        return list(map(Null, best, surprise))


@dataclass(frozen=True, slots=True)
class _Share:
    layer: int
    units: slice
    counts: ShuffledCounts


def _no_counts(plan: Plan, units: int, shuffles: int) -> ShuffledCounts:
    shape = (len(plan.quantiles), units)
    vocabulary = plan.vocabulary
    return ShuffledCounts(
        np.zeros((*shape, shuffles, len(vocabulary.concepts)), np.int32),
        np.zeros((*shape, shuffles, len(vocabulary.categories)), np.int32),
        np.zeros((*shape, SIDE**2), np.int64),
        np.zeros((*shape, CELLS**2, CELLS**2), np.int64),
    )


@dataclass(slots=True)
class NullCounts:
    """What the masks of some units meet in some images, of their own and of shuffled annotations.

    Attributes
    ----------
    images : ImageRanges
        Whose masks were counted.
    shares : tuple
        Counts of each share of units.
    fingerprint : Fingerprint
        That of the null and of the round.
    """

    images: ImageRanges
    shares: tuple[_Share, ...]
    fingerprint: Fingerprint

    def merge(self, other: NullCounts) -> None:
        """Add the counts of other images.

        Parameters
        ----------
        other : NullCounts
            Of the same round. Not changed.

        Raises
        ------
        RunMismatchError
            If the other is of another round or another null, naming what differs. Nothing is changed then.
        ImagesOverlapError
            If both counted the same images, naming them. Nothing is changed then.
        """
        self.fingerprint.expect(other.fingerprint)
        self.images |= other.images
        for ours, theirs in zip(self.shares, other.shares, strict=True):
            for name, counted in ours.counts._asdict().items():
                counted += getattr(theirs.counts, name)


def _surprise(share: _Share, labels: NDArray[np.int32], overlaps: Overlaps) -> NDArray[np.float64]:
    """How surprising the overlap with each unit's best concept is, shape (1 + shuffles, Q, units)."""
    overlap, mean, variance = np.zeros((3, *labels.shape))
    pairings = np.arange(labels.shape[2])
    for q, unit in np.ndindex(labels.shape[:2]):
        chosen = np.maximum(labels[q, unit], 0)
        met = share.counts.intersection[q, unit, pairings, chosen]
        overlap[q, unit] = np.where(labels[q, unit] < 0, 0, met)
        moments = overlaps.moments(share.counts.points[q, unit], share.counts.cells[q, unit], chosen)
        mean[q, unit], variance[q, unit] = moments
    return gamma_surprise(overlap, mean, variance).transpose(2, 0, 1)


def _rounds(plan: Plan, unit_bytes: int) -> Iterator[list[tuple[int, slice]]]:
    most = max(1, _COUNT_BYTES // unit_bytes // plan.threads)
    shares = [
        (layer, slice(first, min(first + most, units.stop)))
        for layer, units in plan.shares()
        for first in range(units.start, units.stop, most)
    ]
    round_: list[tuple[int, slice]] = []
    units_held = 0
    for layer, units in shares:
        size = units.stop - units.start
        if round_ and (units_held + size) * unit_bytes > _COUNT_BYTES:
            yield round_
            round_, units_held = [], 0
        round_.append((layer, units))
        units_held += size
    if round_:
        yield round_


def _joined(parts: Sequence[LabelSample], order: NDArray[np.int64]) -> LabelSample:
    """Join what was seen, the sampled images in another order."""
    label_sets = np.concatenate([np.diff(part.label_set_starts) for part in parts])
    sizes = np.concatenate([np.diff(part.part_starts) for part in parts])
    first = np.concatenate([[0], np.cumsum(label_sets)])[:-1][order]
    label_sets = label_sets[order]
    label_set_starts = np.concatenate([[0], np.cumsum(label_sets)]).astype(np.int64)
    taken = _runs(first, label_sets)
    named = np.concatenate([[0], np.cumsum(sizes)])[:-1][taken]
    sizes = sizes[taken]
    return LabelSample(
        np.concatenate([part.labels for part in parts])[order],
        label_set_starts,
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.concatenate([part.parts for part in parts])[_runs(named, sizes)],
        np.concatenate([part.has_category for part in parts])[order],
    )


def _runs(first: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count up from each number so many times, one after the other."""
    ends = np.cumsum(sizes)
    return np.arange(int(sizes.sum())) + np.repeat(first - ends + sizes, sizes)
