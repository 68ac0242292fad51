"""Predictions with units removed, through the tail alone: many images and many ways of removing a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.class_scores.variants import class_scores
from onnxdissect.model.runtime.parts.network_parts import NetworkParts

__all__ = ["Predictions", "predict_without"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What is predicted of n images in V ways of removing units.

    Attributes
    ----------
    predicted : ndarray of int32, shape (V, n)
        Number of the class of the highest score.
    losses : ndarray of float32, shape (V, n)
        -log of the softmax of the class that the image shows, in nats.
    tails : int
        How many times an image went through the tail.
    """

    predicted: NDArray[np.int32]
    losses: NDArray[np.float32]
    tails: int


def predict_without(
    parts: NetworkParts,
    activations: NDArray[np.floating],
    truth: NDArray[np.int64],
    removed: NDArray[np.bool_],
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
    runner = _Runner(parts, activations, truth, len(removed))
    unchanged = runner.as_it_is()
    active = _active(runner.view) if skip else np.ones((len(truth), removed.shape[1]), np.bool_)
    for v, row in enumerate(removed):
        units = np.flatnonzero(row)
        rows = np.flatnonzero(active[:, units].any(axis=1))
        if len(rows) < len(truth):
            runner.fill(v, unchanged)
        if len(rows) == len(truth):
            runner.run_all(v, units)
        else:
            runner.add(v, rows, units)
    runner.flush()
    return Predictions(runner.predicted, runner.losses, runner.tails)


def _active(view: NDArray[Any]) -> NDArray[np.bool_]:
    """Which units of which images are not zero everywhere, shape (n, K)."""
    return np.asarray(view.reshape(*view.shape[:2], -1).any(axis=2))


class _Runner:
    """Fills batches with changed images, and puts what comes of them where it belongs."""

    def __init__(
        self, parts: NetworkParts, activations: NDArray[np.floating], truth: NDArray[np.int64], ways: int
    ) -> None:
        self.view = parts.units_first(activations)
        self.predicted = np.empty((ways, len(truth)), np.int32)
        self.losses = np.empty((ways, len(truth)), np.float32)
        self.tails = 0
        self._parts, self._activations, self._truth = parts, activations, truth
        self._waiting = np.empty_like(activations)
        self._places = np.empty((2, len(truth)), np.int64)
        self._count = 0

    def as_it_is(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        return self._predict(self._activations, self._truth)

    def fill(self, v: int, unchanged: tuple[NDArray[np.int32], NDArray[np.float32]]) -> None:
        self.predicted[v], self.losses[v] = unchanged

    def run_all(self, v: int, units: NDArray[np.int64]) -> None:
        """Run all images as one batch, changed where they lie: copying them takes as long as a small tail."""
        kept = self.view[:, units]
        self.view[:, units] = 0
        try:
            self.predicted[v], self.losses[v] = self._predict(self._activations, self._truth)
        finally:
            self.view[:, units] = kept

    def add(self, v: int, rows: NDArray[np.int64], units: NDArray[np.int64]) -> None:
        """Let some images wait until as many do as make a batch."""
        while len(rows):
            taken, rows = np.split(rows, [len(self._truth) - self._count])
            first, self._count = self._count, self._count + len(taken)
            waiting = self._parts.units_first(self._waiting)[first : self._count]
            waiting[:] = self.view[taken]
            waiting[:, units] = 0
            self._places[0, first : self._count] = v
            self._places[1, first : self._count] = taken
            if self._count == len(self._truth):
                self.flush()

    def flush(self) -> None:
        """Run those that wait."""
        if not self._count:
            return
        ways, rows = self._places[:, : self._count]
        batch = self._waiting[(slice(None),) * self._parts.image_axis + (slice(0, self._count),)]
        self.predicted[ways, rows], self.losses[ways, rows] = self._predict(batch, self._truth[rows])
        self._count = 0

    def _predict(
        self, activations: NDArray[np.floating], truth: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        scores = class_scores(self._parts, activations)
        self.tails += len(truth)
        highest = scores.max(axis=1)
        shown = np.take_along_axis(scores, truth[:, None], axis=1)[:, 0]
        with np.errstate(under="ignore"):
            total = np.log(np.exp(scores - highest[:, None]).sum(axis=1))
        return scores.argmax(axis=1).astype(np.int32), (total + highest - shown).astype(np.float32)
