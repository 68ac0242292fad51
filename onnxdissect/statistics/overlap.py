"""How surprising an overlap is, if masks and annotations of images are paired at random.

Pair the masks M_i of a unit with the annotations L_j of a concept at random, one to one, over n images. The
points that both hold, summed over the pairs, have a mean and a variance that are known without drawing:
with a_ij = |M_i and L_j| and d_ij = a_ij less its row's and column's means,

    mean = sum of a_ij / n        variance = sum of d_ij^2 / (n - 1)        (Hoeffding 1951)

Their distribution is close to a gamma distribution of that mean and variance, from concepts that a single
image holds to those that are everywhere. The negative logarithm of its upper tail is the surprise, which
can be compared from unit to unit and from concept to concept as no IoU can.

The logarithm of the tail is computed here: `scipy.stats.gamma` has none below the smallest floating-point
number, which good detectors reach by far. Where it has one, both are equal to nine digits, as a test shows.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.labels.label_sample import SIDE
from onnxdissect.core.kernels.resampling.permute import CELLS, label_cells, label_points
from onnxdissect.core.per_image_counts import LabelSample

__all__ = ["Overlaps", "gamma_surprise"]

_POINTS = (SIDE // CELLS) ** 2
_TERMS = 2000
# Beyond it either expansion would take more terms, and a gamma distribution is close to normal.
_LARGE = 1e4


class Overlaps:
    """What overlap of masks and concepts to expect of random pairs of images.

    Parameters
    ----------
    label_sample : LabelSample
        What all sampled images show.
    concepts : int
        How many concepts there are, C.

    Attributes
    ----------
    truth : ndarray of int64, shape (C,)
        Points that hold each concept, over all sampled images.
    """

    def __init__(self, label_sample: LabelSample, concepts: int) -> None:
        self._members = label_sample.labels.shape[0]
        self._points = label_points(label_sample, concepts)
        self.truth: NDArray[np.int64] = self._points.sum(axis=1)
        self._apart, self._scatter = _products(
            self._points, label_cells(label_sample, concepts), self._members
        )

    def moments(
        self, points: NDArray[np.int64], cells: NDArray[np.int64], concepts: NDArray[np.int32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the mean and the variance of the points that a unit's masks share with some concepts.

        The mean is exact. The variance takes the points of a mask to lie within a cell of 4x4 points
        independently of those of the concept.

        Parameters
        ----------
        points : ndarray of int64, shape (points,)
            Masks that hold each point.
        cells : ndarray of int64, shape (cells, cells)
            Over the masks, the product of their points in two cells.
        concepts : ndarray of int32, shape (asked,)

        Returns
        -------
        mean, variance : ndarray of float64, shape (asked,)
        """
        (apart,), (scatter,) = _products(points[None], cells[None], self._members)
        # Sums along rows, not a product of matrices, whose rounding depends on how many rows there are.
        mean = (points * self._points[concepts]).sum(axis=1) / self._members
        variance = (apart * self._apart[concepts]).sum(axis=1) / (_POINTS**2 * max(1, self._members - 1))
        # Given how many points of a cell a mask and an annotation fill, what they share is hypergeometric.
        within = (scatter * self._scatter[concepts]).sum(axis=1)
        variance += within / (_POINTS**2 * (_POINTS - 1) * self._members)
        return mean, np.maximum(variance, 0.0)


def _products(
    points: NDArray[np.int64], cells: NDArray[np.int64], sampled: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum over images what the variance is made of, for each concept or mask.

    With a_i and a_j points in two cells of an image, and P points in a cell: the scatter matrix of the a_i,
    shape (rows, cells**2), and the sums of a_i (P - a_i), shape (rows, cells).
    """
    width = SIDE // CELLS
    sums = points.reshape(-1, CELLS, width, CELLS, width).sum(axis=(2, 4)).reshape(-1, CELLS**2)
    products = cells.astype(np.float64)
    apart = products - sums[:, :, None] * (sums[:, None, :] / sampled)
    scatter = _POINTS * sums - np.diagonal(products, axis1=1, axis2=2)
    return apart.reshape(sums.shape[0], -1), scatter


def gamma_surprise(
    overlap: NDArray[np.float64], mean: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the negative logarithm of the chance that a gamma variable is as large.

    Parameters
    ----------
    overlap, mean, variance : ndarray of float64, of one shape
        None below 0.

    Returns
    -------
    ndarray of float64, same shape
        0 where the overlap is 0, or where it does not vary and is no more than the mean.
    """
    surprise = np.zeros(overlap.shape, np.float64)
    varies = (overlap > 0) & (mean > 0) & (variance > 1e-9 * mean**2)
    shape = np.square(mean, where=varies, out=np.ones(overlap.shape)) / np.where(varies, variance, 1.0)
    shape, at = shape[varies], (overlap * mean / np.where(varies, variance, 1.0))[varies]
    tail = np.empty(shape.shape, np.float64)
    large, small = shape > _LARGE, at < shape + 1
    for chosen, log_tail in (
        (large, _by_cube_root),
        (~large & small, _by_series),
        (~large & ~small, _by_fraction),
    ):
        tail[chosen] = log_tail(shape[chosen], at[chosen])
    surprise[varies] = np.maximum(-tail, 0.0)
    return surprise


def _log_gamma(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([math.lgamma(value) for value in shape.tolist()], np.float64)


def _by_series(shape: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the upper tail of a gamma distribution, by the series of the lower one."""
    total = 1.0 / shape
    # Each value goes on until it changes no more, so that none depends on what is computed beside it.
    going, term = np.arange(shape.size), total.copy()
    for i in range(1, _TERMS):
        term = term * at[going] / (shape[going] + i)
        total[going] += term
        unsettled = term > 1e-16 * total[going]
        going, term = going[unsettled], term[unsettled]
        if going.size == 0:
            break
    lower = np.exp(shape * np.log(at) - at - _log_gamma(shape)) * total
    return np.log(np.maximum(1.0 - lower, 1e-15))


def _by_fraction(shape: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the same by Legendre's continued fraction, evaluated forward as Lentz does."""
    b = at + 1.0 - shape
    d = 1.0 / b
    total = d.copy()
    going, c = np.arange(shape.size), np.full(shape.shape, np.inf)
    for i in range(1, _TERMS):
        a = i * (shape[going] - i)
        b = b + 2.0
        d = 1.0 / (b + a * d)
        c = b + a / c
        total[going] *= c * d
        unsettled = np.abs(c * d - 1.0) >= 1e-14
        going, b, c, d = going[unsettled], b[unsettled], c[unsettled], d[unsettled]
        if going.size == 0:
            break
    return shape * np.log(at) - at - _log_gamma(shape) + np.log(total)


def _by_cube_root(shape: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the same as if the cube root were normal (Wilson and Hilferty 1931)."""
    deviate = 3 * np.sqrt(shape) * (np.cbrt(at / shape) - 1 + 1 / (9 * shape))
    return np.array([_log_normal_tail(z) for z in deviate.tolist()], np.float64)


def _log_normal_tail(z: float) -> float:
    if z < 30:
        return math.log(0.5 * math.erfc(z / math.sqrt(2)))
    return -z * z / 2 - math.log(z * math.sqrt(2 * math.pi)) - 1 / (z * z)
