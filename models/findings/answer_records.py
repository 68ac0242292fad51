"""What the findings are told in: differences with their verdict, variants, sweeps, rotations, overlaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from estimates import Estimate, verdict_of

__all__ = ["Finding", "Followed", "Overlap", "Rotated", "Swept", "Variant"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A published difference, and ours.

    Attributes
    ----------
    difference : Estimate
    published : {-1, 1}
        The published sign.
    """

    difference: Estimate
    published: int

    @property
    def verdict(self) -> str:
        """Whether ours agrees."""
        return verdict_of(self.difference, self.published)


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
    differences : int
        Things that a permutation changed beside the numbers of units, in all networks together.
    """

    curve: Mapping[float, Estimate]
    directions: Estimate
    fall: Estimate
    differences: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two trainings that differ in their seed have in common; means over the pairs of seeds.

    Attributes
    ----------
    jaccard : tuple of float
        Labels of detectors that both have by those that either has, one per pair.
    chance : tuple of float
        The same of as many labels of each category drawn at random.
    numbers : tuple of float
        Mean cosine of the IoUs of units of equal number.
    matched : tuple of float
        Of the best pairs.
    shuffled : tuple of float
        Of the best pairs when one side's concepts are shuffled.
    """

    jaccard: tuple[float, ...]
    chance: tuple[float, ...]
    numbers: tuple[float, ...]
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
