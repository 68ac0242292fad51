"""Accuracies of classes, and their intervals over resampled images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.statistics.resamples import resample_weights

__all__ = ["ClassRates", "Resampled", "areas", "class_rates", "interval", "mean_ranks", "resampled_images"]

_LEVELS = (0.025, 0.975)
_MOST_SEEDS = 2**64


@dataclass(frozen=True, slots=True)
class ClassRates:
    """What is predicted of each class, in V ways of removing units; C classes.

    Attributes
    ----------
    top1 : ndarray of float64, shape (V, C)
        Share of the class's images for which it is predicted.
    false_positives : ndarray of float64, shape (V, C)
        Share of all other images for which it is.
    log_loss : ndarray of float64, shape (V, C)
        Mean over the class's images, in nats.
    """

    top1: NDArray[np.float64]
    false_positives: NDArray[np.float64]
    log_loss: NDArray[np.float64]

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Balanced, one against the rest: mean of true positive rate and true negative rate; (V, C)."""
        return (self.top1 + 1.0 - self.false_positives) / 2.0


def class_rates(
    predicted: NDArray[np.int64], losses: NDArray[np.floating], truth: NDArray[np.int64], classes: int
) -> ClassRates:
    """Count predictions class by class.

    Parameters
    ----------
    predicted : ndarray of int64, shape (V, M)
        Position of the class predicted for each image, -1 for one that no image shows.
    losses : ndarray of float, shape (V, M)
        Log-loss of each image.
    truth : ndarray of int64, shape (M,)
        Position of the class that each image shows.
    classes : int
        How many there are; each is shown by an image, and at least two are.

    Returns
    -------
    ClassRates
    """
    shape = (len(predicted), classes)
    top1, false_positives, log_loss = (np.empty(shape) for _ in range(3))
    images = np.bincount(truth, minlength=classes)
    for v, row in enumerate(predicted):
        right = np.bincount(truth[row == truth], minlength=classes)
        told = np.bincount(row[row >= 0], minlength=classes)
        top1[v] = right / images
        false_positives[v] = (told - right) / (len(truth) - images)
        log_loss[v] = np.bincount(truth, losses[v].astype(np.float64), minlength=classes) / images
    return ClassRates(top1, false_positives, log_loss)


@dataclass(frozen=True, slots=True)
class Resampled:
    """Images drawn again and again, with replacement, as many of each class as there are; B resamples.

    Attributes
    ----------
    truth : ndarray of int64, shape (M,)
        Position of the class that each image shows.
    order : ndarray of int64, shape (M,)
        Images class by class.
    firsts : ndarray of int64, shape (C,)
        Where each class begins in this order.
    weights : ndarray of uint8, shape (B, M)
        How often each resample holds each image, in this order.
    """

    truth: NDArray[np.int64]
    order: NDArray[np.int64]
    firsts: NDArray[np.int64]
    weights: NDArray[np.uint8]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Images of each class, shape (C,)."""
        return np.diff(np.append(self.firsts, len(self.order)))

    def rates(
        self, predicted: NDArray[np.int64], among: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Measure one way of removing units in every resample.

        Parameters
        ----------
        predicted : ndarray of int64, shape (M,)
            Position of the class predicted for each image, -1 for one that no image shows.
        among : int, optional
            Only this class, by position; by default all.

        Returns
        -------
        top1, accuracy : ndarray of float64, shape (B, C) or (B, 1)
        """
        told, truth = predicted[self.order], self.truth[self.order]
        if among is None:
            right, wrong = self._of_all(told, truth)
            sizes = self.sizes
        else:
            own, said = truth == among, told == among
            right, wrong = self._weight(own & said)[:, None], self._weight(said & ~own)[:, None]
            sizes = self.sizes[[among]]
        top1 = right / sizes
        return top1, (top1 + 1.0 - wrong / (len(self.order) - sizes)) / 2.0

    def _of_all(
        self, told: NDArray[np.int64], truth: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Weigh what is predicted rightly and wrongly, of all classes at once."""
        right = np.add.reduceat(self.weights * (told == truth), self.firsts, axis=1, dtype=np.int64)
        wrong = np.zeros_like(right)
        mistaken = np.flatnonzero((told != truth) & (told >= 0))
        mistaken = mistaken[np.argsort(told[mistaken], kind="stable")]
        classes, firsts = np.unique(told[mistaken], return_index=True)
        if len(classes):
            wrong[:, classes] = np.add.reduceat(self.weights[:, mistaken], firsts, axis=1, dtype=np.int64)
        return right, wrong

    def _weight(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.asarray(self.weights[:, np.flatnonzero(chosen)].sum(axis=1, dtype=np.int64))


def resampled_images(truth: NDArray[np.int64], resamples: int, seed: int) -> Resampled | None:
    """Draw images again, class by class, so that none is ever without images.

    Parameters
    ----------
    truth : ndarray of int64, shape (M,)
        Position of the class that each image shows; every class is shown.
    resamples : int
        How many; 0 for none.
    seed : int
        Of all draws.

    Returns
    -------
    Resampled or None
        None without resamples.
    """
    if not resamples:
        return None
    order = np.argsort(truth, kind="stable")
    sizes = np.bincount(truth)
    weights = np.empty((resamples, len(truth)), np.uint8)
    firsts = np.cumsum(sizes) - sizes
    for number, columns in enumerate(_columns(sizes)):
        # a generator of its own for each class: those of equal size would be drawn alike
        own_seed = (seed * 1_000_003 + number) % _MOST_SEEDS
        blocks = list(resample_weights(int(sizes[number]), resamples, own_seed))
        weights[:, columns] = np.concatenate(blocks)
    return Resampled(truth, order, firsts, weights)


def areas(
    own_scores: NDArray[np.floating],
    scores: NDArray[np.floating],
    of_class: NDArray[np.int64],
    truth: NDArray[np.int64],
    classes: int,
) -> NDArray[np.float64]:
    """Measure how well scores alone tell each class from all others, whatever is predicted.

    Parameters
    ----------
    own_scores : ndarray of float, shape (O, M)
        In each way that has a class of its own, the scores of that class.
    scores : ndarray of float, shape (A, M, C)
        In each other way, those of all classes.
    of_class : ndarray of int64, shape (O + A,)
        Position of the class of each way, -1 for none.
    truth : ndarray of int64, shape (M,)
        Position of the class that each image shows.
    classes : int
        C; each is shown by an image, and at least two are.

    Returns
    -------
    ndarray of float64, shape (O + A, C)
        Area under the ROC curve: how often an image of the class has a higher score of it than another image,
        equal scores counting half. NaN for other classes than a way's own.
    """
    found = np.full((len(of_class), classes), np.nan)
    alone, others = np.flatnonzero(of_class >= 0), np.flatnonzero(of_class < 0)
    for place, v in enumerate(alone):
        found[v, of_class[v]] = _area(own_scores[place], truth == of_class[v])
    for place, v in enumerate(others):
        for number in range(classes):
            found[v, number] = _area(scores[place, :, number], truth == number)
    return found


def _area(scores: NDArray[np.floating], own: NDArray[np.bool_]) -> float:
    count = int(own.sum())
    above = mean_ranks(scores)[own].sum() - count * (count - 1) / 2
    return float(above / (count * (len(own) - count)))


def mean_ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rank values from 0; equal ones share the mean of their ranks.

    Parameters
    ----------
    values : ndarray of float, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    _, which, often = np.unique(values, return_inverse=True, return_counts=True)
    firsts = np.cumsum(often) - often
    return np.asarray((firsts + (often - 1) / 2)[which])


def _columns(sizes: NDArray[np.int64]) -> Iterator[slice]:
    first = 0
    for size in sizes.tolist():
        yield slice(first, first + size)
        first += size


def interval(values: NDArray[np.float64] | None) -> tuple[float, float] | tuple[None, None]:
    """Give the middle 95 % of what resamples measure.

    Parameters
    ----------
    values : ndarray of float64, shape (B,), or None

    Returns
    -------
    low, high : float or None
        None without resamples.
    """
    if values is None:
        return None, None
    low, high = np.quantile(values, _LEVELS)
    return float(low), float(high)
