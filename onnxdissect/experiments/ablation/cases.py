"""The labelled images of an ablation: how many of each class, which rank units, and which measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.labelled_images import LabelledImages
from onnxdissect.errors import EmptyDataError, ParameterError, nearest, shown
from onnxdissect.experiments.class_scores.labelled import shown_classes
from onnxdissect.experiments.class_scores.scored_layer import ScoredLayer
from onnxdissect.wording import counted

__all__ = ["RANK_ON", "Cases", "choose_cases"]

RANK_ON = ("half", "all")
"""On which images units are ranked."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Labelled images, those that accuracies are measured on first.

    Attributes
    ----------
    images : LabelledImages
        What they are read from.
    positions : ndarray of int64, shape (N,)
        Which of them, in this order.
    truth : ndarray of int64, shape (N,)
        Number of the class that each shows, among those of the network.
    measured : int
        So many of the first ones are measured on.
    ranking : slice
        Which of the N units are ranked on.
    """

    images: LabelledImages
    positions: NDArray[np.int64]
    truth: NDArray[np.int64]
    measured: int
    ranking: slice

    @property
    def names(self) -> list[str]:
        """What they are called, in order."""
        return [self.images.names[i] for i in self.positions]

    @property
    def classes(self) -> NDArray[np.int64]:
        """Numbers of the classes that are shown, ascending."""
        return np.unique(self.truth)

    def read(self, i: int) -> NDArray[np.uint8]:
        """Read one.

        Parameters
        ----------
        i : int
            From 0 to N - 1.

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)

        Raises
        ------
        DataError
            If it cannot be read.
        """
        return self.images.read(int(self.positions[i]))


def choose_cases(
    images: LabelledImages, source: ScoredLayer, *, limit: int | None, rank_on: str, seed: int
) -> Cases:
    """Choose images, and divide them into those that rank units and those that measure.

    Parameters
    ----------
    images : LabelledImages
        All of them.
    source : ScoredLayer
        Whose classes they show.
    limit : int, optional
        At most so many: the first of each class, then the second of each, and so on.
    rank_on : str
        "half": of each class a random half of the images ranks units, the other half measures. "all": all
        do both, which flatters the ranking.
    seed : int
        Of the halves.

    Returns
    -------
    Cases

    Raises
    ------
    ParameterError
        If there is no such way to divide them, the limit is too low, or an image shows no class of the
        network.
    EmptyDataError
        If they show fewer than two classes, or one of them too seldom.
    """
    if rank_on not in RANK_ON:
        raise ParameterError(
            f"units are not ranked on {shown(rank_on)}", candidates=nearest(rank_on, RANK_ON) or RANK_ON
        )
    if limit is not None and limit < 1:
        raise ParameterError(f"the number of images cannot be {limit}", hint="--limit 1000")
    truth = shown_classes(images, source.scores, source.names)
    places = _places(truth)
    kept = np.arange(len(truth))
    if limit is not None and limit < len(truth):
        kept = np.sort(np.lexsort((kept, places))[:limit])
        truth = truth[kept]
    _expect_several(images, truth, source, limit)
    if rank_on == "all":
        return Cases(images, kept, truth, len(kept), slice(0, len(kept)))
    _expect_halves(images, truth, source, limit)
    measures = _halves(truth, seed)
    order = np.concatenate([np.flatnonzero(measures), np.flatnonzero(~measures)])
    count = int(measures.sum())
    return Cases(images, kept[order], truth[order], count, slice(count, len(order)))


def _places(truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the images of each class from 0."""
    places = np.empty(len(truth), np.int64)
    for number in np.unique(truth):
        own = np.flatnonzero(truth == number)
        places[own] = np.arange(len(own))
    return places


def _halves(truth: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Of each class choose half of the images, one more where their number is odd."""
    rng = np.random.default_rng([seed, 1])
    chosen = np.zeros(len(truth), np.bool_)
    for number in np.unique(truth):
        own = rng.permutation(np.flatnonzero(truth == number))
        chosen[own[: (len(own) + 1) // 2]] = True
    return chosen


def _expect_several(
    images: LabelledImages, truth: NDArray[np.int64], source: ScoredLayer, limit: int | None
) -> None:
    found = np.unique(truth)
    if len(found) > 1:
        return
    name = source.class_name(int(found[0]))
    if limit is not None and len(set(images.classes)) > 1:
        raise ParameterError(
            f"the first image of {images.source} shows {shown(name)}, and nothing else is kept by a limit of "
            f"{limit}",
            hint=f"--limit {10 * len(set(images.classes))} takes ten images of each class",
        )
    raise EmptyDataError(
        f"all {counted(len(truth), 'image')} of {images.source} show {shown(name)}: whether the network "
        "tells it from other classes needs images of others",
        hint="add images of at least one other class, in a folder or under a name of its own",
    )


def _expect_halves(
    images: LabelledImages, truth: NDArray[np.int64], source: ScoredLayer, limit: int | None
) -> None:
    found, often = np.unique(truth, return_counts=True)
    if often.min() < 2:
        name = source.class_name(int(found[int(often.argmin())]))
        kept = "" if limit is None or limit >= len(images) else f" that a limit of {limit} keeps"
        raise EmptyDataError(
            f"only one image of {images.source}{kept} shows {shown(name)}, and of each class half of the "
            "images rank units while the other half measures",
            hint=f"--limit {10 * len(found)} takes ten images of each class, where there are as many"
            if kept
            else "add images of this class, or --rank-on all, which ranks and measures on the same images",
        )
