"""What explained predictions of labelled images are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ClassAccuracy",
    "ConfusedUnit",
    "Confusion",
    "Estimate",
    "HeldShare",
    "HeldShares",
    "ImageUnit",
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
        score of the class predicted less that to the score of the class shown. Of one that was silent, its
        mean contribution to the score of the class shown in the images of it that were told right, less that
        in the confused ones.
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
