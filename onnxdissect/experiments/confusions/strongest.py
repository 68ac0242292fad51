"""The strongest units of predictions, and which images a page shows of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.confusions.records import ImageUnit, PredictedImage, PredictionArrays

__all__ = ["choose_examples", "image_units", "strongest_units"]

_MOST_EXAMPLES = 600


def strongest_units(
    contribution: NDArray[np.float32], fired: NDArray[np.bool_], detectors: NDArray[np.bool_], top: int
) -> list[NDArray[np.int64]]:
    """Find the detectors that fired and contributed most, image by image.

    Parameters
    ----------
    contribution : ndarray of float32, shape (images, units)
    fired : ndarray of bool, shape (images, units)
    detectors : ndarray of bool, shape (units,)
    top : int
        How many at most.

    Returns
    -------
    list of ndarray of int64
        Units of positive contribution, the largest first, the lower number on a tie.
    """
    found = []
    for row, fires in zip(contribution, fired, strict=True):
        speaking = np.flatnonzero(fires & detectors & (row > 0))
        found.append(speaking[np.argsort(-row[speaking], kind="stable")[:top]])
    return found


def image_units(arrays: PredictionArrays, i: int, units: NDArray[np.int64]) -> tuple[ImageUnit, ...]:
    """Say what the strongest units of an image did.

    Parameters
    ----------
    arrays : PredictionArrays
        Of all images.
    i : int
        Position of the image.
    units : ndarray of int64

    Returns
    -------
    tuple of ImageUnit
    """
    row = arrays.contribution[i].astype(np.float64)
    whole = float(row[row > 0].sum())
    return tuple(
        ImageUnit(
            unit=unit,
            contribution=float(row[unit]),
            share=float(row[unit]) / whole,
            held=bool(arrays.held[i, unit]) if arrays.known[unit] else None,
        )
        for unit in units.tolist()
    )


def choose_examples(images: Sequence[PredictedImage], most: int) -> list[int]:
    """Choose the images that a page shows: of each class some told right, and some of each of its confusions.

    Parameters
    ----------
    images : sequence of PredictedImage
    most : int
        Of a class, told right, and as many told wrong.

    Returns
    -------
    list of int
        Positions, ascending; 600 at most, evenly spread where there would be more.
    """
    groups: dict[tuple[int, bool], dict[int, list[int]]] = {}
    for i, image in enumerate(images):
        of_class = groups.setdefault((image.class_index, image.right), {})
        of_class.setdefault(image.predicted_index, []).append(i)
    if not groups or most < 1:
        return []
    each = max(1, min(most, _MOST_EXAMPLES // len(groups)))
    chosen = sorted(i for group in groups.values() for i in _in_turn(group.values(), each))
    if len(chosen) > _MOST_EXAMPLES:
        chosen = [chosen[int(at)] for at in np.linspace(0, len(chosen) - 1, _MOST_EXAMPLES)]
    return chosen


def _in_turn(lists: Iterable[Sequence[int]], most: int) -> list[int]:
    """Take the first of each, then the second of each, and so on."""
    ranked = [(place, i) for one in lists for place, i in enumerate(one)]
    return [i for _, i in sorted(ranked)[:most]]
