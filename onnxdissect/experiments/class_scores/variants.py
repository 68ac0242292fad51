"""Scores of many variants of one image's activations, through the tail alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import NonFiniteError
from onnxdissect.model.runtime.parts.network_parts import NetworkParts

__all__ = ["Contributions", "active_units", "class_scores", "score_of", "score_with_units"]

_BATCH_BYTES = 32 * 2**20
_MOST = 256


@dataclass(frozen=True, slots=True)
class Contributions:
    """What every unit contributed to a score.

    Attributes
    ----------
    values : ndarray of float64, shape (units,)
    score : float
        The score itself.
    bias : float or None
        Where contributions add up, what they add up from.
    """

    values: NDArray[np.float64]
    score: float
    bias: float | None

    @property
    def error(self) -> float | None:
        """How far bias and contributions are from the score, relative to the largest number among them."""
        if self.bias is None:
            return None
        scale = max(abs(self.score), abs(self.bias), float(np.abs(self.values).max(initial=0.0)))
        missing = abs(self.bias + float(self.values.sum()) - self.score)
        return missing / scale if scale else 0.0


def active_units(parts: NetworkParts, activations: NDArray[np.floating]) -> NDArray[np.int64]:
    """Find the units that are not zero everywhere.

    Parameters
    ----------
    parts : NetworkParts
        Of which layer.
    activations : ndarray
        Of one image.

    Returns
    -------
    ndarray of int64
        Ascending.
    """
    view = parts.units_first(activations)[0]
    return np.flatnonzero(view.reshape(len(view), -1).any(axis=1))


def score_of(parts: NetworkParts, activations: NDArray[np.floating], number: int) -> float:
    """Score one class of one image.

    Parameters
    ----------
    parts : NetworkParts
        Whose first output holds the scores.
    activations : ndarray
        Of one image.
    number : int
        The class.

    Returns
    -------
    float

    Raises
    ------
    NonFiniteError
        If a score is not finite.
    """
    return float(class_scores(parts, activations)[0, number])


def score_with_units(
    parts: NetworkParts,
    start: NDArray[np.floating],
    units: NDArray[np.int64],
    values: NDArray[np.floating],
    number: int,
    *,
    batch: int | None = None,
) -> NDArray[np.float64]:
    """Score one class with one unit changed at a time, many in a batch.

    Parameters
    ----------
    parts : NetworkParts
        Whose first output holds the scores.
    start : ndarray
        Activations of one image, in the file's own layout.
    units : ndarray of int64
        Which are changed.
    values : ndarray
        Activations of one image; of each variant, those of its unit are taken from here.
    number : int
        The class.
    batch : int, optional
        Variants a batch, by default so many as take 32 MiB.

    Returns
    -------
    ndarray of float64, shape (units that are changed,)

    Raises
    ------
    NonFiniteError
        If a score is not finite.
    """
    size = batch or max(1, min(_MOST, _BATCH_BYTES // max(start.nbytes, 1)))
    source = parts.units_first(values)[0]
    found = np.empty(len(units), np.float64)
    for first in range(0, len(units), size):
        chosen = units[first : first + size]
        variants = np.repeat(start, len(chosen), parts.image_axis)
        view = parts.units_first(variants)
        for place, unit in enumerate(chosen):
            view[place, unit] = source[unit]
        found[first : first + size] = class_scores(parts, variants)[:, number]
    return found


def class_scores(parts: NetworkParts, activations: NDArray[np.floating]) -> NDArray[np.float64]:
    """Score all classes.

    Parameters
    ----------
    parts : NetworkParts
        Whose first output holds the scores.
    activations : ndarray
        Of n images.

    Returns
    -------
    ndarray of float64, shape (n, classes)

    Raises
    ------
    NonFiniteError
        If a score is not finite.
    """
    scores = parts.run_tail(activations)[0]
    if not np.isfinite(scores).all():
        raise NonFiniteError(
            f"the class scores {parts.outputs[0]!r} computed from {parts.layer.name!r} are not finite"
        )
    return scores.reshape(activations.shape[parts.image_axis], -1).astype(np.float64)
