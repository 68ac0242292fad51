"""Counts of single masks, image by image: what uncertainty is computed from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "TOP_CONCEPTS",
    "LabelSample",
    "MaskCounts",
    "Null",
    "PerImageCounts",
    "PerImageCountsPart",
    "TruthCounts",
    "spans",
]

TOP_CONCEPTS = 10
"""How many concepts of each unit are followed image by image."""


@dataclass(frozen=True, slots=True)
class PerImageCounts:
    """Mask pixels of each unit of a layer in each image, for the concepts that may become its label.

    Q quantiles, K units, R top concepts, G categories, E masks that are not empty.

    Attributes
    ----------
    top_concepts : ndarray of int64, shape (Q, K, R)
        Positions of the concepts of highest IoU in the paper's convention, best first, the lower position
        on a tie; -1 where the masks meet fewer.
    starts : ndarray of int64, shape (Q*K + 1,)
        The masks of unit k at quantile q are ``starts[q*K + k] .. starts[q*K + k + 1] - 1``.
    image : ndarray of int32, shape (E,)
        The image of each mask, ascending within a unit and quantile.
    activation : ndarray of int32, shape (E,)
        |M_k(x)|, pixels of the mask.
    intersection : ndarray of int32, shape (E, R)
        |M_k(x) and L_c(x)| for each top concept.
    overlap : ndarray of uint8, shape (E, ceil(G / 8))
        The categories that overlap the mask, as bits of ``np.packbits``.
    """

    top_concepts: NDArray[np.int64]
    starts: NDArray[np.int64]
    image: NDArray[np.int32]
    activation: NDArray[np.int32]
    intersection: NDArray[np.int32]
    overlap: NDArray[np.uint8]

    def parts(self, masks: int) -> Iterator[PerImageCountsPart]:
        """Cut the layer into parts; their arrays are views.

        Parameters
        ----------
        masks : int
            Most masks of a part, unless a single unit has more.

        Yields
        ------
        PerImageCountsPart
            In the order of `starts`.
        """
        for quantile, units in spans(self.starts, self.top_concepts.shape[1], masks):
            first = quantile * self.top_concepts.shape[1] + units.start
            starts = self.starts[first : first + units.stop - units.start + 1]
            rows = slice(starts[0], starts[-1])
            yield PerImageCountsPart(
                quantile,
                units,
                PerImageCounts(
                    self.top_concepts[quantile : quantile + 1, units],
                    starts - starts[0],
                    self.image[rows],
                    self.activation[rows],
                    self.intersection[rows],
                    self.overlap[rows],
                ),
            )


@dataclass(frozen=True, slots=True)
class PerImageCountsPart:
    """Some units of a layer at one quantile.

    Attributes
    ----------
    quantile : int
        Its position.
    units : slice
        Consecutive ones.
    per_image : PerImageCounts
        Of these units, as if there were no others, and no other quantile.
    """

    quantile: int
    units: slice
    per_image: PerImageCounts


def spans(starts: NDArray[np.int64], units: int, masks: int) -> Iterator[tuple[int, slice]]:
    """Cut the units of a layer, at each quantile, into spans of not too many masks.

    Parameters
    ----------
    starts : ndarray of int64, shape (Q*K + 1,)
        As in `PerImageCounts`.
    units : int
        K.
    masks : int
        Most masks of a span, unless a single unit has more.

    Yields
    ------
    quantile : int
    units : slice
        Together they cover all units at all quantiles, in order.
    """
    for quantile in range((starts.size - 1) // max(1, units)):
        ends = starts[quantile * units : (quantile + 1) * units + 1]
        first = 0
        while first < units:
            last = int(np.searchsorted(ends, ends[first] + masks, side="right")) - 1
            last = min(max(last, first + 1), units)
            yield quantile, slice(first, last)
            first = last


@dataclass(frozen=True, slots=True)
class TruthCounts:
    """Pixels of each concept in each image: n images, T pairs of an image and a concept it holds.

    Attributes
    ----------
    starts : ndarray of int64, shape (n + 1,)
        The concepts of image x are ``starts[x] .. starts[x + 1] - 1``.
    concept : ndarray of int32, shape (T,)
        Their positions, ascending within an image.
    pixels : ndarray of int32, shape (T,)
        |L_c(x)|.
    categories : ndarray of bool, shape (n, G)
        Whether the image carries the category: it is in D_g.
    groups : ndarray of int64, shape (n,), or None
        Group of each image, from 0; None if each stands for itself.
    """

    starts: NDArray[np.int64]
    concept: NDArray[np.int32]
    pixels: NDArray[np.int32]
    categories: NDArray[np.bool_]
    groups: NDArray[np.int64] | None = None

    @property
    def one_group(self) -> bool:
        """Whether all images are of one group, so that every resample is the same."""
        return self.groups is not None and int(self.groups.max(initial=0)) == 0

    def same(self, other: TruthCounts) -> bool:
        """Tell whether other images hold the same pixels of the same concepts, and are grouped alike.

        Parameters
        ----------
        other : TruthCounts

        Returns
        -------
        bool
        """
        pairs = [(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)]
        return all(a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs)


@dataclass(frozen=True, slots=True)
class LabelSample:
    """What the sampled images show at common points.

    Attributes
    ----------
    labels : ndarray of uint16, shape (sampled, points)
        Set of concepts at each point, numbered within the image.
    label_set_starts : ndarray of int64, shape (sampled + 1,)
        Where each sampled image's label sets begin in `part_starts`.
    part_starts : ndarray of int64, shape (label sets + 1,)
        Where each label set's concepts begin.
    parts : ndarray of int32
        Concepts of each label set, those that cover a whole image among them.
    has_category : ndarray of bool, shape (sampled, G)
        Which categories each member carries.
    """

    labels: NDArray[np.uint16]
    label_set_starts: NDArray[np.int64]
    part_starts: NDArray[np.int64]
    parts: NDArray[np.int32]
    has_category: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Null:
    """What the units of a layer reach with their own annotations, and with those of other images.

    Attributes
    ----------
    best : ndarray of float64, shape (1 + shuffles, Q, K)
        Highest IoU over the concepts at the sample points, in the paper's convention.
    surprise : ndarray of float64, shape (1 + shuffles, Q, K), or None
        How surprising the overlap with that concept is; 0 where there is none. None in runs of versions
        that did not tell.
    """

    best: NDArray[np.float64]
    surprise: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class MaskCounts:
    """Counts of single masks of some units in consecutive images.

    Attributes
    ----------
    heads : ndarray of int32, shape (masks, 4)
        Of each mask q*K + k, its image, its pixels and how many concepts it meets; images ascend.
    overlap : ndarray of uint8, shape (masks, ceil(G / 8))
        As in `PerImageCounts`.
    met : ndarray of int32, shape (concepts met, 2)
        Position of each concept a mask meets and how many of its pixels hold it, mask after mask.
    """

    heads: NDArray[np.int32]
    overlap: NDArray[np.uint8]
    met: NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.heads.nbytes + self.overlap.nbytes + self.met.nbytes
