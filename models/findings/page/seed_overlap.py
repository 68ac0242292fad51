"""What two trainings that differ in their seed alone have in common: labels, and units."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from onnxdissect.statistics.matching.assignment import best_pairs, mean_score
from onnxdissect.statistics.matching.baselines import chance_scores, random_scores
from onnxdissect.statistics.matching.profile_cosines import ProfileCosines
from onnxdissect.statistics.shared_labels import LabelDraw, expected_jaccard, shared_labels, upper_tail
from page.answer_records import Overlap
from page.evidence import CATEGORIES, Evidence

__all__ = ["overlap"]

_SHUFFLES = 40
"""The fewest of which the middle 95 % leaves one out on either side."""


def overlap(evidence: Evidence) -> Overlap:
    """Compare every two finished networks of `base`.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    Overlap
    """
    pools = {
        category: sum(c["category"] == category and int(c["images"]) > 0 for c in evidence.concepts())
        for category in CATEGORIES
    }
    rows = [
        (*_shared(evidence, pools, pair), *_matched(evidence, pair))
        for pair in itertools.combinations(evidence.networks("base"), 2)
    ]
    return Overlap(*zip(*rows, strict=True))


def _shared(
    evidence: Evidence, pools: Mapping[str, int], pair: tuple[str, str]
) -> tuple[float, float, float]:
    """Give the overlap of the labels of two networks, what chance gives, and how likely chance gives it."""
    one, other = ({(u.label, u.category) for u in evidence.units(name) if u.detector} for name in pair)
    draws = []
    for category, pool in pools.items():
        drawn = tuple(sum(c == category for _, c in side) for side in (one, other))
        draws.append(LabelDraw((pool, pool), pool, (drawn[0], drawn[1])))
    chances = shared_labels(draws)
    jaccard = len(one & other) / max(1, len(one | other))
    return (
        jaccard,
        expected_jaccard(chances, (len(one), len(other))),
        upper_tail(chances, len(one & other)),
    )


def _matched(evidence: Evidence, pair: tuple[str, str]) -> tuple[float, float, float, float]:
    """Give mean cosines: of equal numbers, random pairs at most, the best pairs, shuffles at most."""
    cosines = ProfileCosines(*(evidence.last_iou(name) for name in pair))
    scores = cosines.scores()
    return (
        float(np.diag(scores).mean()),
        random_scores(scores, 0).high,
        mean_score(scores, best_pairs(scores)),
        chance_scores(cosines, _SHUFFLES, 0).high,
    )
