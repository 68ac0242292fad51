"""How far computed values are from what they should be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDING", "relative_error", "same_output"]

ROUNDING = 1e-3
"""Relative difference that sums of float32 taken in another order explain."""


def same_output(got: NDArray[Any], expected: NDArray[Any], allowed: float) -> bool:
    """Whether an output of a network is what it should be, up to rounding.

    Parameters
    ----------
    got, expected : ndarray
        The output, of any type.
    allowed : float
        Difference that rounding explains, relative to the root mean square of what is expected.

    Returns
    -------
    bool
        Where more than float32 is rounded, integers may differ: classes that are as likely are told apart by
        chance.
    """
    if got.shape != expected.shape:
        return False
    if got.dtype.kind == "f":
        return relative_error(got, expected) <= allowed
    return allowed > ROUNDING or np.array_equal(got, expected)


def relative_error(got: NDArray[Any], expected: NDArray[Any]) -> float:
    """Root mean square of a difference over that of what is expected, finite values only.

    Parameters
    ----------
    got, expected : ndarray of float
        Of one shape.

    Returns
    -------
    float
    """
    finite = np.isfinite(got) & np.isfinite(expected)
    if not finite.all():
        got, expected = got[finite], expected[finite]
    scale, error = _norm(expected), _norm(got - expected)
    return error / max(scale, float(np.finfo(np.float32).tiny))


def _norm(values: NDArray[Any]) -> float:
    with np.errstate(over="ignore"):
        norm = float(np.linalg.norm(values))
    # squares of large float32 overflow where the values do not
    return norm if np.isfinite(norm) else float(np.linalg.norm(values.astype(np.float64)))
