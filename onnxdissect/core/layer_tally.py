"""What a tally has counted: the masks of every layer against the annotations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.fingerprint import Fingerprint
from onnxdissect.core.sparse_maps import Counts
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.top_images import TopImages

__all__ = ["LayerTally", "Tally"]


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


@dataclass(slots=True)
class Tally:
    """Everything counted in some images; a plain value.

    Attributes
    ----------
    images : ImageRanges
        Whose masks were counted.
    layers : tuple of LayerTally
        One per layer.
    fingerprint : Fingerprint
        That of the plan, the thresholds and the top images.
    """

    images: ImageRanges
    layers: tuple[LayerTally, ...]
    fingerprint: Fingerprint

    def merge(self, other: Tally) -> None:
        """Add what was counted in other images.

        Parameters
        ----------
        other : Tally
            Counted with the same thresholds and top images. Not changed.

        Raises
        ------
        RunMismatchError
            If the other was counted with something else, naming what differs. Nothing is changed then.
        ImagesOverlapError
            If both counted the same images, naming them. Nothing is changed then.
        """
        self.fingerprint.expect(other.fingerprint)
        self.images |= other.images
        for ours, theirs in zip(self.layers, other.layers, strict=True):
            ours.counts.add(theirs.counts)
