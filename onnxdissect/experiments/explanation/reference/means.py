"""What units are on average: one number for each, over images and all places of the layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.progress import Progress
from onnxdissect.data.labelled_images import LabelledImages
from onnxdissect.errors import EmptyDataError, ParameterError
from onnxdissect.experiments.class_scores.scored_layer import ScoredLayer
from onnxdissect.experiments.explanation.reference.batches import prepared_batches
from onnxdissect.experiments.explanation.reference.images import ReferenceImages
from onnxdissect.model.runtime.parts.network_parts import NetworkParts
from onnxdissect.wording import counted

__all__ = ["PHASE", "ReferenceMeans", "means_by_class", "means_of_all"]

PHASE = "reference"
"""Of a progress."""


@dataclass(frozen=True, slots=True)
class ReferenceMeans:
    """Sums of units over images, by class.

    Attributes
    ----------
    name : str
        What the images are called.
    sums : ndarray of float64, shape (classes, units)
        Over images of a class, of a unit's mean over places; of one class where classes do not count.
    counts : ndarray of int64, shape (classes,)
        Images of each.
    by_class : bool
        Whether the classes are those of the network.
    """

    name: str
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    by_class: bool

    def values(self, number: int) -> NDArray[np.float64]:
        """Give what units are set to where a class is explained.

        Parameters
        ----------
        number : int
            The class.

        Returns
        -------
        ndarray of float64, shape (units,)
            Means over all images, or over those of other classes.

        Raises
        ------
        ParameterError
            If all images are of this class.
        """
        sums, counts = self.sums, self.counts
        if self.by_class:
            sums, counts = np.delete(sums, number, axis=0), np.delete(counts, number)
        count = int(counts.sum())
        if not count:
            raise ParameterError(
                f"{self.name} holds {counted(int(self.counts.sum()), 'image')} of the class explained alone, "
                "and other classes have no mean",
                hint="--ablate mean, or images of several classes: --reference DIR",
            )
        return np.asarray(sums.sum(axis=0) / count, np.float64)

    @property
    def said(self) -> str:
        """The images of `values`, such as ``the 2,100 images of tiny-v1``."""
        images = f"the {counted(int(self.counts.sum()), 'image')} of {self.name}"
        return f"those of {images} that show another class" if self.by_class else images


def means_of_all(
    source: ScoredLayer, parts: NetworkParts, images: ReferenceImages, progress: Progress
) -> ReferenceMeans:
    """Average units over images.

    Parameters
    ----------
    source : ScoredLayer
        Which prepares images.
    parts : NetworkParts
        Whose head computes the layer.
    images : ReferenceImages
    progress : Progress

    Returns
    -------
    ReferenceMeans
    """
    classes = np.zeros(images.count, np.int64)
    sums = _summed(source, parts, images.read, classes, 1, progress)
    return ReferenceMeans(images.name, sums, np.array([images.count]), by_class=False)


def means_by_class(
    source: ScoredLayer,
    parts: NetworkParts,
    images: LabelledImages,
    classes: NDArray[np.int64],
    progress: Progress,
) -> ReferenceMeans:
    """Average units over images of each class.

    Parameters
    ----------
    source : ScoredLayer
        Which prepares images, and knows the classes of the network.
    parts : NetworkParts
        Whose head computes the layer.
    images : LabelledImages
    classes : ndarray of int64, shape (images,)
        Which class of the network each shows.
    progress : Progress

    Returns
    -------
    ReferenceMeans
    """
    count = source.scores.classes
    sums = _summed(source, parts, images.read, classes, count, progress)
    return ReferenceMeans(images.source, sums, np.bincount(classes, minlength=count), by_class=True)


def _summed(
    source: ScoredLayer,
    parts: NetworkParts,
    read: Callable[[int], NDArray[np.uint8]],
    classes: NDArray[np.int64],
    count: int,
    progress: Progress,
) -> NDArray[np.float64]:
    """Run the head over images, some at a time, and sum their units' means over places by class."""
    if not len(classes):
        raise EmptyDataError("there is no image to average over", hint="--reference DIR")
    sums = np.zeros((count, parts.layer.units), np.float64)
    layer_bytes = int(np.prod(source.info.shape)) * source.info.units * np.dtype(parts.dtype).itemsize
    for chosen, images in prepared_batches(
        lambda i: source.prepared(read(i)), len(classes), layer_bytes, progress, PHASE
    ):
        view = parts.units_first(parts.activations(images))
        np.add.at(sums, classes[chosen], view.reshape(*view.shape[:2], -1).mean(axis=2, dtype=np.float64))
    return sums
