"""Which units fire in an image, and which of their masks meet the concept that labels them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.upsampling import Field, upsample_map
from onnxdissect.data import Annotation, Vocabulary
from onnxdissect.data.labelled_images import LabelledImages
from onnxdissect.experiments.class_scores.run_layer import layer_field
from onnxdissect.experiments.class_scores.scored_layer import ScoredLayer
from onnxdissect.results.records import Unit

__all__ = ["ImageMasks", "label_places", "layer_masks"]

_STEP_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class ImageMasks:
    """How masks of a layer's units are made, image by image.

    Attributes
    ----------
    thresholds : ndarray of float32, shape (units,)
        T_k of the run.
    pixels : (int, int)
        (height, width) of the network's input.
    field : tuple of (offset, stride) or None
        Where cells lie in that, see `onnxdissect.core.upsampling`.
    places : ndarray of int64, shape (units,)
        Of each detector's label among the concepts of the images' annotations; -1 where there is none.
    images : LabelledImages
        Of which.
    """

    thresholds: NDArray[np.float32]
    pixels: tuple[int, int]
    field: Field | None
    places: NDArray[np.int64]
    images: LabelledImages

    def grid(self, i: int) -> tuple[int, int]:
        """Tell on which grid the masks of an image are made.

        Parameters
        ----------
        i : int
            Position of the image.

        Returns
        -------
        (int, int)
            Its label grid, as in a run; the size of the network's input where it has no annotations.
        """
        annotated = self.images.annotated
        return self.pixels if annotated is None else annotated.data.grid(annotated.positions[i])

    def masks(
        self, maps: NDArray[np.float32], units: Sequence[int] | NDArray[np.int64], grid: tuple[int, int]
    ) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Make M_k of an image for some units, a few at a time.

        Parameters
        ----------
        maps : ndarray of float32, shape (units, h, w)
            Its activations.
        units : sequence of int
            Which.
        grid : (int, int)
            On which grid.

        Yields
        ------
        unit : int
        mask : ndarray of bool, shape `grid`
        """
        chosen = np.asarray(units, np.int64)
        step = max(1, _STEP_BYTES // (4 * grid[0] * grid[1]))
        for start in range(0, len(chosen), step):
            some = chosen[start : start + step]
            above = (
                upsample_map(maps[some], grid, self.pixels, self.field) > self.thresholds[some, None, None]
            )
            yield from zip(some.tolist(), above, strict=True)

    def fired(self, maps: NDArray[np.float32], i: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Find the units whose masks are not empty, and those of which they meet the label.

        Parameters
        ----------
        maps : ndarray of float32, shape (units, h, w)
            Activations of the image.
        i : int
            Its position.

        Returns
        -------
        fired, held : ndarray of bool, shape (units,)
        """
        fired, held = np.zeros((2, len(maps)), np.bool_)
        grid = self.grid(i)
        annotated = self.images.annotated
        shows: Annotation | None = None
        if annotated is not None and (self.places >= 0).any():
            shows = annotated.data.read_annotation(annotated.positions[i])
        # an upsampled map never exceeds its largest cell
        reaching = np.flatnonzero(maps.max(axis=(1, 2)) > self.thresholds)
        for unit, mask in self.masks(maps, reaching, grid):
            fired[unit] = mask.any()
            if shows is not None and self.places[unit] >= 0 and fired[unit]:
                held[unit] = _meets(mask, shows, int(self.places[unit]))
        return fired, held


def _meets(mask: NDArray[np.bool_], shows: Annotation, concept: int) -> bool:
    return concept in shows.image_labels or bool((shows.planes[:, mask] == concept + 1).any())


def layer_masks(source: ScoredLayer, units: Sequence[Unit], images: LabelledImages) -> ImageMasks:
    """Say how masks of a layer are made.

    Parameters
    ----------
    source : ScoredLayer
        The layer.
    units : sequence of Unit
        All of it.
    images : LabelledImages
        Of which images.

    Returns
    -------
    ImageMasks
    """
    thresholds = np.array([unit.threshold for unit in units], np.float32)
    places = np.full(len(units), -1, np.int64)
    if images.annotated is not None:
        places = label_places(units, images.annotated.data.vocabulary)
    return ImageMasks(thresholds, source.network.size, layer_field(source.info), places, images)


def label_places(units: Sequence[Unit], vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Find the labels of detectors among the concepts of a data set, which need not be that of the run.

    Parameters
    ----------
    units : sequence of Unit
        Of the run.
    vocabulary : Vocabulary
        Of the data set.

    Returns
    -------
    ndarray of int64, shape (units,)
        -1 of units that are no detectors, or whose label and category the data set does not have.
    """
    known = {(one.name, one.category): one.index for one in vocabulary.concepts}
    found = [known.get((unit.label, unit.category), -1) if unit.detector else -1 for unit in units]
    return np.array(found, np.int64)
