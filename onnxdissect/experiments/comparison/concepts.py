"""Which concepts the compared layers detect and how well: changes, overlap, the matrix of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnxdissect.experiments.comparison.records import (
    BestUnit,
    ComparedConcept,
    ConceptChange,
    LabelOverlap,
)
from onnxdissect.experiments.comparison.selection import Selected
from onnxdissect.statistics.shared_labels import LabelDraw, expected_jaccard, shared_labels, upper_tail

__all__ = ["Changes", "LayerConcepts", "changes", "concept_matrix", "label_overlap", "layer_concepts"]

Key = tuple[str, str]
"""Name and category of a concept, by which those of different data sets are told apart."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerConcepts:
    """What one compared layer knows of concepts.

    Attributes
    ----------
    best : mapping of (str, str) to (int, float)
        By name and category, the unit of highest IoU with each concept that a mask meets, and that IoU.
    detectors : mapping of (str, str) to tuple of int
        Units labelled with each concept that is detected.
    candidates : frozenset of (str, str)
        Concepts that may become labels.
    """

    best: Mapping[Key, tuple[int, float]]
    detectors: Mapping[Key, tuple[int, ...]]
    candidates: frozenset[Key]

    def iou(self, key: Key) -> float:
        """Give the highest IoU with a concept; 0 where no mask meets it.

        Parameters
        ----------
        key : (str, str)

        Returns
        -------
        float
        """
        return self.best.get(key, (-1, 0.0))[1]


@dataclass(frozen=True, slots=True)
class Changes:
    """Concepts that two layers detect, as `onnxdissect.experiments.comparison.records.ComparedPair` has them.

    Attributes
    ----------
    gained, lost, kept : tuple of ConceptChange
    """

    gained: tuple[ConceptChange, ...]
    lost: tuple[ConceptChange, ...]
    kept: tuple[ConceptChange, ...]


def layer_concepts(one: Selected) -> LayerConcepts:
    """Find what a layer knows of each concept.

    Parameters
    ----------
    one : Selected

    Returns
    -------
    LayerConcepts

    Raises
    ------
    RunFormatError
        If files of the run are missing or damaged.
    """
    run = one.run.dissection
    detectors: dict[Key, list[int]] = {}
    units = run.units(one.info.name, one.quantile)
    for unit in units:
        if unit.detector:
            detectors.setdefault((unit.label, unit.category), []).append(unit.unit)
    best: dict[Key, tuple[int, float]] = {}
    if run.imported:
        # only the best concept of each category is known
        for unit in units:
            for category, (name, value) in unit.best.items():
                _keep_best(best, (name, category), unit.unit, value)
    else:
        iou = run.iou(one.info.name)[one.place]
        if iou.size:
            unit_of, highest = iou.argmax(axis=0).tolist(), iou.max(axis=0).tolist()
            for concept, unit_best, value in zip(run.concepts, unit_of, highest, strict=True):
                _keep_best(best, (concept.name, concept.category), int(unit_best), float(value))
    candidates = frozenset(
        (concept.name, concept.category)
        for concept, candidate in zip(run.concepts, np.asarray(run.candidates).tolist(), strict=True)
        if candidate
    )
    return LayerConcepts(
        best, {key: tuple(found) for key, found in detectors.items()}, candidates | detectors.keys()
    )


def changes(first: LayerConcepts, second: LayerConcepts, categories: Sequence[str]) -> Changes:
    """Tell which concepts the second of two layers detects otherwise than the first.

    Parameters
    ----------
    first, second : LayerConcepts
    categories : sequence of str
        Their order.

    Returns
    -------
    Changes
        Each by category and name.
    """
    one, other = first.detectors.keys(), second.detectors.keys()
    return Changes(
        *(
            tuple(ConceptChange(*key, first.iou(key), second.iou(key)) for key in _sorted(found, categories))
            for found in (other - one, one - other, one & other)
        )
    )


def label_overlap(first: LayerConcepts, second: LayerConcepts) -> LabelOverlap:
    """Count the concepts that two layers share, and tell how many they would share by chance.

    Parameters
    ----------
    first, second : LayerConcepts

    Returns
    -------
    LabelOverlap
    """
    one, other = first.detectors.keys(), second.detectors.keys()
    shared, union = len(one & other), len(one | other)
    draws = []
    for category in sorted({category for _, category in one | other}):
        pools = [_of_category(side.candidates, category) for side in (first, second)]
        labels = [_of_category(side, category) for side in (one, other)]
        draws.append(
            LabelDraw(
                (len(pools[0]), len(pools[1])), len(pools[0] & pools[1]), (len(labels[0]), len(labels[1]))
            )
        )
    chances = shared_labels(draws)
    return LabelOverlap(
        shared,
        union,
        shared / union if union else 1.0,
        expected_jaccard(chances, (len(one), len(other))),
        upper_tail(chances, shared),
    )


def concept_matrix(layers: Sequence[LayerConcepts], categories: Sequence[str]) -> tuple[ComparedConcept, ...]:
    """Lay concepts out against layers.

    Parameters
    ----------
    layers : sequence of LayerConcepts
    categories : sequence of str
        Their order.

    Returns
    -------
    tuple of ComparedConcept
        Those that a layer detects, by category and name.
    """
    detected = {key for one in layers for key in one.detectors}
    return tuple(
        ComparedConcept(*key, tuple(_best_unit(one, key) for one in layers))
        for key in _sorted(detected, categories)
    )


def _keep_best(best: dict[Key, tuple[int, float]], key: Key, unit: int, value: float) -> None:
    if value > best.get(key, (-1, 0.0))[1]:
        best[key] = (unit, value)


def _best_unit(one: LayerConcepts, key: Key) -> BestUnit | None:
    found = one.best.get(key)
    return None if found is None else BestUnit(*found, one.detectors.get(key, ()))


def _of_category(keys: Iterable[Key], category: str) -> set[Key]:
    return {key for key in keys if key[1] == category}


def _sorted(keys: set[Key], categories: Sequence[str]) -> list[Key]:
    order = {category: place for place, category in enumerate(categories)}
    return sorted(keys, key=lambda key: (order[key[1]], key[0]))
