"""How often each class is told right, and which is taken for which."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.confusions.records import ClassAccuracy, Estimate
from onnxdissect.statistics.proportions import wilson_interval

__all__ = ["class_accuracies", "confusion_counts", "share_of"]


def share_of(hits: int, of: int) -> Estimate:
    """Give a share of images with Wilson's interval.

    Parameters
    ----------
    hits, of : int

    Returns
    -------
    Estimate
        Of nothing, nothing.
    """
    if not of:
        return Estimate(None, None, None)
    low, high = wilson_interval(hits, of)
    return Estimate(hits / of, float(low), float(high))


def class_accuracies(
    shown: NDArray[np.int32], predicted: NDArray[np.int32], name: Callable[[int], str]
) -> tuple[ClassAccuracy, ...]:
    """Count the images of each class, and those told right.

    Parameters
    ----------
    shown, predicted : ndarray of int32, shape (images,)
        The class of each image, and the one predicted.
    name : callable
        Names a class.

    Returns
    -------
    tuple of ClassAccuracy
        Of every class that is among either, by number.
    """
    found = []
    for number in np.union1d(shown, predicted).tolist():
        images = int((shown == number).sum())
        right = int(((shown == number) & (predicted == number)).sum())
        times = int((predicted == number).sum())
        found.append(ClassAccuracy(number, name(number), images, right, share_of(right, images), times))
    return tuple(found)


def confusion_counts(shown: NDArray[np.int32], predicted: NDArray[np.int32]) -> list[tuple[int, int, int]]:
    """Count which class is taken for which other one.

    Parameters
    ----------
    shown, predicted : ndarray of int32, shape (images,)

    Returns
    -------
    list of (int, int, int)
        Class shown, class predicted, images; the most first, by number where there are equally many.
    """
    pairs = np.stack([shown, predicted])[:, shown != predicted]
    found, often = np.unique(pairs, axis=1, return_counts=True)
    counted = [(int(t), int(p), int(n)) for (t, p), n in zip(found.T, often, strict=True)]
    return sorted(counted, key=lambda one: (-one[2], one[0], one[1]))
