"""The images in which each unit is strongest."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.activations.top import insert

__all__ = ["TopImages"]

# The maps of a layer are stored with half the rows and columns, or a quarter, until they take no more than
# this. They are only drawn in the report, where a coarser map is good enough.
_MAP_BYTES = 16 * 2**20


class TopImages:
    """The images with the largest activation of every unit; ties go to the lower image.

    Parameters
    ----------
    units : int
        Units of the layer.
    count : int
        How many images are kept per unit.
    shape : tuple of int
        (h, w) of the layer.

    Attributes
    ----------
    images : ndarray of int64, shape (units, count)
        Image numbers, strongest first.
    values : ndarray of float32, shape (units, count)
        Their largest activation.
    """

    def __init__(self, units: int, count: int, shape: tuple[int, int]) -> None:
        self.images: NDArray[np.int64] = np.full((units, count), np.iinfo(np.int64).max, np.int64)
        self.values: NDArray[np.float32] = np.full((units, count), -np.inf, np.float32)
        # Where in `_maps` and `_ranges` the map of each image is. When an image moves to another rank, only
        # its slot is moved, not its map.
        self._slots = np.tile(np.arange(count, dtype=np.int64), (units, 1))
        step = 1
        while units * count * -(-shape[0] // step) * -(-shape[1] // step) > _MAP_BYTES:
            step *= 2
        self._maps: NDArray[np.uint8] = np.zeros(
            (units, count, -(-shape[0] // step), -(-shape[1] // step)), np.uint8
        )
        self._ranges = np.zeros((units, count, 2), np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes held; constant over the pass."""
        return self._maps.nbytes + self._ranges.nbytes + self.images.nbytes + self.values.nbytes

    def update(self, first: int, activations: NDArray[np.float32], maxima: NDArray[np.float32]) -> None:
        """Take in a batch.

        Parameters
        ----------
        first : int
            Number of the batch's first image.
        activations : ndarray of float32, shape (n, units, h, w)
            Finite activations.
        maxima : ndarray of float32, shape (n, units)
            Largest value of each map.
        """
        insert(activations, maxima, first, self.images, self.values, self._slots, self._maps, self._ranges)

    def merge(self, other: TopImages) -> None:
        """Take in everything that another object made with the same parameters has taken in.

        Parameters
        ----------
        other : TopImages
            Of other images. Not changed.
        """
        count = self.images.shape[1]
        images = np.concatenate([self.images, other.images], axis=1)
        values = np.concatenate([self.values, other.values], axis=1)
        first = np.lexsort((images, -values), axis=1)[:, :count]
        for unit, order in enumerate(first):
            maps = np.concatenate(
                [self._maps[unit, self._slots[unit]], other._maps[unit, other._slots[unit]]]
            )
            ranges = np.concatenate(
                [self._ranges[unit, self._slots[unit]], other._ranges[unit, other._slots[unit]]]
            )
            self._maps[unit], self._ranges[unit] = maps[order], ranges[order]
        self._slots[:] = np.arange(count)
        self.images = np.take_along_axis(images, first, axis=1)
        self.values = np.take_along_axis(values, first, axis=1)

    def maps(self) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        """Activation maps of the top images, for looking at.

        Returns
        -------
        maps : ndarray of uint8, shape (units, count, rows, columns)
            In the order of `images`; a value is ``low + maps / 255 * (high - low)``. The rows and columns of
            the layer, or where these would be too much to hold, the largest values of squares of them.
        low, high : ndarray of float32, shape (units, count)
            Smallest and largest value of each map.
        """
        ranges = np.take_along_axis(self._ranges, self._slots[:, :, None], axis=1)
        maps = np.take_along_axis(self._maps, self._slots[:, :, None, None], axis=1)
        return maps, ranges[:, :, 0], ranges[:, :, 1]

    def without_maps(self) -> TopImages:
        """Give the images and their largest activations alone, for whoever only counts them.

        Returns
        -------
        TopImages
            Its maps have no rows.
        """
        bare = copy(self)
        bare._maps = self._maps[:, :, :0, :0]
        return bare

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything taken in so far, for `restore`."""
        return {
            "top_images": self.images,
            "top_values": self.values,
            "top_slots": self._slots,
            "top_maps": self._maps,
            "top_ranges": self._ranges,
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of an object made with the same parameters.

        Parameters
        ----------
        state : mapping of str to ndarray
            As `state` gave it.
        """
        self.images, self.values = state["top_images"], state["top_values"]
        self._slots, self._maps, self._ranges = state["top_slots"], state["top_maps"], state["top_ranges"]

    def fits(self, state: Mapping[str, NDArray[Any]], images: int) -> bool:
        """Tell whether a state is one of an object made with the same parameters: maps are found by it.

        Parameters
        ----------
        state : mapping of str to ndarray
            As `state` gives it; of the right dtypes and numbers of axes.
        images : int
            How many images there are.

        Returns
        -------
        bool
        """
        slots, numbers = state["top_slots"], state["top_images"]
        known = numbers[numbers != np.iinfo(np.int64).max]
        return all(state[name].shape == array.shape for name, array in self.state().items()) and bool(
            (slots.size == 0 or (slots.min() >= 0 and slots.max() < slots.shape[1]))
            and (known.size == 0 or (known.min() >= 0 and known.max() < images))
        )

    def __getstate__(self) -> dict[str, Any]:
        # Maps are put in the order of their images. Otherwise two objects with the same content could pickle
        # to different bytes, as the slots depend on the order in which images came.
        maps, low, high = self.maps()
        return {
            "top_images": self.images,
            "top_values": self.values,
            "top_slots": np.tile(np.arange(self.images.shape[1], dtype=np.int64), (self.images.shape[0], 1)),
            "top_maps": maps,
            "top_ranges": np.stack([low, high], axis=-1),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.restore(state)
