"""What an explanation of a prediction is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxdissect.arguments import checked_arguments
from onnxdissect.core.upsampling import Field, upsample_map
from onnxdissect.errors import ParameterError

__all__ = [
    "ABLATED_TO",
    "ATTRIBUTIONS",
    "OVER",
    "UNLABELLED",
    "ConceptShare",
    "Explanation",
    "Fit",
    "ShapleyOrders",
    "UnitContribution",
]

ATTRIBUTIONS = ("auto", "linear", "ablation", "shapley", "fitted")
"""What can be asked for; "auto" takes linear where it holds, else ablation."""

ABLATED_TO = ("zero", "mean", "other-classes")
"""What a unit can be set to when it is removed."""

OVER = ("units", "concepts")
"""What *shapley* can be over."""

UNLABELLED = "unlabelled units"
"""Under this name stand together the units that detect nothing."""


@dataclass(frozen=True, slots=True)
class UnitContribution:
    """What one unit contributed to the score of a class, with what it detects.

    Attributes
    ----------
    unit : int
        Number of the unit, from 0.
    label, category : str
        Of the run; empty where the unit's mask meets no concept.
    iou : float
        IoU of the label.
    iou_low, iou_high : float or None
        95 % interval of it; None without a bootstrap.
    stability : float or None
        Share of resamples in which the label wins; None without a bootstrap.
    detector : bool
        Whether `iou` exceeds the run's threshold.
    reliable : bool or None
        As in the run; None without a bootstrap.
    contribution : float
        In units of the score, as `Explanation.attribution` defines it.
    share : float
        Of the sum of all units' contributions of its sign: positive ones come to 1 together, negative ones
        to -1.
    activation : float
        Largest activation in this image.
    threshold : float
        T_k of the run.
    area : float
        Share of the image that its mask covers.
    box : (int, int, int, int) or None
        First row, first column, row and column behind the last of the mask, in the image's own pixels. None
        where the mask is empty.
    standard_error : float or None
        Of the contribution, where that is an estimate.
    """

    unit: int
    label: str
    category: str
    iou: float
    iou_low: float | None
    iou_high: float | None
    stability: float | None
    detector: bool
    reliable: bool | None
    contribution: float
    share: float
    activation: float
    threshold: float
    area: float
    box: tuple[int, int, int, int] | None
    standard_error: float | None = None


@dataclass(frozen=True, slots=True)
class ConceptShare:
    """What all units of one label contributed.

    Attributes
    ----------
    concept : str
        The label of detectors; `UNLABELLED` for all other units together.
    category : str
        Of the label; empty for those.
    units : tuple of int
        The units, the strongest contribution first.
    contribution : float
        Sum of theirs.
    share : float
        Of the sum of all concepts' contributions of its sign, as with units.
    standard_error : float or None
        Of the contribution, where that is an estimate.
    """

    concept: str
    category: str
    units: tuple[int, ...]
    contribution: float
    share: float
    standard_error: float | None = None


@dataclass(frozen=True, slots=True)
class ShapleyOrders:
    """What Shapley values are averages over.

    Attributes
    ----------
    over : str
        "units" or "concepts".
    players : int
        How many took part: units, or labels of detectors and the unlabelled units as one. What is already
        what it would be set to takes no part, and contributes 0.
    units : tuple of int
        The units among them, ascending. All others stayed as they are.
    permutations : int
        Orders that were drawn, each taken with its reverse; 0 where all subsets of the players were scored.
    seed : int
        Of the orders.
    """

    over: str
    players: int
    units: tuple[int, ...]
    permutations: int
    seed: int


@dataclass(frozen=True, slots=True)
class Fit:
    """The linear classifier of *fitted*.

    Attributes
    ----------
    images : int
        How many it was fitted to.
    classes : tuple of str
        What they show, in the order of the numbers of classes.
    accuracy : float or None
        Share of images told rightly by classifiers that were fitted without them.
    folds : int
        How many such classifiers; 0 where some class has one image, and nothing is known of the accuracy.
    """

    images: int
    classes: tuple[str, ...]
    accuracy: float | None
    folds: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which units of a layer made the score of a class for one image.

    Attributes
    ----------
    image : str
        Path of the image as given; "array" for pixels that were given.
    model : str
        The model file.
    run : str
        The run directory, whose labels and thresholds these are.
    layer, alias : str
        ONNX value name and short name of the layer.
    quantile : float
        The level tau of thresholds and labels.
    output : str
        The output of the network; empty of *fitted*, which does not use it.
    score_of : str
        The value whose entry is explained: `output`, or the logits before its softmax. Empty of *fitted*,
        whose own scores are explained.
    stripped : str
        The operator between the two, such as "Softmax"; "" where there is none.
    class_index : int
        The class explained.
    class_name : str
        Its name; its number where names are not known.
    predicted_index : int
        The class of the highest score.
    predicted_name : str
        Its name.
    score : float
        Score of the class explained.
    attribution : str
        "linear": the score with only this unit active, less the score with none; the layer's units add up.
        "ablation": the score, less the score with this unit removed. "shapley": what the unit adds to the
        score when it joins others, averaged over the orders of joining. "fitted": weight times standardised
        mean activation in a linear classifier that was fitted to labelled images.
    bias : float or None
        What contributions add up from: the score with no unit active of *linear*, with all players removed of
        *shapley*, the classifier's own of *fitted*; None of *ablation*.
    error : float or None
        How far bias and contributions together are from the score, relative to the largest of them all; None
        of *ablation*, whose changes need not come to anything.
    contributions : tuple of float
        Of every unit of the layer; 0 of units that are no players of *shapley*. Empty where that is over
        concepts, which units have no contribution of.
    units : tuple of UnitContribution
        The units of largest contributions, of either sign, in order.
    concepts : tuple of ConceptShare
        All of them, by contribution, highest first.
    pixels : ndarray of uint8, shape (height, width, 3)
        The image, upright.
    activations : ndarray of float32, shape (units, h, w)
        A_k of this image.
    input_size : (int, int)
        (height, width) that the network took the image at.
    placement : tuple of (offset, stride) or None
        Where cells lie in that, see `onnxdissect.core.upsampling`.
    ablated_to : str
        What a removed unit is set to: "zero", "mean" (of the unit, over `reference` and all places), or
        "other-classes" (likewise, over the images that show another class than this one).
    reference : str
        The images of those means, or those that *fitted* was fitted to; empty where there are none.
    orders : ShapleyOrders or None
        Of *shapley*.
    fit : Fit or None
        Of *fitted*.
    reduced : str
        Where `score_of` scores classes at many places, what of them the score is: "mean" or "max"; else "".
    """

    image: str
    model: str
    run: str
    layer: str
    alias: str
    quantile: float
    output: str
    score_of: str
    stripped: str
    class_index: int
    class_name: str
    predicted_index: int
    predicted_name: str
    score: float
    attribution: str
    bias: float | None
    error: float | None
    contributions: tuple[float, ...] = field(repr=False)
    units: tuple[UnitContribution, ...]
    concepts: tuple[ConceptShare, ...]
    pixels: NDArray[np.uint8] = field(repr=False, compare=False)
    activations: NDArray[np.float32] = field(repr=False, compare=False)
    input_size: tuple[int, int]
    placement: Field | None
    ablated_to: str = "zero"
    reference: str = ""
    orders: ShapleyOrders | None = None
    fit: Fit | None = None
    reduced: str = ""

    @checked_arguments()
    def heat(self, unit: int) -> NDArray[np.float32]:
        """Upsample a unit's map to the image's own size.

        Parameters
        ----------
        unit : int
            Number of the unit.

        Returns
        -------
        ndarray of float32, shape (height, width)

        Raises
        ------
        ParameterError
            If the layer has no such unit, or the explanation was read from a file.
        """
        if not len(self.activations):
            raise ParameterError(
                "explanations that were read from a file hold no activations",
                hint="onnxdissect.explain computes them again",
            )
        if not 0 <= unit < len(self.activations):
            raise ParameterError(
                f"layer {self.layer!r} has no unit {unit}", hint=f"0 to {len(self.activations) - 1}"
            )
        height, width = self.pixels.shape[:2]
        return upsample_map(self.activations[unit], (height, width), self.input_size, self.placement)

    @checked_arguments()
    def mask(self, unit: int) -> NDArray[np.bool_]:
        """Cut a unit's map at its threshold: M_k of this image, at the image's own size.

        Parameters
        ----------
        unit : int
            One of `units`.

        Returns
        -------
        ndarray of bool, shape (height, width)

        Raises
        ------
        ParameterError
            If it is none of them.
        """
        for one in self.units:
            if one.unit == unit:
                return self.heat(unit) > np.float32(one.threshold)
        raise ParameterError(
            f"unit {unit} is none of the {len(self.units)} of this explanation",
            candidates=[str(one.unit) for one in self.units],
            hint="top=N explains by more units",
        )
