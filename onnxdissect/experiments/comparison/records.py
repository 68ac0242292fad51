"""What a comparison of runs is made of: compared layers, their groups and pairs, concepts, matched units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "BestUnit",
    "ComparedConcept",
    "ComparedGroup",
    "ComparedLayer",
    "ComparedPair",
    "ConceptChange",
    "Difference",
    "Estimate",
    "GroupSpread",
    "LabelOverlap",
    "MatchedUnits",
    "UnitMatching",
]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval over resampled images.

    Attributes
    ----------
    value : float
        In the images themselves.
    low, high : float or None
        None without a bootstrap.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ComparedLayer:
    """One layer of one run at one quantile, under a basis or not.

    Attributes
    ----------
    name : str
        What tells it from the others of the comparison, no longer than it has to be; no two are alike.
    group : str
        Name of its group.
    position : float or None
        Where its group stands along a series; None in a comparison that is none.
    run : str
        The run directory, as it was given.
    model : str
        File name of the network, without its ending.
    data : str
        Name of the data set.
    layer : str
        Name of the entry in the run: an ONNX value name, under a basis ``<value>/basis/<name>``.
    alias : str
        Short name of it.
    basis : str or None
        Name of the basis.
    depth : int
        Which of the run's own layers it is, from 0, in the order of the graph.
    quantile : float
        The level tau.
    units : int
        How many it has.
    images : int
        Of the run; 0 of results that were imported without any.
    detectors : int
        Units whose IoU exceeds the run's threshold.
    share : Estimate
        Detectors by units.
    unique : Estimate
        Distinct labels among the detectors.
    unique_any : int
        The same where a unit counts in every category in which its best IoU exceeds the threshold.
    unique_by_category : mapping of str to Estimate
        `unique`, by category of the label.
    reliable : int or None
        Units that are reliable; None without a bootstrap.
    """

    name: str
    group: str
    position: float | None
    run: str
    model: str
    data: str
    layer: str
    alias: str
    basis: str | None
    depth: int
    quantile: float
    units: int
    images: int
    detectors: int
    share: Estimate
    unique: Estimate
    unique_any: int
    unique_by_category: Mapping[str, Estimate]
    reliable: int | None


@dataclass(frozen=True, slots=True)
class GroupSpread:
    """A number over the members of a group.

    Attributes
    ----------
    mean : float
    sd : float
        Standard deviation of the members around it, of a sample (n - 1); 0 for one member.
    least, most : float
        Smallest and largest.
    """

    mean: float
    sd: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class ComparedGroup:
    """Compared layers that share the value that was grouped by.

    Attributes
    ----------
    name : str
        That value, as text.
    position : float or None
        Along a series; None in a comparison that is none.
    members : tuple of str
        Names of the compared layers, in the order of the comparison.
    share, unique : GroupSpread
        Over the members.
    unique_by_category : mapping of str to GroupSpread
        Likewise.
    """

    name: str
    position: float | None
    members: tuple[str, ...]
    share: GroupSpread
    unique: GroupSpread
    unique_by_category: Mapping[str, GroupSpread]


@dataclass(frozen=True, slots=True)
class Difference:
    """The second's number less the first's.

    Attributes
    ----------
    value : float
    low, high : float or None
        95 % interval over the same resamples of the images for both; None where the two cannot be paired.
    p_value : float or None
        Two-sided, of there being no difference; None likewise.
    p_adjusted : float or None
        The same after Holm's correction for all pairs of the comparison.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float | None
    p_adjusted: float | None


@dataclass(frozen=True, slots=True)
class ConceptChange:
    """A concept that at least one of two compared layers detects.

    Attributes
    ----------
    concept, category : str
    first, second : float
        Its best IoU on either side.
    """

    concept: str
    category: str
    first: float
    second: float


@dataclass(frozen=True, slots=True)
class LabelOverlap:
    """How many detected concepts two layers share, and what chance gives.

    Attributes
    ----------
    shared, union : int
        Concepts that both detect, and that either does.
    jaccard : float
        `shared` by `union`; 1 where neither detects any.
    expected : float
        Mean of it if each side's concepts were drawn at random, as many of each category as it has, out of
        the concepts that may become labels.
    p_value : float
        Chance of as many shared concepts or more.
    """

    shared: int
    union: int
    jaccard: float
    expected: float
    p_value: float


@dataclass(frozen=True, slots=True)
class ComparedPair:
    """Two compared layers.

    Attributes
    ----------
    first, second : str
        Their names.
    paired : bool
        Whether both were resampled with the same images.
    reason : str
        Why they were not; empty where they were.
    unique : Difference
        Of unique detectors.
    share : Difference
        Of the share of detectors among the units.
    unique_by_category : mapping of str to Difference
        Of unique detectors by category of the label.
    gained, lost, kept : tuple of ConceptChange
        Concepts detected by the second only, by the first only, by both.
    overlap : LabelOverlap
    """

    first: str
    second: str
    paired: bool
    reason: str
    unique: Difference
    share: Difference
    unique_by_category: Mapping[str, Difference]
    gained: tuple[ConceptChange, ...]
    lost: tuple[ConceptChange, ...]
    kept: tuple[ConceptChange, ...]
    overlap: LabelOverlap


@dataclass(frozen=True, slots=True)
class BestUnit:
    """The unit of a compared layer that a concept is detected best by.

    Attributes
    ----------
    unit : int
        From 0.
    iou : float
    detectors : tuple of int
        All units that detect the concept; empty where none does.
    """

    unit: int
    iou: float
    detectors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ComparedConcept:
    """One concept across all compared layers.

    Attributes
    ----------
    concept, category : str
    best : tuple of (BestUnit or None)
        One per compared layer; None where no unit meets it, the run's data has no such concept, or results
        that were imported do not tell.
    """

    concept: str
    category: str
    best: tuple[BestUnit | None, ...]


@dataclass(frozen=True, slots=True)
class MatchedUnits:
    """A unit and its counterpart.

    Attributes
    ----------
    first, second : int
        Units, from 0.
    score : float
        Of this pair.
    first_label, second_label : str
        What either detects; empty where it is no detector.
    """

    first: int
    second: int
    score: float
    first_label: str
    second_label: str


@dataclass(frozen=True, slots=True)
class UnitMatching:
    """Units of two layers, one to one, so that the sum of their scores is as large as it can be.

    Attributes
    ----------
    first, second : str
        Names of the compared layers.
    by : str
        What was compared: ``masks``, counts of mask pixels image by image (Pearson's correlation), or
        ``profiles``, IoUs of all concepts (cosine).
    units : tuple of MatchedUnits
        As many as the smaller layer has, by the first's unit.
    score : float
        Mean score of the pairs.
    random_mean, random_low, random_high : float
        Mean score of pairs drawn at random, one to one: its mean and the middle 95 % of the draws.
    chance_mean, chance_low, chance_high : float
        Mean score of the best matching when the images (or the concepts) of one side are shuffled: what
        matching finds where there is nothing to find.
    same_number : float
        Share of the pairs whose units bear the same number.
    same_label : float or None
        Share of the same label among pairs of which both are detectors; None if there are none.
    same_label_random : float or None
        The same of pairs drawn at random.
    """

    first: str
    second: str
    by: str
    units: tuple[MatchedUnits, ...]
    score: float
    random_mean: float
    random_low: float
    random_high: float
    chance_mean: float
    chance_low: float
    chance_high: float
    same_number: float
    same_label: float | None
    same_label_random: float | None
