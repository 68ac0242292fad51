"""Compared layers with their intervals, and the differences between two with theirs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.comparison.grouping import Grouping
from onnxdissect.experiments.comparison.records import (
    ComparedGroup,
    ComparedLayer,
    ComparedPair,
    Difference,
    Estimate,
    GroupSpread,
)
from onnxdissect.experiments.comparison.resampling import ResampledLayer
from onnxdissect.experiments.comparison.selection import Selected
from onnxdissect.statistics.corrections import holm
from onnxdissect.statistics.paired_counts import count_difference, interval_around

__all__ = ["LayerDifferences", "adjusted", "compared_groups", "compared_layer", "layer_differences"]


@dataclass(frozen=True, slots=True)
class LayerDifferences:
    """Differences between two layers, as `onnxdissect.experiments.comparison.records.ComparedPair` has them.

    Attributes
    ----------
    unique, share : Difference
    unique_by_category : mapping of str to Difference
    """

    unique: Difference
    share: Difference
    unique_by_category: Mapping[str, Difference]


def compared_layer(
    one: Selected,
    group: str,
    position: float | None,
    categories: Sequence[str],
    resampled: ResampledLayer | None,
) -> ComparedLayer:
    """Tell what a layer detects.

    Parameters
    ----------
    one : Selected
    group : str
    position : float or None
        Of the group along a series.
    categories : sequence of str
        Of all runs.
    resampled : ResampledLayer or None
        None leaves intervals out, but the one that the run has stored.

    Returns
    -------
    ComparedLayer
    """
    found, own = one.summary, one.run.dissection.categories
    by_category = {name: Estimate(float(found.unique.get(name, 0)), None, None) for name in categories}
    share = Estimate(found.detectors / found.units, None, None)
    if resampled is not None:
        low, high = interval_around(found.detectors, resampled.detectors, 0, found.units)
        share = Estimate(share.value, low / found.units, high / found.units)
        for name, counts in zip(own, resampled.unique[1:], strict=True):
            low, high = interval_around(found.unique[name], counts, 0, found.units)
            by_category[name] = Estimate(float(found.unique[name]), float(low), float(high))
    return ComparedLayer(
        name=one.name,
        group=group,
        position=position,
        run=one.run.given,
        model=one.run.model,
        data=str(one.run.data.get("name") or ""),
        layer=one.info.name,
        alias=one.info.alias,
        basis=one.basis,
        depth=one.depth,
        quantile=one.quantile,
        units=found.units,
        images=len(one.run.dissection.images),
        detectors=found.detectors,
        share=share,
        unique=Estimate(float(found.unique_detectors), _number(found.unique_low), _number(found.unique_high)),
        unique_any=found.unique_any,
        unique_by_category=by_category,
        reliable=found.reliable_detectors,
    )


def compared_groups(layers: Sequence[ComparedLayer], grouping: Grouping) -> tuple[ComparedGroup, ...]:
    """Bring the members of each group together.

    Parameters
    ----------
    layers : sequence of ComparedLayer
    grouping : Grouping
        Of them.

    Returns
    -------
    tuple of ComparedGroup
        In the order of the groups.
    """
    groups = []
    for name, position in grouping.positions.items():
        members = [layer for layer in layers if layer.group == name]
        groups.append(
            ComparedGroup(
                name,
                position,
                tuple(layer.name for layer in members),
                _spread([layer.share.value for layer in members]),
                _spread([layer.unique.value for layer in members]),
                {
                    category: _spread([layer.unique_by_category[category].value for layer in members])
                    for category in members[0].unique_by_category
                },
            )
        )
    return tuple(groups)


def layer_differences(
    pair: tuple[Selected, Selected],
    categories: Sequence[str],
    resampled: tuple[ResampledLayer, ResampledLayer] | None,
) -> LayerDifferences:
    """Tell how much more the second of two layers detects.

    Parameters
    ----------
    pair : (Selected, Selected)
    categories : sequence of str
        Of all runs.
    resampled : (ResampledLayer, ResampledLayer) or None
        Both in the same resamples; None leaves intervals and p-values out.

    Returns
    -------
    LayerDifferences
        Not yet adjusted.
    """
    one, other = (side.summary for side in pair)
    counts = [
        (one.unique_detectors, other.unique_detectors),
        *((one.unique.get(name, 0), other.unique.get(name, 0)) for name in categories),
    ]
    # Shares are compared as whole numbers, over the least common multiple of both numbers of units.
    whole = math.lcm(one.units, other.units)
    weights = whole // one.units, whole // other.units
    detectors = one.detectors * weights[0], other.detectors * weights[1]
    if resampled is None:
        unique = [Difference(float(b - a), None, None, None, None) for a, b in counts]
        share = Difference((detectors[1] - detectors[0]) / whole, None, None, None, None)
    else:
        first, second = (
            _by_category(side, categories, found) for side, found in zip(pair, resampled, strict=True)
        )
        unique = [
            _difference(counted, a, b, (one.units, other.units), 1)
            for counted, a, b in zip(counts, first, second, strict=True)
        ]
        weighed = resampled[0].detectors * weights[0], resampled[1].detectors * weights[1]
        share = _difference(detectors, *weighed, (whole, whole), whole)
    return LayerDifferences(unique[0], share, dict(zip(categories, unique[1:], strict=True)))


def adjusted(pairs: Sequence[ComparedPair]) -> tuple[ComparedPair, ...]:
    """Correct p-values for how many there are, as Holm does.

    Three families are corrected each for itself: unique detectors of all pairs, shares of all pairs, and
    unique detectors by category of all pairs and categories.

    Parameters
    ----------
    pairs : sequence of ComparedPair

    Returns
    -------
    tuple of ComparedPair
    """
    unique = iter(_adjusted([pair.unique for pair in pairs]))
    share = iter(_adjusted([pair.share for pair in pairs]))
    by_category = iter(_adjusted([one for pair in pairs for one in pair.unique_by_category.values()]))
    return tuple(
        replace(
            pair,
            unique=next(unique),
            share=next(share),
            unique_by_category={name: next(by_category) for name in pair.unique_by_category},
        )
        for pair in pairs
    )


def _adjusted(family: Sequence[Difference]) -> list[Difference]:
    raw = [one.p_value for one in family if one.p_value is not None]
    corrected = iter(holm(raw).tolist())
    return [one if one.p_value is None else replace(one, p_adjusted=next(corrected)) for one in family]


def _difference(
    counted: tuple[int, int],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    most: tuple[int, int],
    unit: int,
) -> Difference:
    """Compare two counts that cannot exceed `most`, and divide by a unit at last."""
    found = count_difference(counted, first, second)
    low, high = max(-most[0], found.low), min(most[1], found.high)
    return Difference(found.value / unit, low / unit, high / unit, found.p_value, None)


def _by_category(
    one: Selected, categories: Sequence[str], resampled: ResampledLayer
) -> list[NDArray[np.int64]]:
    """All categories together and then each; none of a category that the run's data has not."""
    own = one.run.dissection.categories
    nothing = np.zeros_like(resampled.unique[0])
    return [
        resampled.unique[0],
        *(resampled.unique[1 + own.index(name)] if name in own else nothing for name in categories),
    ]


def _spread(values: Sequence[float]) -> GroupSpread:
    n = len(values)
    mean = math.fsum(values) / n
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1) if n > 1 else 0.0
    return GroupSpread(mean, math.sqrt(variance), min(values), max(values))


def _number(value: int | None) -> float | None:
    return None if value is None else float(value)
