"""The images in which each unit is strongest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["TopImages"]


class TopImages:
    """The images with the largest activation of every unit; ties go to the lower image.

    Parameters
    ----------
    units : int
        Units of the layer.
    count : int
        How many images are kept per unit.

    Attributes
    ----------
    images : ndarray of int64, shape (units, count)
        Image numbers, strongest first.
    values : ndarray of float32, shape (units, count)
        Their largest activation.
    """

    def __init__(self, units: int, count: int) -> None:
        self.images: NDArray[np.int64] = np.full((units, count), np.iinfo(np.int64).max, np.int64)
        self.values: NDArray[np.float32] = np.full((units, count), -np.inf, np.float32)

    def update(self, first: int, maxima: NDArray[np.float32]) -> None:
        """Take in a batch.

        Parameters
        ----------
        first : int
            Number of the batch's first image.
        maxima : ndarray of float32, shape (n, units)
            Largest value of each map.
        """
        count = self.images.shape[1]
        if count == 0:
            return
        # Most batches bring nothing to most units.
        better = np.flatnonzero((maxima >= self.values[:, -1]).any(axis=0))
        if better.size == 0:
            return
        numbers = np.arange(first, first + maxima.shape[0], dtype=np.int64)
        values = np.concatenate([self.values[better], maxima.T[better]], axis=1)
        images = np.concatenate(
            [self.images[better], np.broadcast_to(numbers, (better.size, numbers.size))], axis=1
        )
        order = np.lexsort((images, -values), axis=1)[:, :count]
        self.values[better] = np.take_along_axis(values, order, axis=1)
        self.images[better] = np.take_along_axis(images, order, axis=1)

    def ranks(self, images: NDArray[np.int64], units: NDArray[np.int32]) -> NDArray[np.int64]:
        """Place of some images among the top images of some units.

        Parameters
        ----------
        images : ndarray of int64, shape (pairs,)
            Image numbers.
        units : ndarray of int32, shape (pairs,)
            Unit numbers.

        Returns
        -------
        ndarray of int64, shape (pairs,)
            From 0; -1 where the image is not one of the unit's top images.
        """
        if self.images.shape[1] == 0:
            return np.full(units.shape, -1, np.int64)
        same = self.images[units] == images[:, None]
        ranks: NDArray[np.int64] = np.where(same.any(axis=1), same.argmax(axis=1), -1)
        return ranks
