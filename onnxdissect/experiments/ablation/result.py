"""The result of an ablation, made of all that is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.ablation.accuracy import ClassRates, areas, class_rates, resampled_images
from onnxdissect.experiments.ablation.cases import Cases
from onnxdissect.experiments.ablation.groups import UnitGroup
from onnxdissect.experiments.ablation.importance import Importance, rank_units
from onnxdissect.experiments.ablation.predicting.measuring import Measuring, Outcomes
from onnxdissect.experiments.ablation.records import AblatedClass, AblationArrays, AblationResult
from onnxdissect.experiments.ablation.summary import Summary, need_correlation, unit_needs
from onnxdissect.experiments.ablation.variants import Variants, sets_of_units, single_units
from onnxdissect.experiments.class_scores.scored_layer import ScoredLayer

__all__ = ["Plan", "measure_ablation"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is removed, and on which images it is measured.

    Attributes
    ----------
    source : ScoredLayer
        The layer.
    cases : Cases
        The images.
    chosen : tuple of int
        Positions of the classes whose important units are removed, among those that the images show.
    counts : tuple of int
        How many units.
    groups : tuple of UnitGroup
        Removed as a whole.
    request : mapping
        What makes this ablation this one, as JSON values.
    """

    source: ScoredLayer
    cases: Cases
    chosen: tuple[int, ...]
    counts: tuple[int, ...]
    groups: tuple[UnitGroup, ...]
    request: Mapping[str, Any]


def measure_ablation(plan: Plan, measuring: Measuring) -> AblationResult:
    """Remove units one by one, rank them, and remove sets of them.

    Parameters
    ----------
    plan : Plan
        What is asked for.
    measuring : Measuring
        Predicts without units.

    Returns
    -------
    AblationResult

    Raises
    ------
    OnnxDissectError
        If an image cannot be read, a score is not finite, or what is done cannot be written.
    """
    cases, source = plan.cases, plan.source
    numbers = cases.classes
    singles = single_units(source.layer.units)
    first = measuring.units(singles)
    ranking = first.of_images(cases.ranking)
    rates = _rates(ranking, cases.truth[cases.ranking], numbers, source)
    importance = rank_units(rates, str(plan.request["rank_by"]))
    seed = int(plan.request["seed"])
    sets = sets_of_units(
        importance, plan.chosen, plan.counts, plan.groups, repeats=int(plan.request["repeats"]), seed=seed
    )
    second = measuring.sets(sets)
    found = _Found(
        singles.joined(sets.rest()),
        np.concatenate([first.predicted[:, : cases.measured], second.predicted[1:]]),
        np.concatenate([first.losses[:, : cases.measured], second.losses[1:]]),
        _areas(second, sets, cases, len(singles)),
    )
    return _result(plan, found, importance)


@dataclass(frozen=True, slots=True)
class _Found:
    """Of all ways of removing units, on the images that are measured on."""

    variants: Variants
    predicted: NDArray[np.int32]
    losses: NDArray[np.float32]
    area: NDArray[np.float64]


def _areas(found: Outcomes, sets: Variants, cases: Cases, singles: int) -> NDArray[np.float64]:
    """Areas under ROC curves: of nothing removed, none of single units, of all sets."""
    numbers, truth = cases.classes, cases.truth[: cases.measured]
    measured = areas(
        found.own_scores, found.scores, sets.of_class, np.searchsorted(numbers, truth), len(numbers)
    )
    none = np.full((singles - 1, len(numbers)), np.nan)
    return np.concatenate([measured[:1], none, measured[1:]])


def _rates(
    found: Outcomes | _Found, truth: NDArray[np.int64], numbers: NDArray[np.int64], source: ScoredLayer
) -> ClassRates:
    told = _positions(found.predicted, numbers, source.scores.classes)
    return class_rates(told, found.losses, np.searchsorted(numbers, truth), len(numbers))


def _positions(predicted: NDArray[np.int32], numbers: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """From numbers of classes to positions among those that are shown; -1 for others."""
    position = np.full(classes, -1, np.int64)
    position[numbers] = np.arange(len(numbers))
    return position[predicted]


def _result(plan: Plan, found: _Found, importance: Importance) -> AblationResult:
    cases, source, request = plan.cases, plan.source, plan.request
    numbers, truth = cases.classes, cases.truth[: cases.measured]
    names = tuple(source.class_name(int(one)) for one in numbers)
    rates = _rates(found, truth, numbers, source)
    positions = np.searchsorted(numbers, truth)
    summary = Summary(
        found.variants.places(),
        rates,
        rates.accuracy,
        found.area,
        _positions(found.predicted, numbers, source.scores.classes),
        resampled_images(positions, int(request["resamples"]), int(request["seed"])),
        tuple(numbers.tolist()),
        names,
    )
    ranked = np.bincount(np.searchsorted(numbers, cases.truth[cases.ranking]), minlength=len(numbers))
    measured = np.bincount(positions, minlength=len(numbers))
    needs = unit_needs(source.units(), importance, rates, names)
    return AblationResult(
        request=request,
        layer=source.info.name,
        alias=source.info.alias,
        quantile=source.quantile,
        units=source.layer.units,
        output=source.scores.output,
        score_of=source.scores.score_of,
        stripped=source.scores.stripped,
        reduced=source.scores.reduced,
        images=cases.measured,
        ranked_images=int(ranked.sum()),
        left_out=cases.images.left_out,
        shown=len(numbers),
        counts=plan.counts,
        repeats=int(request["repeats"]),
        nothing=summary.nothing(None),
        classes=tuple(
            AblatedClass(
                int(numbers[one]),
                names[one],
                int(measured[one]),
                int(ranked[one]),
                summary.nothing(one),
                tuple(importance.order[one].tolist()),
            )
            for one in plan.chosen
        ),
        removals=summary.removals(plan.chosen, plan.counts),
        groups=summary.groups(plan.groups),
        needs=needs,
        need_correlation=need_correlation(needs, int(request["seed"])),
        arrays=AblationArrays(
            classes=numbers,
            images=np.array(cases.names[: cases.measured]),
            image_class=positions.astype(np.int64),
            kind=found.variants.kind,
            of_class=found.variants.of_class,
            repeat=found.variants.repeat,
            removed=found.variants.removed,
            predicted=found.predicted,
            top1=rates.top1,
            false_positives=rates.false_positives,
            log_loss=rates.log_loss,
            area=found.area,
            ranked_drop=importance.drop,
            ranked_rise=importance.rise,
            order=importance.order,
        ),
    )
