"""Whether a chunk that is read from disk can be one of a pass.

Kernels index with what a chunk holds, without looking. What this program wrote is in bounds, and a checksum
tells when bytes have changed since. But whoever writes a spool file computes its checksum too, so what a
state takes up is looked at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.plan import Plan
from onnxdissect.core.sparse_maps import PackedAnnotations, SparseMaps
from onnxdissect.core.spool.chunk import Chunk
from onnxdissect.core.state.image_ranges import ImageRanges

__all__ = ["possible_chunk"]


def possible_chunk(plan: Plan, images: ImageRanges, chunk: Chunk) -> bool:
    """Tell whether every index that a chunk holds is one that the plan has.

    Parameters
    ----------
    plan : Plan
        What is dissected.
    images : ImageRanges
        Those that have been taken in.
    chunk : Chunk

    Returns
    -------
    bool
    """
    start, count = chunk.start, len(chunk)
    if type(start) is not int or count == 0 or len(chunk.layers) != len(plan.layers):
        return False
    if not any(first <= start and start + count <= stop for first, stop in images.ranges):
        return False
    return _annotations_possible(chunk.annotations, plan) and all(
        maps.shape == layer.shape and _maps_possible(maps, layer.units, count)
        for maps, layer in zip(chunk.layers, plan.layers, strict=True)
    )


def _annotations_possible(packed: PackedAnnotations, plan: Plan) -> bool:
    concepts, categories = len(plan.vocabulary.concepts), len(plan.vocabulary.categories)
    # Labels of planes are counted from one, as zero is none.
    images = packed.grid_of.size
    if not (
        packed.has_category.shape == (images, categories)
        and packed.image_label_starts.size == packed.plane_starts.size == images + 1
        and _below(packed.grid_of, len(plan.grids))
        and _below(packed.run_labels, concepts + 1)
        and _below(packed.image_labels, concepts)
        and _climbs(packed.image_label_starts, packed.image_labels.size)
    ):
        return False
    # Runs fill the planes of an image, of which each is as large as its grid; none goes on in the next image.
    ends = np.cumsum(np.concatenate([[0], packed.run_lengths]), dtype=np.int64)
    if not packed.run_lengths.all() or not _climbs(packed.plane_starts, int(ends[-1])):
        return False
    pixels = plan.grids[packed.grid_of].prod(axis=1)
    whole = not (np.diff(packed.plane_starts) % pixels).any()
    return whole and bool(np.isin(packed.plane_starts, ends).all())


def _maps_possible(maps: SparseMaps, units: int, images: int) -> bool:
    height, width = maps.shape
    if not (
        maps.image_starts.size == images + 1
        and maps.starts.size == maps.units.size + 1
        and maps.values.size == maps.cells.size
        and _climbs(maps.image_starts, maps.units.size)
        and _climbs(maps.starts, maps.cells.size)
        and _below(maps.units, units)
        and _below(maps.cells, height * width)
    ):
        return False
    return _ascending_within(maps.units, maps.image_starts) and _ascending_within(maps.cells, maps.starts)


def _climbs(starts: NDArray[np.int64], end: int) -> bool:
    return bool(starts.size and starts[0] == 0 and starts[-1] == end and (starts[1:] >= starts[:-1]).all())


def _below(indices: NDArray[np.integer], size: int) -> bool:
    return indices.size == 0 or bool(indices.min() >= 0 and indices.max() < size)


def _ascending_within(indices: NDArray[np.integer], starts: NDArray[np.int64]) -> bool:
    """Whether indices ascend, but for where something new begins."""
    falls = np.flatnonzero(indices[1:] <= indices[:-1]) + 1
    return bool(np.isin(falls, starts).all())
