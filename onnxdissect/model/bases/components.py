"""Principal components of a layer's activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ParameterError
from onnxdissect.model.bases.limits import whole_number
from onnxdissect.model.bases.moments import Moments
from onnxdissect.wording import counted

__all__ = ["PrincipalComponents", "check_components", "principal_components"]

_FLOAT32_NOISE = 64 * float(np.finfo(np.float32).eps) ** 2
"""Share of the largest variance that rounding of float32 activations alone may give a direction."""


@dataclass(frozen=True, slots=True, eq=False)
class PrincipalComponents:
    """Directions in which activations vary most.

    Attributes
    ----------
    matrix : ndarray of float64, shape (n, units)
        Orthonormal rows, largest variance first.
    bias : ndarray of float64, shape (n,)
        Minus the matrix times the mean, which centres the components.
    variances : ndarray of float64, shape (n,)
        Of each component.
    share : float
        Of all variance, what these components hold.
    """

    matrix: NDArray[np.float64]
    bias: NDArray[np.float64]
    variances: NDArray[np.float64]
    share: float


def principal_components(moments: Moments, n: int) -> PrincipalComponents:
    """Find the directions of largest variance.

    Parameters
    ----------
    moments : Moments
        Of all activations.
    n : int
        How many.

    Returns
    -------
    PrincipalComponents
        Of both signs that a component may have, the one that makes its entry of largest size positive, the
        first of these where several are as large.

    Raises
    ------
    ParameterError
        If n is not in 1 to units, or more than the directions in which the activations vary at all, or if
        nothing has been taken in.
    """
    units = moments.units
    check_components(n, units)
    if not moments.count:
        raise ParameterError("principal components of no activation at all were asked for")
    variances, vectors = np.linalg.eigh(moments.covariance)
    variances, rows = variances[::-1], vectors.T[::-1]
    noise = variances[0] * max(units * float(np.finfo(np.float64).eps), _FLOAT32_NOISE)
    rank = int(np.count_nonzero(variances > max(noise, 0.0)))
    if rank < n:
        found = f"vary in {counted(rank, 'direction')}" if rank else "are the same everywhere"
        raise ParameterError(
            f"pca:n={n} asks for {counted(n, 'principal component')}, but the activations of the "
            f"{counted(units, 'unit')}, at {counted(moments.count, 'place')}, {found}",
            hint=f"pca:n={rank}, or more images" if rank else "more images, or another layer",
        )
    chosen = rows[:n]
    largest = np.argmax(np.abs(chosen), axis=1)
    signs = np.where(chosen[np.arange(n), largest] < 0, -1.0, 1.0)
    matrix = chosen * signs[:, np.newaxis]
    share = float(variances[:n].sum() / variances[variances > 0].sum())
    return PrincipalComponents(matrix, -matrix @ moments.mean, variances[:n].copy(), share)


def check_components(n: int, units: int) -> None:
    """Refuse a number of components that no layer of so many units has.

    Parameters
    ----------
    n : int
        How many.
    units : int
        Of the layer.

    Raises
    ------
    ParameterError
        If n is no whole number, or not from 1 to units.
    """
    if not 1 <= whole_number("principal components", n) <= units:
        raise ParameterError(
            f"pca:n={n} asks for {counted(n, 'principal component')} of a layer of {counted(units, 'unit')}",
            hint=f"n is 1 to {units}",
        )
