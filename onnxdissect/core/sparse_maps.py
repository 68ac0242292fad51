"""What the pass keeps of a chunk of images, and the counts that come of it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from onnxdissect.storage.scratch import ScratchFile

__all__ = ["Annotations", "Counts", "PackedAnnotations", "SparseMaps"]


@dataclass(frozen=True, slots=True)
class SparseMaps:
    """Surviving activation maps of one layer in a chunk of images, by image and then by unit.

    Attributes
    ----------
    shape : tuple of int
        (h, w) of the layer.
    image_starts : ndarray of int64, shape (images + 1,)
        Where each image's maps begin.
    units : ndarray of int32, shape (maps,)
        Unit of each map, ascending within an image.
    starts : ndarray of int64, shape (maps + 1,)
        Where each map's cells begin.
    cells : ndarray of uint16 or uint32
        Flat index ``row * w + column`` of each kept cell, ascending within a map.
    values : ndarray of float32
        Activation of each kept cell.
    """

    shape: tuple[int, int]
    image_starts: NDArray[np.int64]
    units: NDArray[np.int32]
    starts: NDArray[np.int64]
    cells: NDArray[np.unsignedinteger]
    values: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return _nbytes(self)


@dataclass(frozen=True, slots=True)
class Annotations:
    """Annotations of a chunk of images, ready for the kernels.

    A pixel may hold several concepts. The distinct sets of concepts that occur in an image, its label sets,
    are few. So each pixel carries the number of its label set: a mask counts these numbers pixel by pixel,
    and concepts only once per label set.

    Attributes
    ----------
    label_sets : ndarray of int32
        Label set of each pixel, row by row, image after image; numbered within the image.
    pixel_starts : ndarray of int64, shape (images + 1,)
        Where each image's pixels begin.
    parts : ndarray of int32
        Concepts of each label set, label set after label set, image after image.
    part_starts : ndarray of int64, shape (label sets + 1,)
        Where each label set's concepts begin.
    label_set_starts : ndarray of int64, shape (images + 1,)
        Where each image's label sets begin in `part_starts`.
    label_set_pixels : ndarray of int32, shape (label sets,)
        How many pixels each label set has.
    grid_of : ndarray of int64, shape (images,)
        Which of the data set's label grids each image has.
    image_labels : ndarray of int64
        Concepts that cover a whole image, image after image.
    image_label_starts : ndarray of int64, shape (images + 1,)
        Where each image's begin.
    has_category : ndarray of bool, shape (images, categories)
        Which categories each image carries: it is in D_g.
    """

    label_sets: NDArray[np.int32]
    pixel_starts: NDArray[np.int64]
    parts: NDArray[np.int32]
    part_starts: NDArray[np.int64]
    label_set_starts: NDArray[np.int64]
    label_set_pixels: NDArray[np.int32]
    grid_of: NDArray[np.int64]
    image_labels: NDArray[np.int64]
    image_label_starts: NDArray[np.int64]
    has_category: NDArray[np.bool_]

    def __len__(self) -> int:
        return self.grid_of.size


@dataclass(frozen=True, slots=True)
class PackedAnnotations:
    """Annotations with their planes as runs of equal labels, which takes a tenth of the memory.

    Attributes
    ----------
    run_labels : ndarray of uint16
    run_lengths : ndarray of uint32
    plane_starts, grid_of, image_labels, image_label_starts, has_category : ndarray
        As in `Annotations`.
    """

    run_labels: NDArray[np.uint16]
    run_lengths: NDArray[np.uint32]
    plane_starts: NDArray[np.int64]
    grid_of: NDArray[np.int64]
    image_labels: NDArray[np.int64]
    image_label_starts: NDArray[np.int64]
    has_category: NDArray[np.bool_]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return _nbytes(self)


@dataclass(frozen=True, slots=True)
class Counts:
    """Accumulators of one layer (paper section 3.3); the kernels add to them in place.

    Attributes
    ----------
    intersection : ndarray of int64, shape (quantiles, units, concepts)
        Mask pixels that hold the concept.
    activation : ndarray of int64, shape (quantiles, units, categories)
        Mask pixels in images that carry the category.
    activation_overlap : ndarray of int64, shape (quantiles, units, categories)
        Mask pixels in images where the category overlaps the mask.
    activation_total : ndarray of int64, shape (quantiles, units)
        Mask pixels in all images.
    top_masks : ndarray of uint8, shape (quantiles, units, top, bytes)
        Masks of each unit's top images: row-major bits as of ``np.packbits``.
    """

    intersection: NDArray[np.int64]
    activation: NDArray[np.int64]
    activation_overlap: NDArray[np.int64]
    activation_total: NDArray[np.int64]
    top_masks: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return _nbytes(self)

    @classmethod
    def zeros(
        cls,
        quantiles: int,
        units: int,
        concepts: int,
        categories: int,
        top: int,
        mask_bytes: int,
        scratch: ScratchFile | None = None,
    ) -> Counts:
        """Make counts of nothing, the masks in a file if one is given."""
        masks = (quantiles, units, top, mask_bytes)
        return cls(
            intersection=np.zeros((quantiles, units, concepts), np.int64),
            activation=np.zeros((quantiles, units, categories), np.int64),
            activation_overlap=np.zeros((quantiles, units, categories), np.int64),
            activation_total=np.zeros((quantiles, units), np.int64),
            top_masks=np.zeros(masks, np.uint8) if scratch is None else scratch.zeros(masks, np.uint8),
        )

    def add(self, other: Counts) -> None:
        """Add the counts of other images, in place.

        Parameters
        ----------
        other : Counts
            Of the same sizes. Not changed.
        """
        for name in ("intersection", "activation", "activation_overlap", "activation_total"):
            counts = getattr(self, name)
            counts += getattr(other, name)
        # A top image is in one of the two; in the other its mask is empty.
        np.bitwise_or(self.top_masks, other.top_masks, out=self.top_masks)


def _nbytes(record: SparseMaps | PackedAnnotations | Counts) -> int:
    held = (getattr(record, field.name) for field in fields(record))
    return sum(value.nbytes for value in held if isinstance(value, np.ndarray))
