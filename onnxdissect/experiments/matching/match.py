"""From two layers of finished runs to the pairs of their units."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from onnxdissect.arguments import checked_arguments
from onnxdissect.core.progress import Progress, Silent
from onnxdissect.errors import ParameterError, nearest
from onnxdissect.experiments.comparison.records import MatchedUnits, UnitMatching
from onnxdissect.experiments.matching.sides import MatchedLayer, mask_correlations, profile_cosines
from onnxdissect.results import Dissection, Unit
from onnxdissect.statistics.matching.assignment import best_pairs, mean_score
from onnxdissect.statistics.matching.baselines import chance_scores, default_draws, random_scores
from onnxdissect.statistics.matching.similarity import Similarity

__all__ = ["MATCHED_BY", "check_matched_by", "match_units"]

MATCHED_BY = ("masks", "profiles")
"""What units can be matched by."""

_MOST_DRAWS = 100_000


@checked_arguments()
def match_units(
    first: Dissection,
    first_layer: str,
    second: Dissection,
    second_layer: str,
    *,
    quantile: float | tuple[float, float] | None = None,
    by: str = "masks",
    draws: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> UnitMatching:
    """Match the units of two layers one to one, so that the sum of their scores is as large as it can be.

    Parameters
    ----------
    first : Dissection
    first_layer : str
        Value name, alias, folder name or node name.
    second : Dissection
        The same run or another one.
    second_layer : str
    quantile : float or (float, float), optional
        The level tau, of both runs or of each; by default the first one of the first run, for both.
    by : {"masks", "profiles"}
        ``masks``: Pearson's correlation of mask pixels image by image. ``profiles``: the cosine of IoUs
        with all concepts that are candidates for labels in both runs.
    draws : int, optional
        How often one side is shuffled for the score that chance gives; by default 100 times, and large
        layers less often, but never less than 10 times.
    seed : int
        What is drawn by, from 0 to 2**63 - 1.
    progress : Progress, optional
        Told of one phase, ``matching``, that counts draws.

    Returns
    -------
    UnitMatching
        Named after the layers' values.

    Raises
    ------
    LayerNotFoundError
        If a run holds no such layer.
    ParameterError
        If a run was not made at the quantile, or does not keep what masks are matched by, or there is no
        such way of matching, or draws or seed are out of range.
    RunMismatchError
        If masks are asked for and the runs are not of the same images, or profiles are and the runs have no
        concept in common.
    RunFormatError
        If a file of a run is missing or damaged.
    """
    _check(by, draws, seed)
    levels = quantile if isinstance(quantile, tuple) else (quantile, quantile)
    sides = [
        MatchedLayer.of(run, layer, first.quantiles[0] if level is None else level)
        for run, layer, level in zip((first, second), (first_layer, second_layer), levels, strict=True)
    ]
    similarity: Similarity = (mask_correlations if by == "masks" else profile_cosines)(*sides)
    scores = similarity.scores()
    pairs = best_pairs(scores)
    random = random_scores(scores, seed)
    draws = draws or default_draws((scores.shape[0], scores.shape[1]), similarity.columns)
    progress = progress or Silent()
    progress.start("matching", draws)
    chance = chance_scores(similarity, draws, seed, progress.advance)
    progress.finish()
    same_label, same_label_random = _same_label(sides[0].units, sides[1].units, pairs)
    return UnitMatching(
        first=sides[0].name,
        second=sides[1].name,
        by=by,
        units=_matched(sides[0].units, sides[1].units, pairs, scores),
        score=mean_score(scores, pairs),
        random_mean=random.mean,
        random_low=random.low,
        random_high=random.high,
        chance_mean=chance.mean,
        chance_low=chance.low,
        chance_high=chance.high,
        same_number=int(np.count_nonzero(pairs[:, 0] == pairs[:, 1])) / len(pairs),
        same_label=same_label,
        same_label_random=same_label_random,
    )


def check_matched_by(by: str) -> None:
    """See that units can be matched by something.

    Parameters
    ----------
    by : str

    Raises
    ------
    ParameterError
        If it is none of `MATCHED_BY`.
    """
    if by not in MATCHED_BY:
        raise ParameterError(
            f"units cannot be matched by {by!r}", candidates=nearest(by, MATCHED_BY) or MATCHED_BY
        )


def _check(by: str, draws: int | None, seed: int) -> None:
    check_matched_by(by)
    if draws is not None and not 1 <= draws <= _MOST_DRAWS:
        raise ParameterError(f"one side can be shuffled 1 to {_MOST_DRAWS:,} times, not {draws:,}")
    if not 0 <= seed < 2**63:
        raise ParameterError(f"the seed must be from 0 to 2**63 - 1, not {seed}")


def _matched(
    first: tuple[Unit, ...],
    second: tuple[Unit, ...],
    pairs: NDArray[np.int64],
    scores: NDArray[np.float64],
) -> tuple[MatchedUnits, ...]:
    return tuple(
        MatchedUnits(
            first=one,
            second=other,
            score=float(scores[one, other]),
            first_label=first[one].label if first[one].detector else "",
            second_label=second[other].label if second[other].detector else "",
        )
        for one, other in pairs.tolist()
    )


def _same_label(
    first: tuple[Unit, ...], second: tuple[Unit, ...], pairs: NDArray[np.int64]
) -> tuple[float | None, float | None]:
    """Find the share of equal labels among pairs of detectors: of the matched ones, and of all there are."""
    names, others = _detected(first), _detected(second)
    both = [(one, other) for one, other in pairs.tolist() if one in names and other in others]
    if not both:
        return None, None
    counts, other_counts = Counter(names.values()), Counter(others.values())
    alike = sum(count * other_counts[name] for name, count in counts.items())
    matched = sum(names[one] == others[other] for one, other in both)
    return matched / len(both), alike / (len(names) * len(others))


def _detected(units: tuple[Unit, ...]) -> dict[int, tuple[str, str]]:
    """Give what each detector detects, concept and category."""
    return {unit.unit: (unit.label, unit.category) for unit in units if unit.detector}
