"""*ablation*: how the score changes when a unit is removed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.class_scores.variants import (
    Contributions,
    changed_units,
    score_of,
    score_with_units,
)
from onnxdissect.model.runtime.parts.network_parts import NetworkParts

__all__ = ["ablation_contributions"]


def ablation_contributions(
    parts: NetworkParts,
    activations: NDArray[np.floating],
    number: int,
    *,
    removed: NDArray[np.floating] | None = None,
    score: float | None = None,
    batch: int | None = None,
) -> Contributions:
    """Remove every unit by itself: f(A) - f(A with unit k removed).

    Parameters
    ----------
    parts : NetworkParts
        With the scores as first output.
    activations : ndarray
        Of one image, in the file's own layout.
    number : int
        The class.
    removed : ndarray, optional
        What units are when they are removed, of the same shape; zero by default.
    score : float, optional
        f(A), where it is known.
    batch : int, optional
        Variants a batch.

    Returns
    -------
    Contributions
        Without a bias: changes need not come to anything together. A unit that is already what it
        would be set to changes nothing, and is not run.
    """
    score = score_of(parts, activations, number) if score is None else score
    values = np.zeros(parts.layer.units, np.float64)
    removed = np.zeros_like(activations) if removed is None else removed
    units = changed_units(parts, activations, removed)
    values[units] = score - score_with_units(parts, activations, units, removed, number, batch=batch)
    return Contributions(values, score, None)
