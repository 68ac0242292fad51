"""The planes in which a rotation turns, and by how much: what its fractional powers are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.model.bases.blas_threads import one_blas_thread

__all__ = ["RotationPlanes"]


@dataclass(frozen=True, slots=True, eq=False)
class RotationPlanes:
    """The real Schur form of a rotation: Q = Z T Z^T, where T turns pairs of columns of Z and keeps the rest.

    Attributes
    ----------
    vectors : ndarray of float64, shape (units, units)
        Z, orthogonal.
    first, second : ndarray of int64, shape (planes,)
        Columns of Z that span each plane.
    angles : ndarray of float64, shape (planes,)
        By how much the first is turned towards the second, in (-pi, pi].
    """

    vectors: NDArray[np.float64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    angles: NDArray[np.float64]

    @classmethod
    def of(cls, rotation: NDArray[np.float64]) -> RotationPlanes:
        """Find the planes of a rotation.

        Parameters
        ----------
        rotation : ndarray of float64, shape (units, units)
            Orthogonal, determinant 1, so that its eigenvalues of -1 come in pairs: each pair is a plane
            turned by pi.

        Returns
        -------
        RotationPlanes

        Raises
        ------
        ValueError
            If it mirrors.
        """
        # SciPy's linear algebra takes a tenth of a second to load
        from scipy.linalg import schur

        with one_blas_thread():
            form, vectors = schur(rotation, output="real")
        # a normal matrix has blocks on the diagonal alone; those of two rows have complex eigenvalues
        first = np.flatnonzero(np.diag(form, -1))
        second = first + 1
        angles = np.arctan2(
            form[second, first] - form[first, second], form[first, first] + form[second, second]
        )
        single = np.setdiff1d(np.arange(len(form)), np.concatenate([first, second]))
        turned = single[np.diag(form)[single] < 0]
        if len(turned) % 2:
            raise ValueError("a matrix that mirrors has no real fractional power")
        return cls(
            vectors,
            np.concatenate([first, turned[::2]]),
            np.concatenate([second, turned[1::2]]),
            np.concatenate([angles, np.full(len(turned) // 2, np.pi)]),
        )

    def power(self, alpha: float) -> NDArray[np.float64]:
        """Turn by a share of every angle.

        Parameters
        ----------
        alpha : float
            0 gives the identity, 1 the rotation itself.

        Returns
        -------
        ndarray of float64, shape (units, units)
            Q^alpha: powers multiply as those of numbers do, Q^a Q^b = Q^(a + b).
        """
        cosine, sine = np.cos(alpha * self.angles), np.sin(alpha * self.angles)
        one, other = self.vectors[:, self.first], self.vectors[:, self.second]
        turned = self.vectors.copy()
        turned[:, self.first] = cosine * one + sine * other
        turned[:, self.second] = cosine * other - sine * one
        found: NDArray[np.float64] = turned @ self.vectors.T
        return found
