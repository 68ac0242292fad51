"""The baseline's and the candidate's snapshot: layers paired, and scored in the same resamples of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.baseline.snapshot import LayerSnapshot, Snapshot
from onnxdissect.check.rules.config import Config, LayerMinimum
from onnxdissect.check.verdict import ChangedUnit
from onnxdissect.errors import ParameterError, RunMismatchError, nearest
from onnxdissect.statistics.corrections import holm
from onnxdissect.statistics.paired import (
    LayerResamples,
    loss_p_values,
    mcnemar_p_values,
    resample_layer,
)
from onnxdissect.statistics.resamples import Resamples
from onnxdissect.storage.memory import memory_limit

__all__ = ["MOST_SCORED", "Comparison", "LayerPair", "changed_units", "make_comparison"]

MOST_SCORED = 2**30
"""Bytes of memory that the scores of all resamples may take."""

_SAME_DATA = ("fingerprint", "split", "limit", "images")
_SAME_DEFINITIONS = ("iou_threshold", "scoring", "concepts", "categories")


@dataclass(frozen=True, slots=True)
class LayerPair:
    """A layer of the baseline and what stands for it in the candidate.

    Attributes
    ----------
    before : LayerSnapshot
    after : LayerSnapshot or None
        None if the candidate has no such layer.
    resamples : tuple of LayerResamples or None
        IoU of either run in the same resamples of the images; None where counts by image are missing.
    p_values : dict of int to float
        For each detector of the baseline, of the test whether it lost IoU; adjusted for all detectors of all
        layers. Empty where the units were not compared.
    noticeable : frozenset of int
        The detectors that are seen in enough images: if they lost all their IoU, the test would notice.
    dead_p_values : dict of int to float
        For each unit that is silent in the candidate only, how likely that is by chance; adjusted for all
        units of all layers.
    """

    before: LayerSnapshot
    after: LayerSnapshot | None
    resamples: tuple[LayerResamples, LayerResamples] | None
    p_values: dict[int, float]
    noticeable: frozenset[int] = frozenset()
    dead_p_values: dict[int, float] = field(default_factory=dict)

    @property
    def units_agree(self) -> bool:
        """Whether there are as many units on both sides, so that each has its counterpart."""
        return self.after is not None and self.after.units == self.before.units


@dataclass(frozen=True, slots=True)
class Comparison:
    """What all rules look at.

    Attributes
    ----------
    baseline, candidate : Snapshot
        Of the same data.
    config : Config
        The rules.
    pairs : tuple of LayerPair
        In the baseline's order.
    refusals : mapping of str to str
        Values of the candidate's graph that are no layers, and why.
    """

    baseline: Snapshot
    candidate: Snapshot
    config: Config
    pairs: tuple[LayerPair, ...]
    refusals: Mapping[str, str]


def make_comparison(
    baseline: Snapshot, candidate: Snapshot, config: Config, refusals: Mapping[str, str] | None = None
) -> Comparison:
    """Pair the layers of two runs and resample them.

    Parameters
    ----------
    baseline, candidate : Snapshot
        Of the same data. A layer of the candidate belongs to the baseline's of the same name.
    config : Config
    refusals : mapping of str to str, optional
        Values of the candidate's graph that are no layers, and why.

    Returns
    -------
    Comparison

    Raises
    ------
    RunMismatchError
        If the runs are of different data or definitions.
    ParameterError
        If the rules name a layer, concept or category that is not there, or ask for more than there is.
    """
    for what in _SAME_DATA:
        if baseline.data.get(what) != candidate.data.get(what):
            raise RunMismatchError(
                f"the baseline's data has {what} {baseline.data.get(what)!r}, the candidate's "
                f"{candidate.data.get(what)!r}: nothing can be compared",
                hint="use the data the baseline was made with, or write the baseline again",
            )
    for what in _SAME_DEFINITIONS:
        if getattr(baseline, what) != getattr(candidate, what):
            raise RunMismatchError(
                f"the baseline and the candidate differ in {what}: nothing can be compared"
            )
    config = check_names(config, baseline)
    after = {layer.name: layer for layer in candidate.layers}
    pairs = [LayerPair(layer, after.get(layer.name), None, {}) for layer in baseline.layers]
    if config.on("iou-loss") or config.on("unique-loss"):
        pairs = _resample_pairs(pairs, baseline, candidate, config)
    pairs = _with_dead_p_values(pairs)
    return Comparison(baseline, candidate, config, tuple(pairs), refusals or {})


def check_names(config: Config, baseline: Snapshot) -> Config:
    """Refuse rules on what the baseline does not have, before anything is run for them.

    Parameters
    ----------
    config : Config
        Layers by value name, alias or node name.
    baseline : Snapshot

    Returns
    -------
    Config
        The same rules, layers by value name.

    Raises
    ------
    ParameterError
        Naming the nearest.
    """
    config = _with_value_names(config, baseline)
    for kind, names, known in (
        ("concept", (*config.required, *config.forbidden), baseline.concepts),
        ("category", tuple(config.categories), baseline.categories),
        ("layer", tuple(config.layers), _layer_names(baseline)),
    ):
        for name in names:
            if name not in known:
                raise ParameterError(
                    f"a rule names the {kind} {name!r}, which the baseline does not have",
                    candidates=nearest(name, known) or known[:5],
                )
    for name, least in config.categories.items():
        there = int((baseline.category_of == baseline.categories.index(name)).sum())
        if least > there:
            raise ParameterError(f"a rule asks for {least} concepts of {name!r}, the data has {there}")
        barred = sum(
            baseline.categories[baseline.category_of[baseline.concepts.index(concept)]] == name
            for concept in config.forbidden
        )
        if least > there - barred:
            raise ParameterError(
                f"a rule asks for {least} concepts of {name!r}; the data has {there}, {barred} are forbidden"
            )
    units = {layer.name: layer.units for layer in baseline.layers}
    for what, least, there, kind in (
        ("minimum-detectors", config.minimum_detectors, sum(units.values()), "units"),
        ("minimum-unique", config.minimum_unique, sum(units.values()), "units"),
        ("minimum-unique", config.minimum_unique, len(baseline.concepts), "concepts"),
        ("required", len(config.required), sum(units.values()), "units"),
    ):
        if least > there:
            raise ParameterError(f"{what} asks for {least}, the baseline has {there} {kind} in all")
    for name, minimum in config.layers.items():
        if max(minimum.detectors, minimum.unique) > units[name]:
            least = max(minimum.detectors, minimum.unique)
            raise ParameterError(
                f"a rule asks for {least} detectors of {name!r}, which has {units[name]} units"
            )
    return config


def _layer_names(baseline: Snapshot) -> tuple[str, ...]:
    kinds = [[getattr(layer, kind) for layer in baseline.layers] for kind in ("name", "alias", "node")]
    return tuple(dict.fromkeys(name for names in kinds for name in names if name))


def _with_value_names(config: Config, baseline: Snapshot) -> Config:
    values: dict[str, str] = {}
    # Where several layers could be meant, a value name goes before an alias, and an alias before a node name.
    for kind in ("name", "alias", "node"):
        for layer in baseline.layers:
            values.setdefault(getattr(layer, kind), layer.name)
    minima: dict[str, LayerMinimum] = {}
    for name, minimum in config.layers.items():
        value = values.get(name, name) if name else name
        if value in minima:
            raise ParameterError(f"the rules name the layer {value!r} twice, once as {name!r}")
        minima[value] = minimum
    return replace(config, layers=minima)


def _resample_pairs(
    pairs: list[LayerPair], baseline: Snapshot, candidate: Snapshot, config: Config
) -> list[LayerPair]:
    """Score both sides in the same resamples, and test the baseline's detectors for a loss of IoU."""
    sides = _resamples(baseline, candidate, config)
    if sides is None:
        return pairs
    scored = sum(len(side.label) for pair in pairs for side in (pair.before, pair.after) if side is not None)
    expect_room(config.resamples, scored, baseline.category_of.size, memory_limit())
    score = partial(resample_layer, scoring=baseline.scoring, iou_threshold=baseline.iou_threshold)
    sampled: list[LayerPair] = []
    raw: list[tuple[int, int, float]] = []
    gone: dict[int, NDArray[np.float64]] = {}
    for at, pair in enumerate(pairs):
        one, two = pair.before.per_image, None if pair.after is None else pair.after.per_image
        if one is None or two is None:
            sampled.append(pair)
            continue
        before = score(sides[0], one, pair.before.label)
        labels = pair.before.label if pair.units_agree else np.full(two.top_concepts.shape[1], -1, np.int64)
        after = score(sides[1], two, labels)
        sampled.append(LayerPair(pair.before, pair.after, (before, after), {}))
        if pair.units_agree:
            p = loss_p_values(before.iou, after.iou, before.images, config.iou_margin)
            detectors = np.flatnonzero(baseline.detectors(pair.before))
            raw += [(at, int(k), float(p[k])) for k in detectors]
            nothing = np.zeros_like(before.iou)
            gone[at] = loss_p_values(before.iou, nothing, before.images, config.iou_margin)[detectors]
    adjusted = holm([p for _, _, p in raw]).tolist()
    for (at, k, _), p_value in zip(raw, adjusted, strict=True):
        sampled[at].p_values[k] = p_value
    for at, p in gone.items():
        # The p-value that a unit would have if it lost all its IoU, and no other unit lost any. In that case
        # Holm's correction multiplies it by the number of all tests.
        units = np.array(list(sampled[at].p_values), np.int64)
        noticed = frozenset(units[p * len(raw) <= config.significance].tolist())
        sampled[at] = replace(sampled[at], noticeable=noticed)
    return sampled


def expect_room(resamples: int, units: int, concepts: int, memory: int | None) -> None:
    """Refuse more resamples than there is memory for, before the first is drawn.

    Parameters
    ----------
    resamples : int
        As the rules ask for.
    units : int
        Of all layers of both sides.
    concepts : int
    memory : int or None
        Bytes that this process may use; None where the system does not tell.

    Raises
    ------
    ParameterError
        If their scores would not fit, or take more than `MOST_SCORED` though more than the default are asked
        for.
    """
    # An IoU of each unit and the pixels of each concept, and as much again while they are compared.
    each = 2 * np.dtype(np.float64).itemsize * (units + concepts)
    # what is asked for by default is only held to what there is
    stated = max(MOST_SCORED, Config().resamples * each)
    most = stated if memory is None else min(stated, memory)
    if resamples * each > most:
        limit = f"{most / 2**30:,.1f} GiB"
        told = f"at most {limit} are taken" if most == stated else f"there is memory of {limit}"
        raise ParameterError(
            f"the rules ask for {resamples:,} resamples: scores of {units:,} units and {concepts:,} concepts "
            f"take {resamples * each / 2**30:,.1f} GiB, and {told}",
            hint=f"resamples = {max(100, min(1000, most // (2 * each)))}",
        )


def _resamples(baseline: Snapshot, candidate: Snapshot, config: Config) -> tuple[Resamples, Resamples] | None:
    """Resample the images for either side; None if annotations were not counted, or there is one group."""
    # A baseline file leaves out what the candidate's run knows of the same images.
    truths = baseline.truth or candidate.truth, candidate.truth
    # Resamples of a single group would all be the same, and whatever they show would seem certain.
    if truths[0] is None or truths[1] is None or truths[1].one_group:
        return None
    draw = partial(
        Resamples, category_of=baseline.category_of, count=config.resamples, seed=config.seed, whole=True
    )
    one = draw(truths[0])
    # Both sides are dissected on the same images, so that nearly always one and the same resamples do.
    return one, one if truths[1].same(truths[0]) else draw(truths[1])


def _with_dead_p_values(pairs: list[LayerPair]) -> list[LayerPair]:
    """Test each unit that is not silent in the baseline for having become silent."""
    raw: list[tuple[int, int, float]] = []
    for at, pair in enumerate(pairs):
        if pair.after is not None and pair.units_agree:
            p = _dead_p_values(pair.before, pair.after)
            raw += [(at, int(k), float(p[k])) for k in np.flatnonzero(~pair.before.dead)]
    dead_p_values: list[dict[int, float]] = [{} for _ in pairs]
    for (at, k, p_value), adjusted in zip(raw, holm([p for _, _, p in raw]).tolist(), strict=True):
        if p_value < 1:
            dead_p_values[at][k] = adjusted
    return [replace(pair, dead_p_values=found) for pair, found in zip(pairs, dead_p_values, strict=True)]


def _dead_p_values(before: LayerSnapshot, after: LayerSnapshot) -> NDArray[np.float64]:
    """Test each unit for having become silent: 1 where it has not.

    A unit that fires in a few images of very many may fire in none of them once the network has been exported
    anew, or sees other crops, without being worse. Where counts by image are missing the p-value is 0.
    """
    # What silence is, is decided by the baseline for both sides: quantising may change the kind of a layer.
    died = after.silent(before.rectified) & ~before.dead
    if before.per_image is None:
        return np.where(died, 0.0, 1.0)
    # The images with a mask stand for those in which the unit fires. For units that seldom fire they are the
    # same, as their threshold is zero; others fire in more images, and the chance is smaller still.
    images = np.diff(before.per_image.starts)
    return np.where(died, mcnemar_p_values(images, np.zeros_like(images)), 1.0)


def changed_units(comparison: Comparison) -> tuple[ChangedUnit, ...]:
    """List the detectors of the baseline that lost IoU or changed their label.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    tuple of ChangedUnit
        Largest loss first.
    """
    found = []
    for pair in comparison.pairs:
        old, new = pair.before, pair.after
        if new is None or not pair.units_agree:
            continue
        before, after = comparison.baseline.names(old.label), comparison.candidate.names(new.label)
        for k in np.flatnonzero(comparison.baseline.detectors(old)).tolist():
            p = pair.p_values.get(k)
            if before[k] == after[k] and not (p is not None and p <= comparison.config.significance):
                continue
            left = _iou_now(new, k, int(old.label[k]))
            found.append(
                ChangedUnit(old.name, k, before[k], after[k], float(old.iou[k]), left, float(new.iou[k]), p)
            )
    return tuple(sorted(found, key=lambda unit: unit.iou_after - unit.iou_before))


def _iou_now(layer: LayerSnapshot, unit: int, concept: int) -> float:
    if layer.scores is not None:
        return float(layer.scores[unit, concept])
    return float(layer.iou[unit]) if layer.label[unit] == concept else 0.0
