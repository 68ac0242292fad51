"""Segmentation by units: the image painted by the concepts of the units that made a prediction."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.explanation.records import Explanation

__all__ = ["RULE", "Segmentation", "SegmentedConcept", "segment_by_units"]

RULE = (
    "a pixel is painted by the first detector whose mask holds it, of the units told of, the largest "
    "contribution of either sign first"
)
"""Which concept a pixel is painted by, in words."""

# so many numbers beside 0 an image of 8 bits holds
_MOST = 255


@dataclass(frozen=True, slots=True)
class SegmentedConcept:
    """A concept that some of the image is painted by.

    Attributes
    ----------
    number : int
        From 1, in the order in which concepts come up.
    concept, category : str
        The label.
    units : tuple of int
        The detectors that painted it, the largest contribution first.
    contribution, share : float
        Sums of theirs.
    area : float
        Share of the image that is painted so.
    """

    number: int
    concept: str
    category: str
    units: tuple[int, ...]
    contribution: float
    share: float
    area: float


@dataclass(frozen=True, slots=True)
class Segmentation:
    """An image in parts, each with a concept.

    Attributes
    ----------
    index : ndarray of uint8, shape (height, width)
        Per pixel of the image the number of its concept; 0 where no mask lies.
    concepts : tuple of SegmentedConcept
        The legend, by number.
    """

    index: NDArray[np.uint8] = field(repr=False, compare=False)
    concepts: tuple[SegmentedConcept, ...]


def segment_by_units(explanation: Explanation) -> Segmentation:
    """Paint the image by the concepts of the units told of, see `RULE`.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    Segmentation
        At the image's own size. Units that are no detectors have no label that counts, and paint nothing.
        Beyond 255 concepts none is painted.
    """
    index = np.zeros(explanation.pixels.shape[:2], np.uint8)
    painters: dict[tuple[str, str], list[int]] = {}
    for place, unit in enumerate(explanation.units):
        if not unit.detector or unit.box is None:
            continue
        free = explanation.mask(unit.unit) & (index == 0)
        key = unit.label, unit.category
        if not free.any() or (key not in painters and len(painters) == _MOST):
            continue
        painters.setdefault(key, []).append(place)
        index[free] = list(painters).index(key) + 1
    areas = np.bincount(index.ravel(), minlength=len(painters) + 1) / index.size
    concepts = []
    for number, ((concept, category), places) in enumerate(painters.items(), 1):
        units = [explanation.units[place] for place in places]
        concepts.append(
            SegmentedConcept(
                number=number,
                concept=concept,
                category=category,
                units=tuple(unit.unit for unit in units),
                contribution=sum(unit.contribution for unit in units),
                share=sum(unit.share for unit in units),
                area=float(areas[number]),
            )
        )
    return Segmentation(index, tuple(concepts))
