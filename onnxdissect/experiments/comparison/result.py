"""The result of comparing runs."""

from __future__ import annotations

from dataclasses import dataclass

from onnxdissect.experiments.comparison.records import (
    ComparedConcept,
    ComparedGroup,
    ComparedLayer,
    ComparedPair,
    UnitMatching,
)

__all__ = ["ComparisonResult"]


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """What a comparison of runs has found; made by `onnxdissect.compare`.

    Attributes
    ----------
    by : str
        What was grouped by: ``layer``, ``network``, ``run``, ``quantile``, ``basis``, or a manifest key.
    series : bool
        Whether groups stand along a series, such as checkpoints of one training.
    categories : tuple of str
        Of all runs, in the order of ``category.csv``.
    iou_threshold : float or None
        None where the runs differ in it.
    scoring : str or None
        Likewise.
    resamples : int
        Of the bootstrap; 0 where nothing was resampled.
    marks : tuple of str
        In what the runs differ that should not differ, a sentence each; empty unless it was compared anyway.
    layers : tuple of ComparedLayer
        In the order in which they were given.
    groups : tuple of ComparedGroup
        In the order of their first members, in a series by position.
    pairs : tuple of ComparedPair
        Each layer with the one that it is compared with.
    concepts : tuple of ComparedConcept
        Those that are detected anywhere, by category and name.
    matchings : tuple of UnitMatching
        Of pairs whose units were matched.
    """

    by: str
    series: bool
    categories: tuple[str, ...]
    iou_threshold: float | None
    scoring: str | None
    resamples: int
    marks: tuple[str, ...]
    layers: tuple[ComparedLayer, ...]
    groups: tuple[ComparedGroup, ...]
    pairs: tuple[ComparedPair, ...]
    concepts: tuple[ComparedConcept, ...]
    matchings: tuple[UnitMatching, ...]
