"""What explaining the predictions of labelled images gives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.labelled_images import LabelledImages
from onnxdissect.experiments.confusions.records import (
    ClassAccuracy,
    Confusion,
    Estimate,
    HeldShares,
    PredictedImage,
    PredictionArrays,
)

__all__ = ["Example", "LabelledExplanations"]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """The masks of an image that a page shows.

    Attributes
    ----------
    image : int
        Its position.
    grid : (int, int)
        (rows, columns) of the masks, which are laid over the whole image.
    masks : ndarray of uint8, shape (units, bytes)
        Of each of its strongest units, in order: rows one after the other as bits of ``np.packbits``.
    """

    image: int
    grid: tuple[int, int]
    masks: NDArray[np.uint8]

    def mask(self, place: int) -> NDArray[np.bool_]:
        """Give the mask of one of the strongest units.

        Parameters
        ----------
        place : int
            Its place among them, from 0.

        Returns
        -------
        ndarray of bool, shape (rows, columns)
        """
        rows, columns = self.grid
        flat = np.unpackbits(self.masks[place], count=rows * columns)
        return flat.reshape(rows, columns).astype(np.bool_)


@dataclass(frozen=True, slots=True)
class LabelledExplanations:
    """Which predictions of labelled images are right, which units made them, and which made wrong ones.

    Attributes
    ----------
    model, run, source : str
        The model file, the run directory, and what the images were asked for by.
    layer, alias : str
        ONNX value name and short name of the layer.
    quantile : float
        The level tau of thresholds and labels.
    output : str
        The output of the network.
    score_of : str
        The value whose entries are scores: `output`, or the logits before its softmax.
    stripped : str
        The operator between the two; "" where there is none.
    reduced : str
        Where `score_of` scores classes at many places, what of them a score is: "mean" or "max"; else "".
    attribution : str
        "linear" or "ablation", see `onnxdissect.explain`.
    error : float or None
        Of *linear*, how far bias and contributions are at most from a score, relative to the largest of them.
    top : int
        Units told of, of an image and of a confusion.
    left_out : int
        Images of the source that have no class.
    resamples, seed : int
        What intervals of held shares are made of.
    right : int
        Images told right.
    accuracy : Estimate
        The share of all images, with Wilson's interval.
    classes : tuple of ClassAccuracy
        All classes that an image shows or that were predicted, by number.
    confusions : tuple of Confusion
        The most frequent first.
    held : HeldShares or None
        None where the images have no annotations, or these know no detector's label.
    images : tuple of PredictedImage
        In the order of the source.
    categories : tuple of str
        Of the run's concepts, in its order.
    labels : tuple of (str, str)
        Label and category of every unit that is a detector; empty texts of others.
    arrays : PredictionArrays
        What every unit did in every image.
    examples : tuple of Example
        Images for a page, a bounded number of each class, right and wrong.
    pictures : LabelledImages
        The images themselves.
    """

    model: str
    run: str
    source: str
    layer: str
    alias: str
    quantile: float
    output: str
    score_of: str
    stripped: str
    reduced: str
    attribution: str
    error: float | None
    top: int
    left_out: int
    resamples: int
    seed: int
    right: int
    accuracy: Estimate
    classes: tuple[ClassAccuracy, ...]
    confusions: tuple[Confusion, ...]
    held: HeldShares | None
    images: tuple[PredictedImage, ...] = field(repr=False)
    categories: tuple[str, ...] = field(repr=False)
    labels: tuple[tuple[str, str], ...] = field(repr=False)
    arrays: PredictionArrays = field(repr=False, compare=False)
    examples: tuple[Example, ...] = field(repr=False, compare=False)
    pictures: LabelledImages = field(repr=False, compare=False)
