"""The papers' findings, asked of the tables: every number that `docs/findings.md` tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from measurements.predictions import STRONGEST
from training.recipes import RECIPES, TEST_IMAGES, recipe_of, shipped, trainings

from page.answer_records import FEWEST, Followed, Rotated, Swept, Unchanged, Variant
from page.differences import EARLY, MARGIN, alike, contrasts, findings
from page.estimates import Estimate, mean_of
from page.evidence import CATEGORIES, Evidence
from page.explained import explained
from page.seed_overlap import overlap
from page.sweep_counts import along, counted, directions, fall, generic_shares

__all__ = ["answers"]


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
    evidence.check()
    variants = {recipe.variant: _variant(evidence, recipe.variant) for recipe in RECIPES}
    base = recipe_of("base")
    checkpoints = {iteration: _variant(evidence, "base", iteration) for iteration in base.checkpoints}
    checkpoints[base.iterations] = variants["base"]
    return {
        "variants": variants,
        "untrained": checkpoints[0],
        "checkpoints": checkpoints,
        "depth": _depth(evidence),
        "sizes": {layer: evidence.size("base-s0", layer) for layer in evidence.layers("base-s0")},
        "thresholds": _thresholds(evidence),
        "trained_rotations": _rotations(evidence, None),
        "untrained_rotations": _rotations(evidence, 0),
        "predictions": _predictions(evidence),
        "overlap": overlap(evidence),
        "transfer": _transfer(evidence),
        "setting": _setting(evidence),
        "findings": findings(evidence),
        "alike": alike(evidence),
        "contrasts": contrasts(evidence),
    }


def _setting(evidence: Evidence) -> dict[str, Any]:
    """Say how much there is of everything, and how it was dissected."""
    card, base = evidence.cards["base-s0"], recipe_of("base")
    made = [(training, name) for training in trainings() for name, _ in training.networks()]
    cards = [evidence.cards[name] for _, name in made]
    sizes = [round(one["parameters"], -3) for one in cards]
    return {
        "networks": len(made),
        "trainings": len(trainings()),
        "shipped": sum(shipped(training, name) for training, name in made),
        "parameters": (min(sizes), max(sizes)),
        "hours": sum(_seconds(one) for one in cards) / 3600,
        "images": card["images"],
        "tested": TEST_IMAGES,
        "samples": card["samples"],
        "quantile": card["quantile"],
        "iou_threshold": card["iou_threshold"],
        "convolutions": {name: len(recipe_of(name).stages) for name in ("base", "deeper", "shallower")},
        "stronger_decay": recipe_of("strong-decay").decay / base.decay,
        "early": EARLY,
        "margin": MARGIN,
        "fewest": FEWEST,
        "strongest": STRONGEST,
    }


def _seconds(card: Mapping[str, Any]) -> float:
    """Processor seconds of a training and the dissections after it, which the finished network's card has."""
    return float(card.get("seconds_training", 0)) + float(card.get("seconds_after", 0))


def _variant(evidence: Evidence, variant: str, iteration: int | None = None) -> Variant:
    networks = evidence.networks(variant, iteration)
    scores = tuple(float(evidence.cards[name]["score"]) for name in networks)
    units = evidence.size(networks[0])
    return Variant(
        _unique(evidence, networks, ("unique",)),
        mean_of([evidence.count(name, ("detectors",)) * (1 / units) for name in networks], most=1.0),
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


def _thresholds(evidence: Evidence) -> list[Swept]:
    found = [evidence.experiment(name, "thresholds") for name in evidence.networks("base")]
    shares = [generic_shares(swept) for swept in found]
    return [
        Swept(
            float(quantile),
            mean_of([counted(swept["unique"][place]) for swept in found]),
            mean_of([of_network[place] for of_network in shares], most=1.0),
        )
        for place, quantile in enumerate(found[0]["quantiles"])
    ]


def _rotations(evidence: Evidence, iteration: int | None) -> Rotated:
    found = [evidence.experiment(name, "rotations") for name in evidence.networks("base", iteration)]
    alphas = sorted({float(alpha) for alpha in found[0]["alphas"] if not np.isnan(alpha)})
    return Rotated(
        {alpha: mean_of([along(rotated, alpha) for rotated in found]) for alpha in alphas},
        mean_of([directions(rotated) for rotated in found]),
        mean_of([fall(rotated) for rotated in found], least=-np.inf, most=1.0),
        Unchanged(sum(int(rotated["differences"][0]) for rotated in found), 0),
        Unchanged(
            max(float(rotated["turned_back"][0]) for rotated in found),
            min(float(rotated["rounding"][0]) for rotated in found),
        ),
    )


def _predictions(evidence: Evidence) -> dict[str, Estimate]:
    told = [explained(evidence, name) for name in evidence.networks("base")]
    return {name: mean_of([one[name] for one in told], most=1.0) for name in told[0]}


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
