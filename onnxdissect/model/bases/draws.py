"""Random matrices that follow from a seed and the number of units: rotations, permutations, directions.

Bits come from NumPy's PCG64, seeded with (seed, units) and a number of the kind, so that two layers of one
size get the same matrices and two kinds nothing in common.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.model.bases.blas_threads import one_blas_thread

__all__ = ["GRID", "haar_rotation", "on_grid", "random_directions", "random_permutation"]

GRID = 2.0**-24
"""Entries of matrices with rows of length 1 are multiples of this; float32 holds all of these up to 1."""

_ROTATION, _PERMUTATION, _DIRECTIONS = range(3)


def haar_rotation(units: int, seed: int) -> NDArray[np.float64]:
    """Draw a rotation from the uniform (Haar) distribution over SO(units).

    Q of the QR decomposition of a Gaussian matrix is uniform over the orthogonal matrices once the diagonal
    of R is made positive. Half of these mirror: their determinant is -1, and no real matrix is their square
    root. Turning the sign of one column makes them rotations, uniform again since Haar's distribution
    stays what it is under any fixed orthogonal matrix.

    Parameters
    ----------
    units : int
        Rows and columns.
    seed : int
        At least 0.

    Returns
    -------
    ndarray of float64, shape (units, units)
        Orthogonal, determinant 1.
    """
    gaussian = np.random.Generator(_bits(units, seed, _ROTATION)).standard_normal((units, units))
    with one_blas_thread():
        rotation, upper = np.linalg.qr(gaussian)
        rotation *= np.where(np.diag(upper) < 0, -1.0, 1.0)
        if np.linalg.slogdet(rotation)[0] < 0:
            rotation[:, 0] *= -1
    return np.ascontiguousarray(rotation, np.float64)


def random_permutation(units: int, seed: int) -> NDArray[np.int64]:
    """Draw a permutation, all of them as likely.

    Parameters
    ----------
    units : int
        How many numbers.
    seed : int
        At least 0.

    Returns
    -------
    ndarray of int64, shape (units,)
        Each of 0 to units - 1 once. It is the order of as many raw words of 64 bits, which NumPy promises
        to keep for ever.
    """
    words = _bits(units, seed, _PERMUTATION).random_raw(units)
    return np.argsort(np.asarray(words, np.uint64), kind="stable").astype(np.int64)


def random_directions(units: int, rows: int, seed: int) -> NDArray[np.float64]:
    """Draw unit vectors, each uniform over the sphere and independent of the others.

    Parameters
    ----------
    units : int
        Their length.
    rows : int
        How many. The first ones are the same however many are asked for.
    seed : int
        At least 0.

    Returns
    -------
    ndarray of float64, shape (rows, units)
    """
    gaussian = np.random.Generator(_bits(units, seed, _DIRECTIONS)).standard_normal((rows, units))
    found: NDArray[np.float64] = gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True)
    return found


def on_grid(matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round entries of at most 1 to multiples of `GRID`.

    Linear algebra libraries differ by about 1e-15 from processor to processor. Few entries lie so close to
    the middle between two multiples that this shows, and these then differ by one multiple.

    Parameters
    ----------
    matrix : ndarray of float64
        Entries of at most 1 in size.

    Returns
    -------
    ndarray of float32
        Without negative zeros.
    """
    return (np.round(matrix / GRID) * GRID + 0.0).astype(np.float32)


def _bits(units: int, seed: int, kind: int) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence((seed, units), spawn_key=(kind,)))
