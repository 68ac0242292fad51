"""The control: a layer whose units were put in another order must be the layer, but for their numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.rotation.entries import RotationEntries
from onnxdissect.model.bases.draws import random_permutation
from onnxdissect.results import Dissection, LayerCounts

if TYPE_CHECKING:
    from onnxdissect.core.scoring import Scores

__all__ = ["is_difference", "permutation_differences"]

_COUNTS = ("thresholds", "intersection", "activation", "activation_overlap", "activation_total")
_SAID = {
    "thresholds": "thresholds T_k",
    "intersection": "mask pixels that hold a concept",
    "activation": "mask pixels in images of a category",
    "activation_overlap": "mask pixels in images where a category overlaps",
    "activation_total": "mask pixels",
    "concept": "labels",
    "best": "IoUs of labels",
}
# As `_difference` says it.
_DIFFERENCE = re.compile(
    r"(?P<what>.+) of (?P<found>[0-9]{1,9}) of (?P<of>[0-9]{1,9}) units, of them first unit "
    r"(?P<first>[0-9]{1,9}), the layer's unit (?P<own>[0-9]{1,9})"
)


def permutation_differences(run: Dissection, entries: RotationEntries) -> list[list[str]]:
    """Compare the permuted layer with the layer, unit by unit, to the bit.

    Parameters
    ----------
    run : Dissection
    entries : RotationEntries
        Of the layer.

    Returns
    -------
    list of list of str
        For each quantile, what differs and in how many units. Nothing, unless something is wrong.

    Raises
    ------
    RunFormatError
        If files of the run are missing or damaged.
    """
    order = random_permutation(entries.own.units, entries.permuted_by)
    own, permuted = (_arrays(run, info.name) for info in (entries.own, entries.permutation))
    found: list[list[str]] = [[] for _ in run.quantiles]
    for name, expected in own.items():
        for q, said in enumerate(found):
            told = _difference(name, expected[q][order], permuted[name][q], order)
            said.extend([told] if told else [])
    return found


def is_difference(said: str, units: int, seed: int) -> bool:
    """Tell whether a text is one that `permutation_differences` gives.

    Parameters
    ----------
    said : str
    units : int
        Of the layer.
    seed : int
        Of the permutation.

    Returns
    -------
    bool
    """
    match = _DIFFERENCE.fullmatch(said)
    if match is None or match["what"] not in _SAID.values():
        return False
    found, of, first, own = (int(match[name]) for name in ("found", "of", "first", "own"))
    if of != units or not 1 <= found <= units or not first + found <= units:
        return False
    return own == int(random_permutation(units, seed)[first])


def _arrays(run: Dissection, layer: str) -> dict[str, NDArray[Any]]:
    counts: LayerCounts = run.counts(layer)
    scores: Scores = run.scores(layer)
    arrays = {name: getattr(counts, name) for name in _COUNTS}
    return arrays | {"concept": scores.concept, "best": scores.best}


def _difference(name: str, expected: NDArray[Any], got: NDArray[Any], order: NDArray[np.int64]) -> str:
    """Say how the units of one quantile differ; nothing if they do not."""
    same = (expected == got) | ((expected != expected) & (got != got))
    units = np.flatnonzero(~same.reshape(len(same), -1).all(axis=1))
    if not units.size:
        return ""
    first = int(units[0])
    return (
        f"{_SAID[name]} of {units.size} of {len(order)} units, of them first unit {first}, "
        f"the layer's unit {int(order[first])}"
    )
