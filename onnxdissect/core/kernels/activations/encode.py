"""Activation maps reduced to the cells that can still be part of a mask.

The mask of a unit is the upsampled map above T_k. A label pixel is interpolated between four cells, so it can
lie above T_k only if one of the four does. T_k is not known during the pass, but a bound below it is. Of each
map the cells above that bound are kept, and the eight neighbours of each: every interpolation that can come
out above T_k then finds all four of its cells. A map whose largest cell does not exceed the bound is dropped.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import inlined, kernel
from onnxdissect.core.kernels.activations.keep import keep_cells
from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.spool.arena import Arena

__all__ = ["SparseEncoder"]

_Kind = TypeVar("_Kind", np.unsignedinteger, np.float32)

# The keys of plus and minus infinity, see `_extremes`: those of all finite float32 lie strictly between them,
# those of NaN beyond them.
_KEY_INF = np.int32(0x7F800000)
_KEY_MINUS_INF = np.int32(-0x7F800001)


class SparseEncoder:
    """What remains of one layer's activations in a run of images; filled batch by batch, by one thread.

    Parameters
    ----------
    images : int
        How many images may come between two calls of `drain`.
    units : int
        Units of the layer.
    shape : tuple of int
        (h, w) of the layer.

    Attributes
    ----------
    maxima : ndarray of float32, shape (images, units)
        Largest value of each map that has come.
    images : int
        How many images have come.
    used : int
        How many cells remain of them.
    """

    def __init__(self, images: int, units: int, shape: tuple[int, int]) -> None:
        h, w = shape
        self._shape = shape
        self.maxima: NDArray[np.float32] = np.empty((images, units), np.float32)
        self.images = 0
        self.used = 0
        self._image_starts = np.zeros(images + 1, np.int64)
        self._units = np.empty(images * units, np.int32)
        self._starts = np.zeros(images * units + 1, np.int64)
        self._cells: NDArray[np.unsignedinteger] = np.empty(0, cell_type(shape))
        self._values = np.empty(0, np.float32)
        self._scratch = np.zeros((2 * h + 2, w), np.uint8)

    def add(self, activations: NDArray[np.float32], bounds: NDArray[np.float32]) -> int:
        """Take in the next images.

        Parameters
        ----------
        activations : ndarray of float32, shape (n, units, h, w)
            C-contiguous activations.
        bounds : ndarray of float32, shape (units,)
            Lower bound on each unit's threshold.

        Returns
        -------
        int
            Flat index ``image * units + unit`` of the first map holding NaN or infinity, -1 if there is
            none. If there is one, what remains is of no use.
        """
        n, units = activations.shape[:2]
        if activations.dtype != np.float32 or not activations.flags.c_contiguous:
            raise TypeError("the encoder needs C-contiguous float32 activations")
        if units != self.maxima.shape[1] or activations.shape[2:] != self._shape or bounds.shape != (units,):
            raise ValueError(f"activations of shape {activations.shape} do not fit the layer")
        if self.images + n > self.maxima.shape[0]:
            raise ValueError(f"{self.maxima.shape[0]} images were announced, more have come")
        # All cells may be kept, and `keep_cells` writes one place beyond the last.
        needed = self.used + activations.size + 1
        if self._values.size < needed:
            self._values = _larger(self._values, self.used, needed)
            self._cells = _larger(self._cells, self.used, needed)
        damaged = _encode(
            activations,
            activations.view(np.int32).reshape(n, units, self._shape[0] * self._shape[1]),
            bounds,
            self.images,
            self.maxima,
            self.maxima.view(np.int32),
            (self._image_starts, self._units, self._starts, self._cells, self._values),
            self._scratch,
        )
        self.images += n
        self.used = int(self._starts[self._image_starts[self.images]])
        return int(damaged)

    def sparse_maps(self, first: int = 0) -> SparseMaps:
        """Give what remains so far.

        Parameters
        ----------
        first : int
            Leave out the images before this one.

        Returns
        -------
        SparseMaps
            Views; good until the next call.
        """
        image_starts = self._image_starts[first : self.images + 1]
        begin, end = int(image_starts[0]), int(image_starts[-1])
        starts = self._starts[begin : end + 1]
        return SparseMaps(
            shape=self._shape,
            image_starts=image_starts - begin,
            units=self._units[begin:end],
            starts=starts - starts[0],
            cells=self._cells[starts[0] : starts[-1]],
            values=self._values[starts[0] : starts[-1]],
        )

    def drain(self, arena: Arena) -> SparseMaps:
        """Give what remains of all images, and forget them.

        Parameters
        ----------
        arena : Arena
            Where to put it: the encoder's own arrays, which could hold far more, are used again.

        Returns
        -------
        SparseMaps
        """
        drained = arena.take_in(self.sparse_maps())
        self.images = self.used = 0
        return drained


def _larger(array: NDArray[_Kind], used: int, size: int) -> NDArray[_Kind]:
    """Move the first elements of an array that are in use to a larger one."""
    larger = np.empty(size, array.dtype)
    larger[:used] = array[:used]
    return larger


def cell_type(shape: tuple[int, int]) -> type[np.unsignedinteger]:
    """Smallest integers that number the cells of a map.

    Parameters
    ----------
    shape : tuple of int
        (h, w).

    Returns
    -------
    type
    """
    return np.uint16 if shape[0] * shape[1] <= 65536 else np.uint32


@kernel
def _encode(activations, bits, bounds, done, maxima, keys, sparse_maps, scratch):
    """Encode a batch behind the ``done`` images that have come before; see `SparseEncoder`.

    Parameters
    ----------
    activations : ndarray of float32, shape (n, units, h, w)
    bits : ndarray of int32, shape (n, units, h * w)
        The same memory.
    bounds : ndarray of float32, shape (units,)
    done : int
    maxima : ndarray of float32, shape (images, units)
        Written to: the largest value of each map.
    keys : ndarray of int32, shape (images, units)
        The same memory.
    sparse_maps : tuple of ndarray
        Written to: ``image_starts``, ``units``, ``starts``, ``cells``, ``values``, as in
        `onnxdissect.core.sparse_maps.SparseMaps`; longer than needed.
    scratch : ndarray of uint8, shape (2h + 2, w)
        As for `keep_cells`.

    Returns
    -------
    int
        Flat index of the first map of the batch that holds NaN or infinity; -1 if there is none.
    """
    image_starts, unit_of, starts, cells, values = sparse_maps
    n, units, _ = bits.shape
    record = image_starts[done]
    at = starts[record]
    damaged = -1
    for image in range(n):
        for unit in range(units):
            low, high = _extremes(bits[image, unit])
            if (high >= _KEY_INF or low <= _KEY_MINUS_INF) and damaged < 0:
                damaged = image * units + unit
            keys[done + image, unit] = np.int32(high ^ ((high >> np.int32(31)) & np.int32(0x7FFFFFFF)))
            bound = bounds[unit]
            if maxima[done + image, unit] > bound:
                at += keep_cells(activations[image, unit], bound, cells[at:], values[at:], scratch)
                unit_of[record] = unit
                record += 1
                starts[record] = at
        image_starts[done + image + 1] = record
    return damaged


@inlined
def _extremes(bits):
    """Smallest and largest key of a map; keys are integers in the order of the floats they stand for.

    A float32 is a sign and a magnitude. Read as int32, positive floats are in order already; of negative ones
    all bits but the sign are turned over, since a larger magnitude is a smaller number. Turning them over
    again gives the float back. Integers are compared because LLVM vectorises that, unlike a maximum of floats
    that has to take note of NaN.
    """
    high = np.int32(-2147483648)
    low = np.int32(2147483647)
    for j in range(bits.shape[0]):
        b = bits[j]
        key = np.int32(b ^ ((b >> np.int32(31)) & np.int32(0x7FFFFFFF)))
        high = key if key > high else high
        low = key if key < low else low
    return low, high
