"""Pearson's correlation of the mask pixels of two units, image by image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MaskCorrelations", "MaskPixels"]

# Below it float64 holds every whole number, so that sums are the same in whatever order they are added.
_EXACT = 2**53
# Sums over images are below it, with room for what is taken off them.
_LARGEST_SUM = 2**60
# Masks of some images as full matrices, those of both sides.
_BLOCK_BYTES = 32 * 2**20
# Units of the first side whose products, and then whose scores, are in memory a second time.
_PRODUCT_ROWS = 2048
_ROWS = 256


@dataclass(frozen=True, slots=True)
class MaskPixels:
    """Mask pixels of each unit of a layer image by image, at one quantile: K units, E masks not empty.

    Attributes
    ----------
    starts : ndarray of int64, shape (K + 1,)
        The masks of unit k are ``starts[k] .. starts[k + 1] - 1``.
    image : ndarray of int32, shape (E,)
        The image of each mask, ascending within a unit.
    pixels : ndarray of int32, shape (E,)
        |M_k(x)|.
    images : int
        How many there are, n, those without a mask included.
    """

    starts: NDArray[np.int64]
    image: NDArray[np.int32]
    pixels: NDArray[np.int32]
    images: int


class MaskCorrelations:
    """Correlations of all pairs of units of two layers, over the same images.

    With a_k(x) = |M_k(x)| and sums over the n images, the correlation of units k and l is::

        r = sum (a_k - mean a_k) (a_l - mean a_l) / sqrt(sum (a_k - mean a_k)^2 * sum (a_l - mean a_l)^2)

    All sums are of whole numbers, and exact. Means are none, so each unit is centred on the whole number c_k
    next to its mean, which leaves a rest R_k = sum a_k - n c_k of at most n / 2::

        sum (a_k - mean a_k) (a_l - mean a_l) = sum (a_k - c_k) (a_l - c_l) - R_k R_l / n

    The rest cannot make up most of a sum, so that nothing is lost in the difference, and a unit is constant
    just where its sum of squares is 0. Such a unit is given a correlation of 0 with all others.

    Masks of 4 million pixels and more, or of 2^30 / sqrt(n) where there are more than 65,536 images, would
    be beyond that: their last bits are left out, as many in all masks of a layer.

    Parameters
    ----------
    first, second : MaskPixels
        Of the same images; K1 and K2 units.

    Attributes
    ----------
    columns : int
        The images, n.
    """

    def __init__(self, first: MaskPixels, second: MaskPixels) -> None:
        self.columns = first.images
        self._first = _Side.of(first)
        self._second = self._first if second is first else _Side.of(second)

    def scores(self, order: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Correlate all pairs.

        Parameters
        ----------
        order : ndarray of int64, shape (columns,), optional
            Which image of the second side meets the first's image 0, 1, ...

        Returns
        -------
        ndarray of float64, shape (K1, K2)
            From -1 to 1; exactly 1 for units of equal counts, 0 for a unit with the same count in all images.
        """
        products = self._products(order)
        first, second, n = self._first, self._second, self.columns
        found = np.zeros(products.shape)
        for start in range(0, len(products), _ROWS):
            rows = slice(start, start + _ROWS)
            total, centre, rest = (a[rows, None] for a in (first.total, first.centre, first.rest))
            centred = products[rows] - centre * second.total - total * second.centre
            centred += n * centre * second.centre
            covariance = centred - (rest * second.rest) / n
            scale = np.sqrt(first.variance[rows, None] * second.variance)
            np.divide(covariance, scale, out=found[rows], where=scale > 0)
        np.clip(found, -1.0, 1.0, out=found)
        return found

    def _products(self, order: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Sum a_k(x) a_l(x) over the images, for all pairs: shape (K1, K2).

        By full matrices of some images at a time: on two cores a product of sparse ones takes longer where
        more than a tenth of the images have a mask, as a third or a half have in all but the last layers.
        """
        first, second = self._first, self._second
        found = np.zeros((first.units, second.units), np.int64)
        step = min(
            _BLOCK_BYTES // (8 * (first.units + second.units)),
            _EXACT // max(1, first.largest * second.largest),
        )
        for start in range(0, self.columns, max(1, step)):
            images = slice(start, min(start + max(1, step), self.columns))
            left = first.by_image[images].toarray().astype(np.float64)
            met = second.by_image[images if order is None else order[images]]
            right = met.toarray().astype(np.float64)
            for top in range(0, first.units, _PRODUCT_ROWS):
                rows = slice(top, top + _PRODUCT_ROWS)
                # whole numbers, below 2^53
                found[rows] += (left[:, rows].T @ right).astype(np.int64)
        return found


@dataclass(frozen=True, slots=True)
class _Side:
    """The masks of one side, a row an image, and the sums of each unit."""

    by_image: Any
    total: NDArray[np.int64]
    centre: NDArray[np.int64]
    rest: NDArray[np.int64]
    variance: NDArray[np.float64]
    largest: int

    @property
    def units(self) -> int:
        return self.total.size

    @classmethod
    def of(cls, masks: MaskPixels) -> _Side:
        # imported here: it takes a tenth of a second, and most commands match nothing
        from scipy.sparse import csc_array

        units, n = masks.starts.size - 1, masks.images
        largest = int(masks.pixels.max(initial=0))
        # At most 22 bits are kept: products of 512 images at a time are exact then.
        kept = ((_LARGEST_SUM // max(n, 2**16)).bit_length() - 1) // 2
        bits = max(0, largest.bit_length() - kept)
        pixels = masks.pixels >> np.int32(bits) if bits else masks.pixels
        total, squares = np.zeros(units, np.int64), np.zeros(units, np.int64)
        for k in range(units):
            own = pixels[masks.starts[k] : masks.starts[k + 1]].astype(np.int64)
            total[k], squares[k] = own.sum(), (own * own).sum()
        centre = (2 * total + n) // (2 * max(1, n))
        rest = total - n * centre
        about = squares - 2 * centre * total + n * centre * centre
        # exactly 0 where all counts are equal, as the rest is 0 there
        variance = about - (rest * rest) / max(1, n)
        # positions in 32 bits as long as they fit, as scipy keeps the width of those that it is given
        wide = np.int32 if pixels.size < 2**31 else np.int64
        parts = (pixels, masks.image.astype(wide, copy=False), masks.starts.astype(wide))
        by_image = csc_array(parts, shape=(n, units)).tocsr()
        return cls(by_image, total, centre, rest, variance, largest >> bits)
