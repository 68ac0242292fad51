"""What all units of a layer score in all resamples, as whole arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import PerImageCounts, TruthCounts
from onnxdissect.statistics.resamples import Resamples


class Resampled(NamedTuple):
    """Arrays of shape (Q, K, B): of the concepts asked about, the winners and theirs."""

    iou: NDArray[np.float64]
    winner: NDArray[np.int32]
    best: NDArray[np.float64]


def walk_all(
    resamples: Resamples,
    per_image: PerImageCounts,
    labels: NDArray[np.int64],
    scoring: str = "paper",
    masks: int = 10**9,
) -> Resampled:
    """Walk over a layer that is cut into parts of so many masks."""
    shape = (*labels.shape, resamples.size)
    found = Resampled(np.full(shape, -1.0), np.full(shape, -9, np.int32), np.full(shape, -1.0))
    for units in resamples.walk(per_image.parts(masks), scoring):
        at = units.quantile, units.units
        assert (found.winner[at] == -9).all(), "units are given twice"
        found.iou[at], found.winner[at], found.best[at] = units.iou_of(labels[at]), units.winner, units.best
    return found


def first_concepts(per_image: PerImageCounts) -> NDArray[np.int64]:
    """Each unit's first top concept, -1 for none, shape (Q, K)."""
    top = per_image.top_concepts
    return top[..., 0] if top.shape[2] else np.full(top.shape[:2], -1, np.int64)


def made_up(
    random: np.random.Generator, *, images: int, units: int
) -> tuple[
    PerImageCounts,
    TruthCounts,
    NDArray[np.int64],
    NDArray[np.int64],
]:
    """Counts of one quantile with a mask of every unit in every image, categories of concepts, labels."""
    concepts = 4
    intersection = random.integers(0, 20, (units * images, 3)).astype(np.int32)
    top_concepts = np.stack([random.permutation(concepts)[:3] for _ in range(units)])[None]
    per_image = PerImageCounts(
        top_concepts=top_concepts,
        starts=np.arange(units + 1) * images,
        image=np.tile(np.arange(images, dtype=np.int32), units),
        activation=(intersection.max(axis=1) + random.integers(1, 9, units * images)).astype(np.int32),
        intersection=intersection,
        overlap=np.full((units * images, 1), 0b11000000, np.uint8),
    )
    truth = TruthCounts(
        starts=np.arange(images + 1) * concepts,
        concept=np.tile(np.arange(concepts, dtype=np.int32), images),
        pixels=random.integers(20, 60, images * concepts).astype(np.int32),
        categories=np.ones((images, 2), np.bool_),
    )
    return per_image, truth, np.array([0, 1, 0, 1]), top_concepts[..., 0]
