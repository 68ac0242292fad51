"""Scores of many variants of one image's activations, through the tail alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import NonFiniteError
from onnxdissect.model.runtime.parts.network_parts import NetworkParts

__all__ = [
    "Contributions",
    "active_units",
    "changed_units",
    "class_scores",
    "finite_scores",
    "score_of",
    "score_with_units",
    "score_without_units",
    "scores_with_units",
    "set_to",
]

_BATCH_BYTES = 32 * 2**20
# a segmenter's maps are far larger than the layer that they are computed from
_TAIL_BYTES = 128 * 2**20
_MOST = 256


@dataclass(frozen=True, slots=True)
class Contributions:
    """What every unit, or every group of units, contributed to a score.

    Attributes
    ----------
    values : ndarray of float64, shape (units,)
    score : float
        The score itself.
    bias : float or None
        Where contributions add up, what they add up from.
    samples : ndarray of float64, shape (samples, units), or None
        Where contributions are means of samples that are independent of each other, those.
    """

    values: NDArray[np.float64]
    score: float
    bias: float | None
    samples: NDArray[np.float64] | None = None

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


def changed_units(
    parts: NetworkParts, activations: NDArray[np.floating], others: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Find the units in which two activations differ.

    Parameters
    ----------
    parts : NetworkParts
        Of which layer.
    activations, others : ndarray
        Of one image each.

    Returns
    -------
    ndarray of int64
        Ascending.
    """
    return active_units(parts, np.asarray(activations != others))


def set_to(
    parts: NetworkParts, activations: NDArray[np.floating], values: NDArray[np.float64]
) -> NDArray[np.floating]:
    """Set every unit to one number at all of its places.

    Parameters
    ----------
    parts : NetworkParts
        Of which layer.
    activations : ndarray
        Of one image, whose shape and type are taken.
    values : ndarray of float64, shape (units,)

    Returns
    -------
    ndarray
        A new one.
    """
    found = np.empty_like(activations)
    view = parts.units_first(found)
    view[...] = values.reshape(1, -1, *(1,) * (view.ndim - 2))
    return found


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
    return scores_with_units(parts, start, units, values, [number], batch=batch)[:, 0]


def scores_with_units(
    parts: NetworkParts,
    start: NDArray[np.floating],
    units: NDArray[np.int64],
    values: NDArray[np.floating],
    numbers: Sequence[int],
    *,
    batch: int | None = None,
) -> NDArray[np.float64]:
    """Score several classes with one unit changed at a time: as `score_with_units`, and for no more work.

    Parameters
    ----------
    parts, start, units, values
        As there.
    numbers : sequence of int
        The classes.
    batch : int, optional
        As there.

    Returns
    -------
    ndarray of float64, shape (units that are changed, classes asked for)

    Raises
    ------
    NonFiniteError
        If a score is not finite.
    """
    size = batch or _batch_size(parts, start)
    source = parts.units_first(values)[0]
    found = np.empty((len(units), len(numbers)), np.float64)
    for first in range(0, len(units), size):
        chosen = units[first : first + size]
        variants = np.repeat(start, len(chosen), parts.image_axis)
        view = parts.units_first(variants)
        for place, unit in enumerate(chosen):
            view[place, unit] = source[unit]
        found[first : first + size] = class_scores(parts, variants)[:, numbers]
    return found


def score_without_units(
    parts: NetworkParts,
    activations: NDArray[np.floating],
    removed: NDArray[np.floating],
    absent: NDArray[np.bool_],
    number: int,
    *,
    batch: int | None = None,
) -> NDArray[np.float64]:
    """Score one class with sets of units removed, many sets in a batch.

    Parameters
    ----------
    parts : NetworkParts
        Whose first output holds the scores.
    activations : ndarray
        Of one image, in the file's own layout.
    removed : ndarray
        What units are when they are removed, of the same shape.
    absent : ndarray of bool, shape (sets, units)
        Which are removed.
    number : int
        The class.
    batch : int, optional
        Sets a batch, by default so many as take 32 MiB.

    Returns
    -------
    ndarray of float64, shape (sets,)

    Raises
    ------
    NonFiniteError
        If a score is not finite.
    """
    size = batch or _batch_size(parts, activations)
    source = parts.units_first(removed)
    found = np.empty(len(absent), np.float64)
    for first in range(0, len(absent), size):
        chosen = absent[first : first + size]
        variants = np.repeat(activations, len(chosen), parts.image_axis)
        view = parts.units_first(variants)
        places = chosen.reshape(*chosen.shape, *(1,) * (view.ndim - 2))
        np.copyto(view, source, where=places)
        found[first : first + size] = class_scores(parts, variants)[:, number]
    return found


def _batch_size(parts: NetworkParts, activations: NDArray[np.floating]) -> int:
    """How many variants of one image's activations are scored at once."""
    by_layer, by_tail = _BATCH_BYTES // max(activations.nbytes, 1), _TAIL_BYTES // max(parts.tail_bytes, 1)
    return max(1, min(_MOST, by_layer, by_tail))


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
    return finite_scores(parts, activations).astype(np.float64)


def finite_scores(parts: NetworkParts, activations: NDArray[np.floating]) -> NDArray[np.floating]:
    """Score all classes, in the numbers of the network.

    Parameters
    ----------
    parts : NetworkParts
        Whose first output holds the scores.
    activations : ndarray
        Of n images.

    Returns
    -------
    ndarray of float, shape (n, classes)

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
    return scores.reshape(activations.shape[parts.image_axis], -1)
