"""Masks counted against the annotations of their images, in pixels (paper section 3.3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import inlined, kernel
from onnxdissect.core.kernels.masks.arguments import annotation_arrays, grid_table, map_arrays, table_of
from onnxdissect.core.kernels.masks.map_buffer import MapBuffer, clear_map, exceeds, load_map, map_buffer
from onnxdissect.core.kernels.masks.mask_walk import walk_mask
from onnxdissect.core.kernels.records import records_of
from onnxdissect.core.per_image_counts import MaskCounts
from onnxdissect.core.sparse_maps import Annotations, Counts, SparseMaps
from onnxdissect.core.upsampling import InterpolationTable

__all__ = ["count"]


class CountArrays(NamedTuple):
    """Arrays of `onnxdissect.core.sparse_maps.Counts`, added to in place."""

    intersection: NDArray[Any]
    activation: NDArray[Any]
    overlap: NDArray[Any]
    total: NDArray[Any]
    top_masks: NDArray[Any]


class Scratch(NamedTuple):
    """Room to work in.

    Attributes
    ----------
    buffer : MapBuffer
        Empty before and after, as are the following, which are zero.
    seen : ndarray of int64
        Pixels of a mask by label set, as long as an image has label sets.
    hit : ndarray of bool, shape (categories,)
        Categories that a mask meets.
    got : ndarray of int64, shape (concepts,)
        Pixels of a mask by concept.
    touched : ndarray of int64
        The label sets that a mask meets, as long as ``seen``.
    points : ndarray of int32
        Pixels of a mask, as many as the largest label grid has.
    """

    buffer: MapBuffer
    seen: NDArray[np.int64]
    hit: NDArray[np.bool_]
    got: NDArray[np.int64]
    touched: NDArray[np.int64]
    points: NDArray[np.int32]


class SingleMasks(NamedTuple):
    """Counts of single masks, in arrays with room for more.

    See `onnxdissect.core.per_image_counts.MaskCounts`.

    Attributes
    ----------
    heads, overlap, met : ndarray
        As there. ``overlap`` is zero where it is not used yet.
    at : ndarray of int64, shape (4,)
        The image and the map that is next, and how many rows of ``heads`` and of ``met`` are used.
    """

    heads: NDArray[np.int32]
    overlap: NDArray[np.uint8]
    met: NDArray[np.int32]
    at: NDArray[np.int64]


def count(
    sparse_maps: SparseMaps,
    annotations: Annotations,
    start: int,
    top_images: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    thresholds: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    sampling: InterpolationTable,
    category_of: np.ndarray[tuple[int], np.dtype[np.int64]],
    counts: Counts,
    units: slice,
    *,
    keep: bool = False,
) -> MaskCounts | None:
    """Add the masks of one layer in one chunk of images to its counts (paper section 3.3).

    Parameters
    ----------
    sparse_maps : SparseMaps
        Surviving maps of the chunk, kept relative to bounds that do not exceed the thresholds.
    annotations : Annotations
        What the chunk's images show.
    start : int
        Number of the chunk's first image.
    top_images : ndarray of int64, shape (units, top)
        Numbers of each unit's top images, whose masks are drawn.
    thresholds : ndarray of float32, shape (quantiles, units)
        T_k per quantile.
    sampling : InterpolationTable
        From the layer's cells to the label grids that ``annotations.grid_of`` refers to.
    category_of : ndarray of int64, shape (concepts,)
        Primary category of each concept.
    counts : Counts
        Added to in place.
    units : slice
        Only these units. Others may be counted at the same time.
    keep : bool
        Whether to give the counts of each single mask as well.

    Returns
    -------
    MaskCounts or None
        By image and then by unit; None unless asked for.
    """
    if sparse_maps.starts.shape != (sparse_maps.units.size + 1,):
        raise ValueError("units and starts disagree")
    if sparse_maps.image_starts.shape != (len(annotations) + 1,):
        raise ValueError(f"maps of {sparse_maps.image_starts.size - 1} images, {len(annotations)} annotated")
    first, last, _ = units.indices(thresholds.shape[1])
    most = int(np.diff(annotations.label_set_starts).max(initial=0))
    quantiles, _, concepts = counts.intersection.shape
    categories = annotations.has_category.shape[1]
    scratch = Scratch(
        map_buffer(sparse_maps.shape),
        np.zeros(most, np.int64),
        np.zeros(categories, np.bool_),
        np.zeros(concepts, np.int64),
        np.empty(most, np.int64),
        np.empty(int(sampling.grids.prod(axis=1).max()), np.int32),
    )
    single = SingleMasks(
        np.empty((1024 if keep else 0, 4), np.int32),
        np.zeros((1024 if keep else 0, (categories + 7) // 8), np.uint8),
        np.empty((8192 if keep else 0, 2), np.int32),
        np.zeros(4, np.int64),
    )
    # The kernel comes back where a map may bring more than there is room for.
    while _count(
        (first, last, start, keep),
        map_arrays(sparse_maps),
        annotation_arrays(annotations),
        top_images,
        (thresholds, thresholds.min(axis=0)),
        (sampling.grids, grid_table(sampling)),
        category_of,
        CountArrays(
            counts.intersection,
            counts.activation,
            counts.activation_overlap,
            counts.activation_total,
            counts.top_masks,
        ),
        scratch,
        single,
    ):
        single = _with_room(single, quantiles, quantiles * concepts)
    if not keep:
        return None
    masks, pairs = single.at[2:].tolist()
    return MaskCounts(single.heads[:masks].copy(), single.overlap[:masks].copy(), single.met[:pairs].copy())


def _with_room(single: SingleMasks, masks: int, pairs: int) -> SingleMasks:
    """Make room for at least so many masks, and pairs of mask and concept, more: at least twice the room."""
    used = single.at[2:].tolist()
    heads, met = (
        np.empty((max(2 * len(array), at + more), array.shape[1]), array.dtype)
        for array, at, more in ((single.heads, used[0], masks), (single.met, used[1], pairs))
    )
    overlap = np.zeros((len(heads), single.overlap.shape[1]), np.uint8)
    heads[: used[0]] = single.heads[: used[0]]
    overlap[: used[0]] = single.overlap[: used[0]]
    met[: used[1]] = single.met[: used[1]]
    return SingleMasks(heads, overlap, met, single.at)


@kernel
def _count(share, maps, annotations, top_images, thresholds, grids, category_of, counts, scratch, single):
    """Count the masks of the units ``first .. last - 1`` of a layer in a chunk of images; see `count`.

    For every mask M_k(x), by what its pixels are annotated with::

        intersection[q, k, c] += |M_k(x) and L_c(x)|
        activation[q, k, g]   += |M_k(x)|   if the image carries category g
        overlap[q, k, g]      += |M_k(x)|   if the mask meets a concept of category g
        total[q, k]           += |M_k(x)|

    The pixels of a mask are counted per label set, the set of concepts that a pixel holds, and concepts only
    once per label set. Concepts of the whole image have all pixels of the mask.

    Parameters
    ----------
    share : (int, int, int, bool)
        First unit, and the one after the last; number of the chunk's first image; whether the counts of
        single masks are given.
    maps : MapArrays
        Sparse maps of the chunk.
    annotations : AnnotationArrays
        Of the chunk.
    top_images : ndarray of int64, shape (units, top)
    thresholds : tuple of ndarray of float32, shape (quantiles, units) and (units,)
        T_k, and the lowest over the quantiles.
    grids : (ndarray of int64, shape (grids, 2), GridTable)
        Label grids, and the table of all.
    category_of : ndarray of int64, shape (concepts,)
    counts : CountArrays
        Added to in place; no other thread has the same units.
    scratch : Scratch
    single : SingleMasks
        Added to, if asked for, from the place where it stands.

    Returns
    -------
    bool
        Whether single masks need more room before the rest can be counted.
    """
    first, last, start, keep = share
    thresholds, lowest = thresholds
    grids, table = grids
    buffer = scratch.buffer
    points = scratch.points
    values = maps.values
    starts = maps.starts
    at = single.at
    hit = scratch.hit
    has_category = annotations.has_category
    quantiles = thresholds.shape[0]
    for image in range(at[0], maps.image_starts.shape[0] - 1):
        g = annotations.grid_of[image]
        width = grids[g, 1]
        grid = table_of(table, g)
        labels = annotations.label_sets[annotations.pixel_starts[image] : annotations.pixel_starts[image + 1]]
        begin, end = records_of(maps.image_starts, maps.units, image, first, last)
        for record in range(begin if begin > at[1] else at[1], end):
            unit = maps.units[record]
            # The bound was lower when the map was kept, so many maps do not reach the threshold.
            if not exceeds(values[starts[record] : starts[record + 1]], lowest[unit]):
                continue
            if keep and _full(single, quantiles, quantiles * category_of.shape[0]):
                at[0] = image
                at[1] = record
                return True
            rows, highest = load_map(maps, record, lowest[unit], buffer)
            rank = -1
            for place in range(top_images.shape[1]):
                if top_images[unit, place] == start + image:
                    rank = place
            for q in range(quantiles):
                threshold = thresholds[q, unit]
                if highest <= threshold:
                    continue
                area = walk_mask(buffer, rows, threshold, grid, width, points)
                if area == 0:
                    continue
                if rank >= 0:
                    _draw(points, area, counts.top_masks[q, unit, rank])
                met = _collect(points, area, labels, scratch)
                used = _add_concepts(
                    (image, area, met),
                    annotations,
                    category_of,
                    counts.intersection[q, unit],
                    scratch,
                    single,
                    keep,
                )
                if keep:
                    _keep(q * thresholds.shape[1] + unit, start + image, area, used, scratch, single)
                counts.total[q, unit] += area
                activation = counts.activation[q, unit]
                overlap = counts.overlap[q, unit]
                for category in range(activation.shape[0]):
                    if has_category[image, category]:
                        activation[category] += area
                    if hit[category]:
                        overlap[category] += area
                        hit[category] = False
            clear_map(maps, record, rows, buffer)
    at[0] = maps.image_starts.shape[0] - 1
    return False


@inlined
def _full(single, masks, pairs):
    """Whether there is no room for so many masks, and pairs of mask and concept, more."""
    return single.at[2] + masks > single.heads.shape[0] or single.at[3] + pairs > single.met.shape[0]


@inlined
def _draw(points, area, bits):
    """Set the bits of a mask's pixels, the first in the highest bit of the first byte."""
    for i in range(area):
        point = points[i]
        bits[point >> 3] |= np.uint8(128 >> (point & 7))


@inlined
def _collect(points, area, labels, scratch):
    """Count the pixels of a mask by label set; return how many label sets it meets."""
    seen = scratch.seen
    touched = scratch.touched
    met = 0
    for i in range(area):
        label = labels[points[i]]
        if seen[label] == 0:
            touched[met] = label
            met += 1
        seen[label] += 1
    return met


@inlined
def _add_concepts(mask, annotations, category_of, intersection, scratch, single, keep):
    """Count a mask by concept; return how many pairs of mask and concept there are then in all."""
    image, area, met = mask
    parts = annotations.parts
    part_starts = annotations.part_starts
    seen = scratch.seen
    first = annotations.label_set_starts[image]
    used = single.at[3]
    for m in range(met):
        label_set = scratch.touched[m]
        pixels = seen[label_set]
        for i in range(part_starts[first + label_set], part_starts[first + label_set + 1]):
            used = _add_concept(parts[i], pixels, intersection, category_of, scratch, single.met, used, keep)
        seen[label_set] = 0
    for i in range(annotations.image_label_starts[image], annotations.image_label_starts[image + 1]):
        concept = annotations.image_labels[i]
        used = _add_concept(concept, area, intersection, category_of, scratch, single.met, used, keep)
    return used


@inlined
def _add_concept(concept, pixels, intersection, category_of, scratch, pairs, used, keep):
    """Add pixels of a mask that hold a concept; a concept that the mask has not met yet is given a pair."""
    intersection[concept] += pixels
    scratch.hit[category_of[concept]] = True
    if keep:
        if scratch.got[concept] == 0:
            pairs[used, 0] = concept
            used += 1
        scratch.got[concept] += pixels
    return used


@inlined
def _keep(row, image, area, used, scratch, single):
    """Write down the counts of a single mask, the concepts of which have pairs already."""
    at = single.at
    kept = at[2]
    got = scratch.got
    pairs = single.met
    for i in range(at[3], used):
        pairs[i, 1] = got[pairs[i, 0]]
        got[pairs[i, 0]] = 0
    heads = single.heads
    heads[kept, 0] = row
    heads[kept, 1] = image
    heads[kept, 2] = area
    heads[kept, 3] = used - at[3]
    for category in range(scratch.hit.shape[0]):
        if scratch.hit[category]:
            single.overlap[kept, category >> 3] |= np.uint8(128 >> (category & 7))
    at[2] = kept + 1
    at[3] = used
