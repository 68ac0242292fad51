"""What the result of rotating a layer's space is made of: points, curves, concepts that are followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "KINDS",
    "CurveValue",
    "Fall",
    "FollowedConcept",
    "OutputDeviation",
    "RotatedLayer",
    "RotationCurve",
    "RotationPoint",
    "Spread",
    "Verification",
]

KINDS = ("own", "rotation", "permutation", "directions")
"""What a point is: the layer's own units, a share of a rotation, the control, the random baseline."""


@dataclass(frozen=True, slots=True)
class RotationPoint:
    """What the units of a layer detect under one basis, at one quantile.

    Attributes
    ----------
    layer : str
        ONNX value name of the layer.
    quantile : float
        The level tau.
    kind : str
        One of `KINDS`.
    alpha : float or None
        Share of the rotation; 0 for the layer's own units, None for permutation and directions.
    seed : int or None
        What the basis was drawn by; None for the layer's own units.
    entry : str
        Name of the layer under the basis in the run directory.
    units : int
        How many the layer has under the basis.
    detectors : int
        Units whose IoU exceeds the run's threshold.
    unique_detectors : int
        Distinct labels among them.
    unique_low, unique_high : int or None
        95 % interval of it over resampled images, as the run stores it; None without a bootstrap.
    unique : mapping of str to int
        `unique_detectors` by category of the label.
    """

    layer: str
    quantile: float
    kind: str
    alpha: float | None
    seed: int | None
    entry: str
    units: int
    detectors: int
    unique_detectors: int
    unique_low: int | None
    unique_high: int | None
    unique: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Spread:
    """A count of unique detectors over the seeds.

    Attributes
    ----------
    mean : float
        Over the seeds.
    sd : float
        Standard deviation of the seeds around it, of a sample (n - 1); 0 for one seed.
    least, most : int
        Smallest and largest.
    low, high : float or None
        95 % interval of the mean over resampled images, all seeds counted in the same resamples; None
        without a bootstrap.
    """

    mean: float
    sd: float
    least: int
    most: int
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class CurveValue:
    """Unique detectors of all seeds, at one share of the rotation.

    Attributes
    ----------
    alpha : float or None
        Share of the rotation; None for random directions.
    unique : Spread
        Of all categories together.
    by_category : mapping of str to Spread
        By category of the label.
    """

    alpha: float | None
    unique: Spread
    by_category: Mapping[str, Spread]


@dataclass(frozen=True, slots=True)
class Fall:
    """How many of the unique detectors are lost between two shares of the rotation, 0 and 1.

    Attributes
    ----------
    share : float
        1 - mean at alpha 1 / unique detectors at alpha 0; negative if there are more.
    low, high : float or None
        95 % interval of it over resampled images, both counted in the same resamples; None without a
        bootstrap, or if the layer has no unique detector in some resample.
    """

    share: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class FollowedConcept:
    """Where one concept is detected best, along every rotation.

    Attributes
    ----------
    concept : str
        Its name.
    category : str
        Its primary category.
    unit : tuple of tuple of int, shape (seeds, alphas)
        The unit of highest IoU with the concept, the lowest of equal ones; -1 where no mask meets it.
    iou : tuple of tuple of float, shape (seeds, alphas)
        Its IoU.
    detected : tuple of tuple of bool, shape (seeds, alphas)
        Whether the concept is the label of a detector there.
    """

    concept: str
    category: str
    unit: tuple[tuple[int, ...], ...]
    iou: tuple[tuple[float, ...], ...]
    detected: tuple[tuple[bool, ...], ...]


@dataclass(frozen=True, slots=True)
class RotationCurve:
    """Unique detectors of a layer against the share of the rotation, at one quantile.

    Attributes
    ----------
    layer : str
        ONNX value name.
    quantile : float
        The level tau.
    values : tuple of CurveValue
        One per alpha, ascending from 0 to 1.
    fall : Fall or None
        Between alpha 0 and 1; None where the layer has no unique detectors, of which none can be lost.
    half_life : float or None
        The smallest alpha at which half of the layer's unique detectors are gone, on straight lines between
        the means; None if that never happens, or there are none.
    permutation_differences : tuple of str
        What the permuted layer has otherwise than the layer itself, beside the numbers of its units. There
        should be nothing.
    directions : CurveValue
        Of as many random directions as there are units.
    concepts : tuple of FollowedConcept
        All that are detected at any alpha of any seed, by category and name.
    """

    layer: str
    quantile: float
    values: tuple[CurveValue, ...]
    fall: Fall | None
    half_life: float | None
    permutation_differences: tuple[str, ...]
    directions: CurveValue
    concepts: tuple[FollowedConcept, ...]

    @property
    def own(self) -> int:
        """Unique detectors of the layer itself, at alpha 0."""
        return self.values[0].unique.least


@dataclass(frozen=True, slots=True)
class RotatedLayer:
    """A layer that was rotated.

    Attributes
    ----------
    name : str
        ONNX value name.
    alias : str
        Its short name.
    slug : str
        Its folder under ``layers/`` of the run directory.
    units : int
        How many it has.
    """

    name: str
    alias: str
    slug: str
    units: int


@dataclass(frozen=True, slots=True)
class OutputDeviation:
    """How far an output of the network is off once a layer was rotated and rotated back.

    Attributes
    ----------
    output : str
        Name of the output.
    error : float
        Root mean square of the difference over that of the output, the largest over the images; of integers
        the share that differs.
    """

    output: str
    error: float


@dataclass(frozen=True, slots=True)
class Verification:
    """What turning a layer and turning it back again does to the network's outputs.

    Attributes
    ----------
    layer : str
        ONNX value name.
    basis : str
        Name of the rotation.
    images : int
        On how many of the data's images.
    tolerance : float
        What rounding explains; a larger error is refused.
    outputs : tuple of OutputDeviation
        In the order of the network.
    """

    layer: str
    basis: str
    images: int
    tolerance: float
    outputs: tuple[OutputDeviation, ...]
