"""The papers' findings, asked of the tables: every number that `docs/findings.md` tells."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from answer_records import Finding, Followed, Overlap, Rotated, Swept, Variant
from estimates import Estimate, difference_of, mean_of
from evidence import CATEGORIES, Counted, Evidence
from experiments import STRONGEST
from recipes import RECIPES, recipe_of

from onnxdissect.statistics.matching.assignment import best_pairs, mean_score
from onnxdissect.statistics.matching.baselines import chance_scores
from onnxdissect.statistics.matching.profile_cosines import ProfileCosines
from onnxdissect.statistics.resamples import resample_weights
from onnxdissect.statistics.shared_labels import LabelDraw, expected_jaccard, shared_labels

__all__ = ["HIGH", "LOW", "answers"]

LOW, HIGH = ("color", "material", "texture"), ("object", "part")
"""Categories of low and of high layers, as the paper has them."""

_SHUFFLES = 40


def answers(evidence: Evidence) -> dict[str, Any]:
    """Ask everything.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    dict of str
        By the names that the text uses.

    Raises
    ------
    MissingNetworksError
        If some network was not trained or not asked.
    """
    variants = {recipe.variant: _variant(evidence, recipe.variant) for recipe in RECIPES}
    base = recipe_of("base")
    checkpoints = {iteration: _variant(evidence, "base", iteration) for iteration in base.checkpoints}
    checkpoints[base.iterations] = variants["base"]
    return {
        "variants": variants,
        "untrained": checkpoints[0],
        "checkpoints": checkpoints,
        "depth": _depth(evidence),
        "thresholds": _thresholds(evidence),
        "trained_rotations": _rotations(evidence, None),
        "untrained_rotations": _rotations(evidence, 0),
        "predictions": _predictions(evidence),
        "overlap": _overlap(evidence),
        "transfer": _transfer(evidence),
        "count_networks": len(evidence.cards),
        "images": next(iter(evidence.cards.values()))["images"],
        "samples": evidence.cards[evidence.networks("base")[0]]["samples"],
        "strongest": STRONGEST,
        "hours": sum(_seconds(card) for card in evidence.cards.values()) / 3600,
        "findings": _findings(evidence),
    }


def _seconds(card: Mapping[str, Any]) -> float:
    """Processor seconds of a training and the dissections after it, which the finished network's card has."""
    return float(card.get("seconds_training", 0)) + float(card.get("seconds_after", 0))


def _variant(evidence: Evidence, variant: str, iteration: int | None = None) -> Variant:
    networks = evidence.networks(variant, iteration)
    scores = tuple(float(evidence.cards[name]["score"]) for name in networks)
    units = evidence.size(networks[0])
    detectors = [evidence.count(name, ("detectors",)) for name in networks]
    return Variant(
        _unique(evidence, networks, ("unique",)),
        mean_of([Counted(one.value / units, one.resampled / units) for one in detectors], most=1.0),
        {category: _unique(evidence, networks, (category,)) for category in CATEGORIES},
        units,
        float(np.mean(scores)),
        scores,
    )


def _unique(
    evidence: Evidence, networks: Sequence[str], rows: Sequence[str], layer: str | None = None
) -> Estimate:
    return mean_of([evidence.count(name, rows, layer) for name in networks])


def _depth(evidence: Evidence) -> dict[str, dict[str, Estimate]]:
    """Count unique detectors of `base` by layer and category."""
    networks = evidence.networks("base")
    return {
        layer: {row: _unique(evidence, networks, (row,), layer) for row in ("unique", *CATEGORIES)}
        for layer in evidence.layers(networks[0])
    }


def _findings(evidence: Evidence) -> dict[str, Finding]:
    """Everything of which a sign is published and one count is enough."""

    def counts(
        variant: str, rows: Sequence[str], iteration: int | None = None, layer: str | None = None
    ) -> list[Counted]:
        return [evidence.count(name, rows, layer) for name in evidence.networks(variant, iteration)]

    def shares(variant: str, iteration: int | None = None, layer: str | None = None) -> list[Counted]:
        low, every = (counts(variant, rows, iteration, layer) for rows in (LOW, ("unique",)))
        return [a / b for a, b in zip(low, every, strict=True)]

    def unlike_base(variant: str, sign: int, rows: Sequence[str] = ("unique",)) -> Finding:
        return Finding(difference_of(counts("base", rows), counts(variant, rows)), sign)

    swept = [_shares(evidence.experiment(name, "thresholds")) for name in evidence.networks("base")]
    held = [_held(evidence.experiment(name, "predictions")) for name in evidence.networks("base")]
    falls = [_fall(evidence.experiment(name, "rotations")) for name in evidence.networks("base")]
    return {
        "emergence": Finding(difference_of(counts("base", ("unique",), 0), counts("base", ("unique",))), 1),
        "untaught": Finding(difference_of(counts("base", HIGH, 0), counts("base", HIGH)), 1),
        "generic": Finding(difference_of([s[0] for s in swept], [s[-1] for s in swept]), 1),
        "deeper": unlike_base("deeper", 1),
        "shallower": unlike_base("shallower", -1),
        "double_width": unlike_base("double-width", 1),
        "half_width": unlike_base("half-width", -1),
        "low_layers": Finding(difference_of(shares("base"), shares("base", layer="relu1")), 1),
        "high_layers": Finding(difference_of(counts("base", HIGH, layer="relu1"), counts("base", HIGH)), 1),
        "deepest": Finding(
            difference_of(counts("base", ("unique",), layer="relu4"), counts("base", ("unique",))), 1
        ),
        "scene_objects": Finding(
            difference_of(counts("objects", ("object",)), counts("base", ("object",))), 1
        ),
        "rotation_task": unlike_base("rotation", -1),
        "jigsaw_task": unlike_base("jigsaw", -1),
        "rotation_low": Finding(difference_of(shares("base"), shares("rotation")), 1),
        "jigsaw_low": Finding(difference_of(shares("base"), shares("jigsaw")), 1),
        "dropout": unlike_base("dropout", -1),
        "batch_norm": unlike_base("batch-norm", -1),
        "no_decay": unlike_base("no-decay", 1),
        "strong_decay": unlike_base("strong-decay", -1),
        "objects_late": Finding(difference_of(counts("base", HIGH, 567), counts("base", HIGH)), 1),
        "colours_early": Finding(difference_of(shares("base"), shares("base", 189)), 1),
        "fine_tuned": Finding(
            difference_of(counts("objects", ("unique",)), counts("fine-tuned", ("unique",))), 1
        ),
        "relevant": Finding(difference_of([h["others"] for h in held], [h["right"] for h in held]), 1),
        "mistaken": Finding(difference_of([h["right"] for h in held], [h["wrong"] for h in held]), -1),
        "axis": Finding(mean_of(falls, least=-np.inf), 1),
    }


def _counted(rows: np.ndarray[Any, Any]) -> Counted:
    """Take a row of the data set itself, first, and its resamples."""
    return Counted(float(rows[0]), rows[1:].astype(np.float64))


def _shares(swept: Mapping[str, Any]) -> list[Counted]:
    pairs = zip(swept["generic"], swept["detectors"], strict=True)
    return [_counted(generic) / _counted(every) for generic, every in pairs]


def _thresholds(evidence: Evidence) -> list[Swept]:
    found = [evidence.experiment(name, "thresholds") for name in evidence.networks("base")]
    shares = [_shares(swept) for swept in found]
    return [
        Swept(
            float(quantile),
            mean_of([_counted(swept["unique"][place]) for swept in found]),
            mean_of([of_network[place] for of_network in shares], most=1.0),
        )
        for place, quantile in enumerate(found[0]["quantiles"])
    ]


def _at(rotated: Mapping[str, Any], chosen: Any) -> Counted:
    """Average the unique detectors of some entries."""
    return _counted(rotated["unique"][chosen].astype(np.float64).mean(axis=0))


def _along(rotated: Mapping[str, Any], alpha: float) -> Counted:
    kinds = ("own",) if alpha == 0 else ("rotation",)
    return _at(rotated, np.isin(rotated["kinds"], kinds) & (rotated["alphas"] == alpha))


def _fall(rotated: Mapping[str, Any]) -> Counted:
    own, whole = _along(rotated, 0.0), _along(rotated, 1.0)
    return (own - whole) / own


def _rotations(evidence: Evidence, iteration: int | None) -> Rotated:
    found = [evidence.experiment(name, "rotations") for name in evidence.networks("base", iteration)]
    alphas = sorted({float(alpha) for alpha in found[0]["alphas"] if not np.isnan(alpha)})
    return Rotated(
        {alpha: mean_of([_along(rotated, alpha) for rotated in found]) for alpha in alphas},
        mean_of([_at(rotated, rotated["kinds"] == "directions") for rotated in found]),
        mean_of([_fall(rotated) for rotated in found], least=-np.inf, most=1.0),
        sum(int(rotated["differences"][0]) for rotated in found),
    )


def _held(asked: Mapping[str, Any]) -> dict[str, Counted]:
    """Give the share of units held to their label: those that explain right and wrong predictions; others."""
    right = asked["right"].astype(np.int64)
    weights = np.concatenate(list(resample_weights(len(right), 1000, 0))).astype(np.int64)
    weights = np.concatenate([np.ones((1, len(right)), np.int64), weights])

    def share(units: str, which: Any) -> Counted:
        held, every = (_counted(weights @ (asked[name] * which)) for name in (f"{units}_held", units))
        return held / every

    return {
        "right": share("strongest", right),
        "wrong": share("strongest", 1 - right),
        "others": share("others", right),
    }


def _predictions(evidence: Evidence) -> dict[str, Estimate]:
    held = [_held(evidence.experiment(name, "predictions")) for name in evidence.networks("base")]
    return {name: mean_of([one[name] for one in held], most=1.0) for name in held[0]}


def _overlap(evidence: Evidence) -> Overlap:
    pools = {
        category: sum(c["category"] == category and int(c["images"]) > 0 for c in evidence.concepts())
        for category in CATEGORIES
    }
    pairs = list(itertools.combinations(evidence.networks("base"), 2))
    numbers, matched, shuffled = [], [], []
    for first, second in pairs:
        cosines = ProfileCosines(evidence.last_iou(first), evidence.last_iou(second))
        scores = cosines.scores()
        numbers.append(float(np.diag(scores).mean()))
        matched.append(mean_score(scores, best_pairs(scores)))
        shuffled.append(chance_scores(cosines, _SHUFFLES, 0).mean)
    shared = [_shared(evidence, pools, pair) for pair in pairs]
    return Overlap(
        tuple(jaccard for jaccard, _ in shared),
        tuple(chance for _, chance in shared),
        tuple(numbers),
        tuple(matched),
        tuple(shuffled),
    )


def _shared(evidence: Evidence, pools: Mapping[str, int], pair: tuple[str, str]) -> tuple[float, float]:
    """Give the overlap of the labels of two networks, and what chance gives."""
    one, other = ({(u.label, u.category) for u in evidence.units(name) if u.detector} for name in pair)
    draws = []
    for category, pool in pools.items():
        drawn = tuple(sum(c == category for _, c in side) for side in (one, other))
        draws.append(LabelDraw((pool, pool), pool, (drawn[0], drawn[1])))
    jaccard = len(one & other) / max(1, len(one | other))
    return jaccard, expected_jaccard(shared_labels(draws), (len(one), len(other)))


def _transfer(evidence: Evidence) -> list[Followed]:
    recipe = recipe_of("fine-tuned")
    return [
        Followed(recipe.iterations if iteration is None else iteration, *_followed(evidence, iteration))
        for iteration in (*recipe.checkpoints, None)
    ]


def _followed(evidence: Evidence, iteration: int | None) -> list[tuple[int, ...]]:
    rows = []
    for start, name in zip(
        evidence.networks("base"), evidence.networks("fine-tuned", iteration), strict=True
    ):
        units = list(zip(evidence.units(start), evidence.units(name), strict=True))
        both = [(a.label, a.category) == (b.label, b.category) for a, b in units if a.detector and b.detector]
        lost = sum(a.detector and not b.detector for a, b in units)
        rows.append(
            (sum(both), len(both) - sum(both), lost, sum(b.detector and not a.detector for a, b in units))
        )
    return [tuple(column) for column in zip(*rows, strict=True)]
