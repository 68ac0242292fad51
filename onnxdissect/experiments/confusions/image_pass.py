"""One pass over labelled images: what is predicted, what units contribute to it, and which of them fire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.progress import Progress
from onnxdissect.errors import OutOfMemoryError
from onnxdissect.experiments.class_scores.scored_layer import ScoredLayer
from onnxdissect.experiments.class_scores.variants import class_scores
from onnxdissect.experiments.confusions.contributions import Contributor
from onnxdissect.experiments.confusions.image_masks import ImageMasks
from onnxdissect.experiments.confusions.records import PredictionArrays
from onnxdissect.experiments.confusions.result import Example
from onnxdissect.storage.memory import memory_limit

__all__ = ["PassedImages", "expect_memory", "make_examples", "pass_images"]

# of an image and a unit: its contribution, and whether it fired and held
_BYTES = 6


@dataclass(frozen=True, slots=True)
class PassedImages:
    """What the pass gives.

    Attributes
    ----------
    arrays : PredictionArrays
        What every unit did in every image.
    class_score, predicted_score : ndarray of float64, shape (images,)
        Scores of the class shown and of the one predicted.
    error : float or None
        The largest of *linear*.
    """

    arrays: PredictionArrays
    class_score: NDArray[np.float64]
    predicted_score: NDArray[np.float64]
    error: float | None


def pass_images(
    source: ScoredLayer,
    contributor: Contributor,
    masks: ImageMasks,
    shown: NDArray[np.int64],
    progress: Progress,
) -> PassedImages:
    """Run every image once, and the tail once for each of its active units; one image is in memory at a time.

    Parameters
    ----------
    source : ScoredLayer
        The layer.
    contributor : Contributor
        What a contribution is.
    masks : ImageMasks
        How masks are made, and of which images.
    shown : ndarray of int64, shape (images,)
        The class of each image.
    progress : Progress
        Told of one phase, ``predictions``.

    Returns
    -------
    PassedImages

    Raises
    ------
    DataError
        If an image cannot be read.
    NonFiniteError
        If activations or scores are not finite.
    NotAdditiveError
        If *linear* contributions do not add up.
    OutOfMemoryError
        If all contributions are more than fit into memory.
    """
    images, parts = masks.images, contributor.parts
    count, units = len(images), parts.layer.units
    expect_memory(count, units, memory_limit())
    predicted = np.empty(count, np.int32)
    class_score, predicted_score = np.empty((2, count))
    contribution = np.empty((count, units), np.float32)
    fired, held = np.empty((2, count, units), np.bool_)
    of_class: list[NDArray[np.float32]] = []
    errors: list[float] = []
    progress.start("predictions", count)
    for i in range(count):
        activations = parts.activations(source.prepared(images.read(i)))
        scores = class_scores(parts, activations)[0]
        told = int(np.argmax(scores))
        predicted[i] = told
        class_score[i], predicted_score[i] = scores[shown[i]], scores[told]
        wrong = told != shown[i]
        numbers = [told, int(shown[i])] if wrong else [told]
        found = contributor.contributions(activations, scores, numbers)
        contribution[i] = found[0].values
        if wrong:
            of_class.append(found[1].values.astype(np.float32))
        errors += [one.error for one in found if one.error is not None]
        fired[i], held[i] = masks.fired(parts.maps(activations)[0], i)
        progress.advance(1)
    progress.finish()
    wrongs = np.flatnonzero(predicted != shown).astype(np.int32)
    arrays = PredictionArrays(
        shown.astype(np.int32),
        predicted,
        contribution,
        wrongs,
        np.array(of_class, np.float32).reshape(len(wrongs), units),
        fired,
        held,
        masks.places >= 0,
    )
    return PassedImages(arrays, class_score, predicted_score, max(errors, default=None))


def expect_memory(images: int, units: int, limit: int | None) -> None:
    """Refuse images whose contributions do not fit into memory, before the first is looked at.

    Parameters
    ----------
    images, units : int
        How many there are.
    limit : int or None
        Bytes that this process may use; None where nobody knows.

    Raises
    ------
    OutOfMemoryError
        With how many images fit.
    """
    asked = images * units * _BYTES
    if limit is None or asked <= limit:
        return
    raise OutOfMemoryError(
        f"what {units:,} units contribute in {images:,} images takes {asked / 2**30:,.1f} GiB, and this "
        f"process may use {limit / 2**30:,.1f}",
        hint=f"fewer images, at most {limit // (_BYTES * units):,}, or a layer of fewer units",
    )


def make_examples(
    source: ScoredLayer,
    contributor: Contributor,
    masks: ImageMasks,
    chosen: Sequence[tuple[int, Sequence[int]]],
    progress: Progress,
) -> tuple[Example, ...]:
    """Make the masks of images that a page shows; masks of all of them would not fit into memory.

    Parameters
    ----------
    source, contributor, masks
        As `pass_images` takes them.
    chosen : sequence of (int, sequence of int)
        Positions of images, and units of each.
    progress : Progress
        Told of one phase, ``examples``.

    Returns
    -------
    tuple of Example

    Raises
    ------
    DataError
        If an image can no longer be read.
    """
    found = []
    progress.start("examples", len(chosen))
    for i, units in chosen:
        grid = masks.grid(i)
        maps = contributor.parts.maps(contributor.parts.activations(source.prepared(masks.images.read(i))))[0]
        bits = [np.packbits(mask) for _, mask in masks.masks(maps, units, grid)]
        found.append(Example(i, grid, np.array(bits, np.uint8).reshape(len(bits), _bytes(grid))))
        progress.advance(1)
    progress.finish()
    return tuple(found)


def _bytes(grid: tuple[int, int]) -> int:
    return (grid[0] * grid[1] + 7) // 8
