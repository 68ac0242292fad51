"""What a tally has counted of one layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.sparse_maps import Counts
from onnxdissect.core.top_images import TopImages

__all__ = ["LayerTally"]


@dataclass(frozen=True, slots=True)
class LayerTally:
    """Everything counted for one layer.

    Attributes
    ----------
    thresholds : ndarray of float32, shape (quantiles, units)
    counts : Counts
    top : TopImages
    """

    thresholds: NDArray[np.float32]
    counts: Counts
    top: TopImages
