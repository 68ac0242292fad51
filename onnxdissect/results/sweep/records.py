"""The records of a threshold sweep: a layer at each quantile, a unit over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["GenericConcept", "LayerSweep", "QuantileCounts", "ThresholdSweep", "UnitLabels"]


@dataclass(frozen=True, slots=True)
class GenericConcept:
    """A concept that says little as a label.

    Attributes
    ----------
    number : int
        Its number in ``label.csv``.
    name : str
    category : str
        Its primary category.
    share : float
        Its pixels as a share of all pixels of the run's images, in [0, 1].
    reason : str
        ``color``, ``wide`` or ``filling``; see `onnxdissect.results.sweep.generic.generic_concepts`.
    """

    number: int
    name: str
    category: str
    share: float
    reason: str


@dataclass(frozen=True, slots=True)
class QuantileCounts:
    """The labels of a layer at one quantile.

    Attributes
    ----------
    layer : str
        ONNX value name.
    quantile : float
        The level tau.
    units : int
        All units.
    labelled : int
        Units whose mask meets a concept at all, detectors or not.
    detectors : int
        Units whose IoU exceeds the threshold.
    unique_detectors : int
        Distinct labels among them.
    unique_low, unique_high : int or None
        95 % interval of `unique_detectors` over resampled images, as the run stores it; None without a
        bootstrap.
    generic_labels : int
        Labelled units whose label is generic.
    generic_detectors : int
        Detectors whose label is generic.
    generic_color, generic_wide, generic_filling : int
        The same by the reason why it is; they add up to `generic_detectors`.
    changed : int or None
        Units whose label is another than at the next smaller quantile, having one or none; None at the
        smallest.
    detectors_by : mapping of str to int
        `detectors` by category of the label, in the run's order of categories.
    unique : mapping of str to int
        `unique_detectors` likewise.
    """

    layer: str
    quantile: float
    units: int
    labelled: int
    detectors: int
    unique_detectors: int
    unique_low: int | None
    unique_high: int | None
    generic_labels: int
    generic_detectors: int
    generic_color: int
    generic_wide: int
    generic_filling: int
    changed: int | None
    detectors_by: Mapping[str, int]
    unique: Mapping[str, int]

    @property
    def generic_share(self) -> float | None:
        """Generic labels among those of the detectors, in [0, 1]; None without a detector."""
        return self.generic_detectors / self.detectors if self.detectors else None

    @property
    def generic_label_share(self) -> float | None:
        """Generic labels among all labels, in [0, 1]; None without a label."""
        return self.generic_labels / self.labelled if self.labelled else None


@dataclass(frozen=True, slots=True)
class UnitLabels:
    """The label of a unit at every quantile.

    Attributes
    ----------
    layer : str
        ONNX value name.
    unit : int
        From 0.
    quantiles : tuple of float
        In rising order.
    labels, categories : tuple of str
        Name of its label at each quantile, and the label's primary category; empty where it has none.
    detector : tuple of bool
        Whether it is a detector at each.
    """

    layer: str
    unit: int
    quantiles: tuple[float, ...]
    labels: tuple[str, ...]
    categories: tuple[str, ...]
    detector: tuple[bool, ...]

    @property
    def same_label(self) -> bool:
        """Whether it has a label at every quantile, the same at all of them."""
        return bool(self.labels[0]) and self.changes == 0

    @property
    def changes(self) -> int:
        """Between how many neighbouring quantiles its label changes, to none and from none included."""
        pairs = tuple(zip(self.labels, self.categories, strict=True))
        return sum(one != other for one, other in pairwise(pairs))

    @property
    def detections(self) -> int:
        """At how many quantiles it is a detector."""
        return sum(self.detector)

    @property
    def first_detector(self) -> float | None:
        """The smallest quantile at which it is a detector; None if at none."""
        return next((q for q, on in zip(self.quantiles, self.detector, strict=True) if on), None)

    @property
    def last_detector(self) -> float | None:
        """The largest quantile at which it is a detector; None if at none."""
        found = [q for q, on in zip(self.quantiles, self.detector, strict=True) if on]
        return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class LayerSweep:
    """What becomes of the labels of one layer.

    Attributes
    ----------
    layer : str
        ONNX value name.
    quantiles : tuple of float
        In rising order.
    counts : tuple of QuantileCounts
        One per quantile.
    units : tuple of UnitLabels
        In order of the units.
    """

    layer: str
    quantiles: tuple[float, ...]
    counts: tuple[QuantileCounts, ...]
    units: tuple[UnitLabels, ...]

    @property
    def same_label(self) -> int:
        """Units whose label is the same at every quantile, detectors or not."""
        return sum(unit.same_label for unit in self.units)

    @property
    def same_and_ever(self) -> int:
        """Those of them that are detectors at some quantile."""
        return sum(unit.same_label and unit.detections > 0 for unit in self.units)

    @property
    def same_and_always(self) -> int:
        """Those of them that are detectors at every quantile."""
        return sum(unit.same_label and all(unit.detector) for unit in self.units)

    @property
    def ever(self) -> int:
        """Units that are detectors at some quantile."""
        return sum(unit.detections > 0 for unit in self.units)

    @property
    def always(self) -> int:
        """Units that are detectors at every quantile, whatever their labels."""
        return sum(all(unit.detector) for unit in self.units)


@dataclass(frozen=True, slots=True)
class ThresholdSweep:
    """How labels change with the quantile level tau.

    Attributes
    ----------
    quantiles : tuple of float
        Two or more, in rising order, whatever the run's order is.
    layers : tuple of LayerSweep
        In the run's order.
    generic : tuple of GenericConcept
        The concepts that count as generic, in order of their numbers.
    """

    quantiles: tuple[float, ...]
    layers: tuple[LayerSweep, ...]
    generic: tuple[GenericConcept, ...]
