"""The intervals of a layer's top concepts as values: what a run keeps of its resamples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVEL", "TopConceptIntervals"]

LEVEL = 0.95
"""Share of the resamples that lies within a percentile interval."""


@dataclass(frozen=True, slots=True)
class TopConceptIntervals:
    """How certain the IoUs of the top concepts of a layer's units are.

    Attributes
    ----------
    concept : ndarray of int64, shape (Q, K, R)
        Positions of the concepts that were counted image by image, -1 where there are fewer.
    low, high : ndarray of float64, shape (Q, K, R)
        95 % percentile interval of the IoU of each; NaN where there are fewer.
    """

    concept: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
