"""What the matching of units asks of a measure of likeness."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Similarity"]


class Similarity(Protocol):
    """Scores of every unit of one layer, K1 of them, with every unit of another, K2.

    Attributes
    ----------
    columns : int
        How many images or concepts either side is described by.
    """

    columns: int

    def scores(self, order: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Score all pairs.

        Parameters
        ----------
        order : ndarray of int64, shape (columns,), optional
            Each column once: which column of the second side meets the first's column 0, 1, ... By default
            each meets its own.

        Returns
        -------
        ndarray of float64, shape (K1, K2)
            From -1 to 1, never NaN; 0 for a unit that tells nothing.
        """
