"""What the findings are told in: differences with their verdict, variants, sweeps, rotations, overlaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from page.estimates import AGREES, DISAGREES, TOO_FEW, Estimate, alike_verdict, verdict_of

__all__ = ["FEWEST", "Alike", "Finding", "Followed", "Overlap", "Rotated", "Swept", "Unchanged", "Variant"]

FEWEST = 3
"""A share of fewer detectors, or a count that is nowhere so large, says nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A published difference, and ours.

    Attributes
    ----------
    difference : Estimate
    published : {-1, 1}
        The published sign.
    fewest : int, optional
        Of shares of detectors, the fewest that some network's share is of; of counts that may be next to
        nothing, the most that some network has.
    """

    difference: Estimate
    published: int
    fewest: int | None = None

    @property
    def verdict(self) -> str:
        """Whether ours agrees."""
        if self.fewest is not None and self.fewest < FEWEST:
            return TOO_FEW
        return verdict_of(self.difference, self.published)


@dataclass(frozen=True, slots=True)
class Alike:
    """Differences that were published as small.

    Attributes
    ----------
    differences : mapping of str to Estimate
        By what they are between, and of what.
    margin : float
        What is small.
    """

    differences: Mapping[str, Estimate]
    margin: float

    @property
    def verdict(self) -> str:
        """Whether ours are small."""
        return alike_verdict(list(self.differences.values()), self.margin)

    @property
    def largest(self) -> tuple[str, Estimate]:
        """The one furthest from 0, and between what it is."""
        return max(self.differences.items(), key=lambda item: abs(item[1].value))


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Something that must not change, up to rounding.

    Attributes
    ----------
    found : float
        How much it did, at most.
    allowed : float
        What rounding explains.
    """

    found: float
    allowed: float

    @property
    def verdict(self) -> str:
        """Whether it did not."""
        return AGREES if self.found <= self.allowed else DISAGREES


@dataclass(frozen=True, slots=True)
class Variant:
    """A training condition, in the last layer of its networks.

    Attributes
    ----------
    unique : Estimate
        Unique detectors.
    interpretable : Estimate
        Detectors by units.
    categories : mapping of str to Estimate
        Unique detectors by category.
    units : int
    score : float
        Mean over the seeds.
    scores : tuple of float
        One per seed.
    """

    unique: Estimate
    interpretable: Estimate
    categories: Mapping[str, Estimate]
    units: int
    score: float
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Swept:
    """A quantile, in the last layer of `base`.

    Attributes
    ----------
    quantile : float
    unique : Estimate
    generic : Estimate
        Detectors with a generic label, as a share of all.
    """

    quantile: float
    unique: Estimate
    generic: Estimate


@dataclass(frozen=True, slots=True)
class Rotated:
    """Rotations of the last layer of networks that differ in their seed alone.

    Attributes
    ----------
    curve : mapping of float to Estimate
        Unique detectors by alpha, each network's a mean over the rotations.
    directions : Estimate
        Of random directions.
    fall : Estimate
        Share of the unique detectors that is lost between alpha 0 and 1.
    renumbered : Unchanged
        Things that a permutation changed beside the numbers of units, in all networks together.
    turned_back : Unchanged
        Share of its size by which an output is off, when the layer is turned and turned back.
    """

    curve: Mapping[float, Estimate]
    directions: Estimate
    fall: Estimate
    renumbered: Unchanged
    turned_back: Unchanged


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two trainings that differ in their seed have in common, for every pair of seeds.

    Attributes
    ----------
    jaccard : tuple of float
        Labels of detectors that both have by those that either has.
    chance : tuple of float
        The same of as many labels of each category drawn at random, the mean.
    p_values : tuple of float
        Chance that labels drawn at random share as many, or more.
    numbers : tuple of float
        Mean cosine of the IoUs of units of equal number.
    random : tuple of float
        Of units paired at random, the upper end of the middle 95 %.
    matched : tuple of float
        Of the best pairs.
    shuffled : tuple of float
        Of the best pairs when one side's concepts are shuffled, the upper end of the middle 95 %.
    """

    jaccard: tuple[float, ...]
    chance: tuple[float, ...]
    p_values: tuple[float, ...]
    numbers: tuple[float, ...]
    random: tuple[float, ...]
    matched: tuple[float, ...]
    shuffled: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Followed:
    """The units of `base` while it is taught something else.

    Attributes
    ----------
    iteration : int
    kept, changed, lost, new : tuple of int
        Detectors of `base` that keep their label, that detect something else, that detect nothing any more,
        and detectors that were none; one per seed.
    """

    iteration: int
    kept: tuple[int, ...]
    changed: tuple[int, ...]
    lost: tuple[int, ...]
    new: tuple[int, ...]
