"""A sample of each unit's activations, for drawing their distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Samples"]


class Samples:
    """Activations of every unit at positions spread evenly over all images and cells.

    The positions follow from the sizes alone, so the sample does not depend on how the images come.

    Parameters
    ----------
    units : int
        Units of the layer.
    images : int
        How many images will come.
    cells : int
        Cells of a map.
    count : int
        Positions, if there are as many.

    Attributes
    ----------
    values : ndarray of float32, shape (positions, units)
        The sample, in the order of the positions; NaN where the image has not come yet.
    nbytes : int
        Bytes held at most, whatever the number of images.
    """

    def __init__(self, units: int, images: int, cells: int, count: int = 1024) -> None:
        positions = images * cells
        self.nbytes = 4 * count * units
        count = min(count, positions)
        # One in each of as many equal stretches; where in it is drawn, or a stretch that divides the map's
        # width would always meet the same columns.
        within = np.random.Generator(np.random.PCG64(0)).random(count)
        edges = np.arange(count + 1) * positions // count
        places = edges[:-1] + (within * np.diff(edges)).astype(np.int64)
        self._images, self._cells = np.divmod(places, cells)
        self.values: NDArray[np.float32] = np.full((count, units), np.nan, np.float32)

    def update(self, first: int, activations: NDArray[np.float32]) -> None:
        """Take in a batch.

        Parameters
        ----------
        first : int
            Number of the batch's first image.
        activations : ndarray of float32, shape (n, units, h, w)
        """
        n, units, h, w = activations.shape
        begin, end = np.searchsorted(self._images, (first, first + n))
        if begin < end:
            flat = activations.reshape(n, units, h * w)
            self.values[begin:end] = flat[self._images[begin:end] - first, :, self._cells[begin:end]]

    def merge(self, other: Samples) -> None:
        """Take in everything that another object made with the same parameters has taken in.

        Parameters
        ----------
        other : Samples
            Of other images. Not changed.
        """
        np.copyto(self.values, other.values, where=np.isnan(self.values))

    def sorted(self) -> NDArray[np.float32]:
        """Give the sample, ascending, shape (units, positions)."""
        return np.sort(self.values.T, axis=1)
