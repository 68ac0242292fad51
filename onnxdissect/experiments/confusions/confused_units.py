"""Which detectors fired for the wrong class, and which were silent for the right one, against base rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.confusions.accuracy import confusion_counts
from onnxdissect.experiments.confusions.records import ConfusedUnit, Confusion, Estimate, PredictionArrays
from onnxdissect.results.records import Unit
from onnxdissect.statistics.corrections import false_discovery_rates
from onnxdissect.statistics.proportions import difference_interval, tail_probabilities

__all__ = ["FEWEST", "find_confusions"]

FEWEST = 3
"""Confusions of fewer images have no units told of."""

_MOST = 100


@dataclass(frozen=True, slots=True)
class _Rates:
    """What the units of a layer did in the images of one confusion, and in those told right."""

    fired: NDArray[np.int64]  # in how many of the confused images, of every unit
    images: int
    base_fired: NDArray[np.int64]
    base_images: int
    other_fired: NDArray[np.int64]
    other_images: int
    for_wrong: NDArray[np.float64]  # mean contribution to the class predicted over that to the class shown
    missing: NDArray[np.float64]  # mean contribution to the class shown: told right less confused


def find_confusions(
    arrays: PredictionArrays, units: Sequence[Unit], top: int, name: Callable[[int], str]
) -> tuple[Confusion, ...]:
    """Count which class is taken for which, and tell which detectors did it.

    Parameters
    ----------
    arrays : PredictionArrays
        Of all images.
    units : sequence of Unit
        Of the layer.
    top : int
        Units told of, at most, of either kind.
    name : callable
        Names a class.

    Returns
    -------
    tuple of Confusion
        The most frequent first.
    """
    counted = confusion_counts(arrays.class_index, arrays.predicted_index)
    detectors = np.array([unit.detector for unit in units])
    told = [one for one in counted[:_MOST] if one[2] >= FEWEST]
    rates = [_rates(arrays, *one[:2]) for one in told]
    tests = _tests(rates, np.flatnonzero(detectors), len(units))
    shows = {t: int((arrays.class_index == t).sum()) for t, _, _ in counted}
    found = []
    for place, (t, p, count) in enumerate(counted):
        fired: tuple[ConfusedUnit, ...] = ()
        silent: tuple[ConfusedUnit, ...] = ()
        if place < len(told):
            fired, silent = _told(rates[place], tests[place], units, detectors, top)
        found.append(
            Confusion(t, p, name(t), name(p), count, count / shows[t], place < len(told), fired, silent)
        )
    return tuple(found)


def _rates(arrays: PredictionArrays, t: int, p: int) -> _Rates:
    confused = (arrays.class_index == t) & (arrays.predicted_index == p)
    right = arrays.class_index == arrays.predicted_index
    base, other = right & (arrays.class_index == t), right & (arrays.class_index == p)
    rows = np.flatnonzero(confused[arrays.wrong])
    to_class = arrays.class_contribution[rows].astype(np.float64)
    # image by image: of two means each is rounded, and units that are equal would not be ranked as such
    for_wrong = (arrays.contribution[confused] - to_class).mean(axis=0)
    missing = np.zeros_like(for_wrong)
    if base.any():
        missing = arrays.contribution[base].mean(axis=0, dtype=np.float64) - to_class.mean(axis=0)
    fired = [arrays.fired[which].sum(axis=0) for which in (confused, base, other)]
    images = [int(which.sum()) for which in (confused, base, other)]
    return _Rates(fired[0], images[0], fired[1], images[1], fired[2], images[2], for_wrong, missing)


def _tests(
    rates: Sequence[_Rates], detectors: NDArray[np.int64], units: int
) -> list[NDArray[np.float64] | None]:
    """Test every detector in every confusion, both ways, and correct for how many tests that are.

    Of each confusion the p-values of firing more and of firing less, and their false-discovery rates, shape
    (4, units); None where no image of the class shown was told right.
    """
    tested = [i for i, one in enumerate(rates) if one.base_images]
    found: list[NDArray[np.float64] | None] = [None] * len(rates)
    if not tested or not detectors.size:
        return [None if not one.base_images else np.ones((4, units)) for one in rates]
    p = np.array(
        [
            tail_probabilities(
                rates[i].fired[detectors],
                rates[i].images,
                rates[i].base_fired[detectors],
                rates[i].base_images,
            )
            for i in tested
        ]
    )  # (confusions, ways, detectors)
    q = np.stack([false_discovery_rates(p[:, way].ravel()).reshape(p[:, way].shape) for way in (0, 1)], 1)
    for place, i in enumerate(tested):
        every = np.ones((4, units))
        every[:, detectors] = np.concatenate([p[place], q[place]])
        found[i] = every
    return found


def _told(
    rates: _Rates,
    tests: NDArray[np.float64] | None,
    units: Sequence[Unit],
    detectors: NDArray[np.bool_],
    top: int,
) -> tuple[tuple[ConfusedUnit, ...], tuple[ConfusedUnit, ...]]:
    fires = detectors & (rates.fired > 0) & (rates.for_wrong > 0)
    fired = _strongest(rates.for_wrong, fires, top)
    silent: list[int] = []
    if rates.base_images:
        less = rates.fired / rates.images < rates.base_fired / rates.base_images
        silent = _strongest(rates.missing, detectors & less & (rates.missing > 0), top)
    return (
        tuple(_unit(units[k], rates, tests, float(rates.for_wrong[k]), 0) for k in fired),
        tuple(_unit(units[k], rates, tests, float(rates.missing[k]), 1) for k in silent),
    )


def _strongest(values: NDArray[np.float64], which: NDArray[np.bool_], top: int) -> list[int]:
    order = np.argsort(-np.where(which, values, 0), kind="stable")[:top]
    return [int(k) for k in order[which[order]]]


def _unit(
    unit: Unit, rates: _Rates, tests: NDArray[np.float64] | None, contribution: float, way: int
) -> ConfusedUnit:
    k = unit.unit
    counts = int(rates.fired[k]), rates.images, int(rates.base_fired[k]), rates.base_images
    difference = Estimate(None, None, None)
    if rates.base_images:
        low, high = difference_interval(*counts)
        difference = Estimate(counts[0] / counts[1] - counts[2] / counts[3], float(low), float(high))
    return ConfusedUnit(
        unit=k,
        label=unit.label,
        category=unit.category,
        iou=unit.iou,
        contribution=contribution,
        fired=counts[0],
        images=counts[1],
        base_fired=counts[2],
        base_images=counts[3],
        other_fired=int(rates.other_fired[k]),
        other_images=rates.other_images,
        difference=difference,
        p=None if tests is None else float(tests[way, k]),
        q=None if tests is None else float(tests[2 + way, k]),
    )
