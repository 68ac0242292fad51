"""What the answers of `sweeps` count: generic labels at each quantile, detectors along the rotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from page.evidence import Counted

__all__ = ["along", "counted", "directions", "fall", "generic_shares"]

Answer = Mapping[str, NDArray[Any]]


def counted(row: NDArray[Any]) -> Counted:
    """Take a row that holds the images themselves, first, and then their resamples."""
    return Counted(float(row[0]), row[1:].astype(np.float64))


def generic_shares(swept: Answer) -> list[Counted]:
    """Give the share of detectors with a generic label, by quantile."""
    pairs = zip(swept["generic"], swept["detectors"], strict=True)
    return [counted(generic) / counted(every) for generic, every in pairs]


def along(rotated: Answer, alpha: float) -> Counted:
    """Count unique detectors under a share of the rotation, the mean over rotations; 0 is the layer alone."""
    kind = "own" if alpha == 0 else "rotation"
    return _mean(rotated, (rotated["kinds"] == kind) & (rotated["alphas"] == alpha))


def directions(rotated: Answer) -> Counted:
    """Count those of random directions, the mean over their draws."""
    return _mean(rotated, rotated["kinds"] == "directions")


def fall(rotated: Answer) -> Counted:
    """Give the share of the layer's unique detectors that the whole rotation takes away."""
    own = along(rotated, 0.0)
    return (own - along(rotated, 1.0)) / own


def _mean(rotated: Answer, chosen: NDArray[np.bool_]) -> Counted:
    return counted(rotated["unique"][chosen].astype(np.float64).mean(axis=0))
