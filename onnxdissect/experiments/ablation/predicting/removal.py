"""Predictions with units removed, through the tail alone: many images and many ways of removing a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.class_scores.variants import finite_scores
from onnxdissect.model.runtime.parts.network_parts import NetworkParts

__all__ = ["KeptScores", "Predictions", "predict_without"]


@dataclass(frozen=True, slots=True)
class KeptScores:
    """Which scores are kept beside the predictions.

    Attributes
    ----------
    own : ndarray of int64, shape (V,)
        In each way of removing units the number of the only class whose scores are kept; -1 for `classes`.
    classes : ndarray of int64, shape (C,)
        Numbers of the classes that the images show.
    """

    own: NDArray[np.int64]
    classes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What is predicted of n images in V ways of removing units.

    Attributes
    ----------
    predicted : ndarray of int32, shape (V, n)
        Number of the class of the highest score.
    losses : ndarray of float32, shape (V, n)
        -log of the softmax of the class that the image shows, in nats.
    own_scores : ndarray of float32, shape (O, n)
        In each way that has a class of its own, the scores of that class.
    scores : ndarray of float32, shape (A, n, C)
        In each other way, those of all classes that are kept.
    tails : int
        How many times an image went through the tail.
    """

    predicted: NDArray[np.int32]
    losses: NDArray[np.float32]
    own_scores: NDArray[np.float32]
    scores: NDArray[np.float32]
    tails: int


def predict_without(
    parts: NetworkParts,
    activations: NDArray[np.floating],
    truth: NDArray[np.int64],
    removed: NDArray[np.bool_],
    kept: KeptScores | None = None,
    *,
    skip: bool = True,
) -> Predictions:
    """Remove units of some images, and predict.

    Parameters
    ----------
    parts : NetworkParts
        Whose first output holds the scores.
    activations : ndarray
        Of n images, in the file's own layout, which the tail takes at once. Changed while this runs, and then
        as they were.
    truth : ndarray of int64, shape (n,)
        Number of the class that each image shows.
    removed : ndarray of bool, shape (V, K)
        Units to set to zero, in every way.
    kept : KeptScores, optional
        By default no scores are kept.
    skip : bool
        An image is not run again where all the units to remove are zero everywhere: it is predicted as it is.

    Returns
    -------
    Predictions

    Raises
    ------
    NonFiniteError
        If a score is not finite.
    """
    runner = _Runner(parts, activations, truth, len(removed), kept)
    unchanged = runner.predict(activations, truth)
    active = _active(runner.view) if skip else np.ones((len(truth), removed.shape[1]), np.bool_)
    everywhere = np.arange(len(truth))
    for v, row in enumerate(removed):
        units = np.flatnonzero(row)
        rows = np.flatnonzero(active[:, units].any(axis=1))
        if len(rows) == len(truth):
            runner.run_all(v, units)
            continue
        runner.put(np.full(len(truth), v), everywhere, unchanged)
        runner.add(v, rows, units)
    runner.flush()
    return runner.predictions()


def _active(view: NDArray[Any]) -> NDArray[np.bool_]:
    """Which units of which images are not zero everywhere, shape (n, K)."""
    return np.asarray(view.reshape(*view.shape[:2], -1).any(axis=2))


_Predicted = tuple[NDArray[np.int64], NDArray[np.floating], NDArray[np.floating]]


class _Runner:
    """Fills batches with changed images, and puts what comes of them where it belongs."""

    def __init__(
        self,
        parts: NetworkParts,
        activations: NDArray[np.floating],
        truth: NDArray[np.int64],
        ways: int,
        kept: KeptScores | None,
    ) -> None:
        self.view = parts.units_first(activations)
        self._parts, self._activations, self._truth = parts, activations, truth
        self._tails = 0
        count = len(truth)
        self._predicted = np.empty((ways, count), np.int32)
        self._losses = np.empty((ways, count), np.float32)
        self._kept = kept
        own = np.zeros(0, np.int64) if kept is None else kept.own
        # where scores of each way are kept, among those of one class and among those of all
        self._places = np.where(own >= 0, np.cumsum(own >= 0), np.cumsum(own < 0)) - 1
        self._own_scores = np.empty((int((own >= 0).sum()), count), np.float32)
        classes = 0 if kept is None else len(kept.classes)
        self._scores = np.empty((int((own < 0).sum()), count, classes), np.float32)
        self._waiting = np.empty_like(activations)
        self._ways, self._rows = np.empty((2, count), np.int64)
        self._count = 0

    def run_all(self, v: int, units: NDArray[np.int64]) -> None:
        """Run all images as one batch, changed where they lie: copying them takes as long as a small tail."""
        at = slice(units[0], units[0] + 1) if len(units) == 1 else units
        kept = self.view[:, at].copy()
        self.view[:, at] = 0
        try:
            found = self.predict(self._activations, self._truth)
        finally:
            self.view[:, at] = kept
        self.put(np.full(len(self._truth), v), np.arange(len(self._truth)), found)

    def add(self, v: int, rows: NDArray[np.int64], units: NDArray[np.int64]) -> None:
        """Let some images wait until as many do as make a batch."""
        while len(rows):
            taken, rows = np.split(rows, [len(self._truth) - self._count])
            first, self._count = self._count, self._count + len(taken)
            self._copy(taken, slice(first, self._count))
            self._parts.units_first(self._waiting)[first : self._count, units] = 0
            self._ways[first : self._count] = v
            self._rows[first : self._count] = taken
            if self._count == len(self._truth):
                self.flush()

    def _copy(self, rows: NDArray[np.int64], places: slice) -> None:
        if self._parts.image_axis == 0:
            # rows are within the array: without a mode each would be copied twice
            np.take(self._activations, rows, axis=0, out=self._waiting[places], mode="clip")
        else:
            self._parts.units_first(self._waiting)[places] = self.view[rows]

    def flush(self) -> None:
        """Run those that wait."""
        if not self._count:
            return
        ways, rows = self._ways[: self._count], self._rows[: self._count]
        batch = self._waiting[(slice(None),) * self._parts.image_axis + (slice(0, self._count),)]
        self.put(ways, rows, self.predict(batch, self._truth[rows]))
        self._count = 0

    def predict(self, activations: NDArray[np.floating], truth: NDArray[np.int64]) -> _Predicted:
        scores = finite_scores(self._parts, activations)
        self._tails += len(truth)
        images = np.arange(len(truth))
        predicted = scores.argmax(axis=1)
        below = scores - scores[images, predicted][:, None]
        shown = below[images, truth]
        with np.errstate(under="ignore"):
            total = np.log(np.exp(below, out=below).sum(axis=1))
        return predicted, total - shown, scores

    def put(self, ways: NDArray[np.int64], rows: NDArray[np.int64], found: _Predicted) -> None:
        predicted, losses, scores = found
        self._predicted[ways, rows], self._losses[ways, rows] = predicted, losses
        if self._kept is None:
            return
        own, places = self._kept.own[ways], self._places[ways]
        alone, others = np.flatnonzero(own >= 0), np.flatnonzero(own < 0)
        self._own_scores[places[alone], rows[alone]] = scores[alone, own[alone]]
        self._scores[places[others], rows[others]] = scores[others][:, self._kept.classes]

    def predictions(self) -> Predictions:
        return Predictions(self._predicted, self._losses, self._own_scores, self._scores, self._tails)
