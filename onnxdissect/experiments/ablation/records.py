"""What removing units has shown, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "KINDS",
    "NEEDED",
    "AblatedClass",
    "AblationArrays",
    "AblationResult",
    "Accuracy",
    "ClassDrop",
    "Difference",
    "GroupRemoval",
    "Removal",
    "UnitNeed",
]

NEEDED = 4
"""A class needs a unit that is among so many most important ones of the class (PNAS 2020)."""

KINDS = ("nothing", "single", "removed", "kept", "random removed", "random kept", "group")
"""What is done to the units, by the numbers of ``kind`` in the arrays."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How well a class is told from the others, or the mean of that over classes.

    Attributes
    ----------
    accuracy : float
        Balanced, one against the rest: mean of the share of the class's images for which it is predicted, and
        of the share of all others for which it is not.
    low, high : float or None
        95 % interval of it over resampled images; None without resamples.
    top1 : float
        Share of the class's images for which it is predicted.
    top1_low, top1_high : float or None
        Likewise.
    area : float
        Under the ROC curve of the class's score: how often an image of the class has a higher one than
        another image, whatever is predicted.
    log_loss : float
        Mean over the class's images of -log of its softmax, in nats.
    """

    accuracy: float
    low: float | None
    high: float | None
    top1: float
    top1_low: float | None
    top1_high: float | None
    area: float
    log_loss: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two accuracies over the same images.

    Attributes
    ----------
    value : float
    low, high : float or None
        95 % interval over resampled images; None without resamples.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class AblatedClass:
    """A class whose most important units were removed.

    Attributes
    ----------
    class_index : int
        Its number among those of the network.
    class_name : str
    images : int
        Its images that accuracies are measured on.
    ranked_images : int
        Its images that units are ranked on.
    nothing : Accuracy
        With all units there.
    important : tuple of int
        All units, the most important one first.
    """

    class_index: int
    class_name: str
    images: int
    ranked_images: int
    nothing: Accuracy
    important: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Removal:
    """What is left of a class, or of classes on average, when some units are removed.

    Attributes
    ----------
    class_index : int or None
        None for the mean over the classes whose units were removed, each with those of its own.
    class_name : str
        "" for the mean.
    kind : str
        "removed" and "kept": the n most important units of the class are removed, or all others are. "random
        removed" and "random kept": n random ones, the mean over repeats.
    n : int
        How many units.
    value : Accuracy
        Of the class.
    spread : float or None
        Of random ones, the standard deviation of the accuracy over repeats.
    others : float
        Mean accuracy of all other classes that the images show, with the same units removed.
    beyond_random : Difference or None
        Accuracy, less that with as many random units removed or kept; None for random ones.
    """

    class_index: int | None
    class_name: str
    kind: str
    n: int
    value: Accuracy
    spread: float | None
    others: float
    beyond_random: Difference | None


@dataclass(frozen=True, slots=True)
class ClassDrop:
    """What a class loses.

    Attributes
    ----------
    class_index : int
    class_name : str
    drop : Difference
        Accuracy with nothing removed, less that without the units.
    """

    class_index: int
    class_name: str
    drop: Difference


@dataclass(frozen=True, slots=True)
class GroupRemoval:
    """What is left when all detectors of a concept or of a category are removed.

    Attributes
    ----------
    name : str
        Of the concept or the category.
    category : str
        Of the concept; "" for a category.
    units : tuple of int
        The detectors.
    value : Accuracy
        Mean over all classes that the images show.
    random : Accuracy
        The same without as many random units, the mean over repeats.
    beyond_random : Difference
        Accuracy, less that without random ones.
    classes : tuple of ClassDrop
        All classes, the largest drop first.
    """

    name: str
    category: str
    units: tuple[int, ...]
    value: Accuracy
    random: Accuracy
    beyond_random: Difference
    classes: tuple[ClassDrop, ...]


@dataclass(frozen=True, slots=True)
class UnitNeed:
    """Which classes need a unit.

    Attributes
    ----------
    unit : int
    label, category : str
        What it is labelled with in the run.
    iou : float
        Of the label.
    detector : bool
        Whether the label counts.
    classes : tuple of str
        Those that have it among their `NEEDED` most important units, and lose accuracy without it.
    mean_drop : float
        Mean over all classes of the accuracy that is lost without it.
    worst_class : str
        The class that loses most.
    worst_drop : float
        How much that is.
    """

    unit: int
    label: str
    category: str
    iou: float
    detector: bool
    classes: tuple[str, ...]
    mean_drop: float
    worst_class: str
    worst_drop: float


@dataclass(frozen=True, slots=True, eq=False)
class AblationArrays:
    """Every prediction that was made, and what follows from it for every class.

    V ways of removing units, M images that are measured on, K units, C classes that the images show.

    Attributes
    ----------
    classes : ndarray of int64, shape (C,)
        Their numbers among those of the network, ascending.
    images : ndarray of str, shape (M,)
        Names.
    image_class : ndarray of int64, shape (M,)
        Position of what each shows, in `classes`.
    kind : ndarray of int64, shape (V,)
        Position in `KINDS`.
    of_class : ndarray of int64, shape (V,)
        Whose important units are removed or kept, a position in `classes`; -1 where of none.
    repeat : ndarray of int64, shape (V,)
        Of random ones, from 0; of groups, which; else -1.
    removed : ndarray of bool, shape (V, K)
        Which units are set to zero.
    predicted : ndarray of int32, shape (V, M)
        Class of the highest score, by its number in the network.
    top1, false_positives, log_loss : ndarray of float64, shape (V, C)
        Share of the class's images for which it is predicted, share of all others for which it is, and mean
        log-loss of its own.
    area : ndarray of float64, shape (V, C)
        Under the ROC curve of the class's score; NaN of single units, and of other classes than the one whose
        important units are removed or kept.
    ranked_drop, ranked_rise : ndarray of float64, shape (C, K)
        What units are ranked by, on the images that they are ranked on: the accuracy lost without the unit,
        and by how much the log-loss rises.
    order : ndarray of int64, shape (C, K)
        Units, the most important one first.
    """

    classes: NDArray[np.int64]
    images: NDArray[np.str_]
    image_class: NDArray[np.int64]
    kind: NDArray[np.int64]
    of_class: NDArray[np.int64]
    repeat: NDArray[np.int64]
    removed: NDArray[np.bool_]
    predicted: NDArray[np.int32]
    top1: NDArray[np.float64]
    false_positives: NDArray[np.float64]
    log_loss: NDArray[np.float64]
    area: NDArray[np.float64]
    ranked_drop: NDArray[np.float64]
    ranked_rise: NDArray[np.float64]
    order: NDArray[np.int64]

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Balanced accuracy of every class, shape (V, C)."""
        return (self.top1 + 1.0 - self.false_positives) / 2.0


@dataclass(frozen=True, slots=True)
class AblationResult:
    """What a network can no longer tell when units of a layer are removed.

    Attributes
    ----------
    request : mapping
        What was asked for: model, run, layer, images, classes and parameters, as JSON values.
    layer, alias : str
        The layer.
    quantile : float
        The level tau of the labels.
    units : int
        How many the layer has.
    output, score_of, stripped : str
        The network's output, the value that is scored by, and the operator left out between the two.
    reduced : str
        Where `score_of` scores classes at many places, what of them a score is: "mean" or "max"; else "".
    images : int
        Images that accuracies are measured on.
    ranked_images : int
        Images that units are ranked on.
    left_out : int
        Images, or files among them, that show no class.
    shown : int
        How many classes the images show.
    counts : tuple of int
        The numbers n of units that are removed and kept.
    repeats : int
        Of random units.
    nothing : Accuracy
        With all units there, the mean over all classes that the images show.
    classes : tuple of AblatedClass
        Those whose units are removed.
    removals : tuple of Removal
        By class, the mean over classes last; by kind; by n.
    groups : tuple of GroupRemoval
    needs : tuple of UnitNeed
        Of every unit.
    need_correlation : Difference or None
        Spearman's rank correlation of a unit's IoU with how many classes need it, with its 95 % interval over
        resampled units; None where either is the same for all.
    arrays : AblationArrays
        Of single images and single units.
    """

    request: Mapping[str, Any]
    layer: str
    alias: str
    quantile: float
    units: int
    output: str
    score_of: str
    stripped: str
    reduced: str
    images: int
    ranked_images: int
    left_out: int
    shown: int
    counts: tuple[int, ...]
    repeats: int
    nothing: Accuracy
    classes: tuple[AblatedClass, ...]
    removals: tuple[Removal, ...]
    groups: tuple[GroupRemoval, ...]
    needs: tuple[UnitNeed, ...]
    need_correlation: Difference | None
    arrays: AblationArrays = field(repr=False, compare=False)

    def curve(self, class_index: int | None, kind: str) -> tuple[Removal, ...]:
        """Follow one class from one number of units to the next.

        Parameters
        ----------
        class_index : int or None
            Its number among those of the network; None for the mean over classes.
        kind : str
            "removed", "kept", "random removed" or "random kept".

        Returns
        -------
        tuple of Removal
            By n.
        """
        return tuple(one for one in self.removals if (one.class_index, one.kind) == (class_index, kind))
