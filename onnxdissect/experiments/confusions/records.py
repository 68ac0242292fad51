"""What explaining the predictions of labelled images gives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.labelled_images import LabelledImages

__all__ = [
    "ClassAccuracy",
    "ConfusedUnit",
    "Confusion",
    "Estimate",
    "Example",
    "HeldShare",
    "HeldShares",
    "ImageUnit",
    "LabelledExplanations",
    "PredictedImage",
    "PredictionArrays",
]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes
    ----------
    value : float or None
        None where there is nothing to make it of.
    low, high : float or None
        Ends of the interval; None likewise.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ImageUnit:
    """One of the strongest units of a prediction.

    Attributes
    ----------
    unit : int
        Number of the unit, from 0; a detector that fired.
    contribution : float
        To the score of the class that was predicted.
    share : float
        Of the sum of all units' positive contributions.
    held : bool or None
        Whether its mask meets its label in the image's annotations. None where nobody says.
    """

    unit: int
    contribution: float
    share: float
    held: bool | None


@dataclass(frozen=True, slots=True)
class PredictedImage:
    """What was predicted of an image, and which units made it.

    Attributes
    ----------
    name : str
        As its source names it.
    class_index : int
        The class it shows.
    predicted_index : int
        The class of the highest score.
    class_score, predicted_score : float
        Scores of the two.
    units : tuple of ImageUnit
        Of the detectors that fired those of the largest positive contributions, in order.
    """

    name: str
    class_index: int
    predicted_index: int
    class_score: float
    predicted_score: float
    units: tuple[ImageUnit, ...]

    @property
    def right(self) -> bool:
        """Whether the class it shows was predicted."""
        return self.class_index == self.predicted_index


@dataclass(frozen=True, slots=True)
class ClassAccuracy:
    """How often the images of a class are told right.

    Attributes
    ----------
    class_index : int
        Number of the class.
    class_name : str
        Its name; its number where names are not known.
    images : int
        Images that show it.
    right : int
        Those of which it was predicted.
    accuracy : Estimate
        right / images, with Wilson's interval; of no images, nothing.
    predicted : int
        Images of which it was predicted, whatever they show.
    """

    class_index: int
    class_name: str
    images: int
    right: int
    accuracy: Estimate
    predicted: int


@dataclass(frozen=True, slots=True)
class ConfusedUnit:
    """How often a detector fires where two classes were confused, against the base rate.

    Attributes
    ----------
    unit : int
        Number of the unit, from 0.
    label, category : str
        Of the run.
    iou : float
        IoU of the label.
    contribution : float
        Of a unit that fired for the wrong class, the mean over the confused images of its contribution to the
        score of the class predicted less that to the score of the class shown. Of one that was silent, its mean
        contribution to the score of the class shown in the images of it that were told right, less that in
        the confused ones.
    fired, images : int
        In how many of the confused images it fired, and how many there are.
    base_fired, base_images : int
        The same of the images of the class shown that were told right: the base rate.
    other_fired, other_images : int
        The same of the images of the class predicted that were told right.
    difference : Estimate
        fired / images less base_fired / base_images, with Newcombe's interval; nothing where no image of the
        class shown was told right.
    p : float or None
        Probability that chance gives so many among the confused images, or so few of one that was silent
        (Fisher's exact test, one-sided). None likewise.
    q : float or None
        The false-discovery rate at which that is a discovery, among all detectors and confusions (Benjamini
        and Hochberg). None likewise.
    """

    unit: int
    label: str
    category: str
    iou: float
    contribution: float
    fired: int
    images: int
    base_fired: int
    base_images: int
    other_fired: int
    other_images: int
    difference: Estimate
    p: float | None
    q: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """Images of one class that were taken for another.

    Attributes
    ----------
    class_index, predicted_index : int
        The class that they show, and the one predicted.
    class_name, predicted_name : str
        Their names.
    images : int
        How many there are.
    share : float
        Of all images of the class that they show.
    detailed : bool
        Whether its units are told of: confusions of few images, and those beyond the most frequent, are not.
    fired : tuple of ConfusedUnit
        Detectors that fired and contributed most to the score of the wrong class over that of the right one,
        the most first.
    silent : tuple of ConfusedUnit
        Detectors that fired less often than in images told right, and whose contribution to the score of the
        right class is missing most, the most first.
    """

    class_index: int
    predicted_index: int
    class_name: str
    predicted_name: str
    images: int
    share: float
    detailed: bool
    fired: tuple[ConfusedUnit, ...]
    silent: tuple[ConfusedUnit, ...]


@dataclass(frozen=True, slots=True)
class HeldShare:
    """Of some units in images: the share whose mask meets their label in the image's annotations.

    Attributes
    ----------
    right, wrong : Estimate
        In images told right, and told wrong.
    difference : Estimate
        right less wrong.
    """

    right: Estimate
    wrong: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True)
class HeldShares:
    """Whether the concepts of the strongest units are there, at the units' masks, against units at random.

    Intervals are those of resampled images.

    Attributes
    ----------
    units_right, units_wrong : int
        Strongest units of all images told right, and told wrong, whose labels the annotations know.
    strongest : HeldShare
        Of these units.
    fired : HeldShare
        What as many units drawn at random from the detectors that fired in the same image would give.
    random : HeldShare
        What as many drawn from all detectors of the layer would give; one that did not fire meets nothing.
    over_fired, over_random : HeldShare
        `strongest` less each of them.
    """

    units_right: int
    units_wrong: int
    strongest: HeldShare
    fired: HeldShare
    random: HeldShare
    over_fired: HeldShare
    over_random: HeldShare


@dataclass(frozen=True, slots=True, eq=False)
class PredictionArrays:
    """What every unit did in every image. N images, U units of the layer, W images told wrong.

    Attributes
    ----------
    class_index, predicted_index : ndarray of int32, shape (N,)
        The class shown, and the one predicted.
    contribution : ndarray of float32, shape (N, U)
        To the score of the class predicted.
    wrong : ndarray of int32, shape (W,)
        The images told wrong, ascending.
    class_contribution : ndarray of float32, shape (W, U)
        In these, contributions to the score of the class shown.
    fired : ndarray of bool, shape (N, U)
        Whether the unit's mask in the image is not empty.
    held : ndarray of bool, shape (N, U)
        Whether it meets the unit's label in the image's annotations; False also where nobody says.
    known : ndarray of bool, shape (U,)
        Whether the annotations know the unit's label.
    """

    class_index: NDArray[np.int32]
    predicted_index: NDArray[np.int32]
    contribution: NDArray[np.float32]
    wrong: NDArray[np.int32]
    class_contribution: NDArray[np.float32]
    fired: NDArray[np.bool_]
    held: NDArray[np.bool_]
    known: NDArray[np.bool_]


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

    def class_name(self, number: int) -> str:
        """Name a class of `classes`.

        Parameters
        ----------
        number : int

        Returns
        -------
        str
        """
        return next(one.class_name for one in self.classes if one.class_index == number)
