"""Masks counted against the annotations of their images, in pixels (paper section 3.3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from onnxdissect.core.kernels.masks.arguments import annotation_arrays, grid_table, map_arrays, table_of
from onnxdissect.core.kernels.masks.map_buffer import (
    clear_map,
    exceeds,
    load_map,
    lowest_thresholds,
    map_buffer,
    maps_of,
)
from onnxdissect.core.kernels.masks.mask_walk import walk_mask
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
    kept = _count(
        (first, last),
        map_arrays(sparse_maps),
        sparse_maps.shape,
        annotation_arrays(annotations),
        start,
        top_images,
        thresholds,
        sampling.grids,
        grid_table(sampling),
        category_of,
        CountArrays(
            counts.intersection,
            counts.activation,
            counts.activation_overlap,
            counts.activation_total,
            counts.top_masks,
        ),
        keep,
    )
    return MaskCounts(*kept) if keep else None


@njit(cache=True, nogil=True)
def _count(
    share,
    maps,
    shape,
    annotations,
    start,
    top_images,
    thresholds,
    grids,
    table,
    category_of,
    counts,
    keep,
):
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
    share : (int, int)
        First unit, and the one after the last.
    maps : MapArrays
        Sparse maps of the chunk.
    shape : (int, int)
        (h, w) of the layer.
    annotations : AnnotationArrays
        Of the chunk.
    start : int
        Number of the chunk's first image.
    top_images : ndarray of int64, shape (units, top)
    thresholds : ndarray of float32, shape (quantiles, units)
    grids : ndarray of int64, shape (grids, 2)
        Label grids.
    table : GridTable
        Of all grids.
    category_of : ndarray of int64, shape (concepts,)
    counts : CountArrays
        Added to in place; no other thread has the same units.
    keep : bool
        Whether the counts of single masks are given.

    Returns
    -------
    heads, overlap, met : ndarray
        As in `onnxdissect.core.per_image_counts.MaskCounts`; empty unless asked for.
    """
    first, last = share
    has_category = annotations.has_category
    parts = annotations.parts
    buffer = map_buffer(shape[0], shape[1])
    points = np.empty(np.max(grids[:, 0] * grids[:, 1]), np.int32)
    most = np.max(np.diff(annotations.label_set_starts))
    seen = np.zeros(most, np.int64)
    touched = np.empty(most, np.int64)
    hit = np.zeros(has_category.shape[1], np.bool_)
    # The counts of single masks, in arrays that grow: see `MaskCounts`.
    heads = np.empty((1024 if keep else 0, 4), np.int32)
    found = np.empty((8192 if keep else 0, 2), np.int32)
    met_bits = np.zeros((heads.shape[0], (has_category.shape[1] + 7) // 8), np.uint8)
    kept = 0
    used = 0
    got = np.zeros(counts.intersection.shape[2], np.int64)
    lowest = lowest_thresholds(thresholds)
    for image in range(maps.image_starts.shape[0] - 1):
        g = annotations.grid_of[image]
        width = grids[g, 1]
        grid = table_of(table, g)
        labels = annotations.label_sets[annotations.pixel_starts[image] : annotations.pixel_starts[image + 1]]
        part_of = annotations.part_starts[annotations.label_set_starts[image] :]
        covering = annotations.image_labels[
            annotations.image_label_starts[image] : annotations.image_label_starts[image + 1]
        ]
        begin, end = maps_of(maps, image, first, last)
        for record in range(begin, end):
            unit = maps.units[record]
            # The bound was lower when the map was kept, so many maps do not reach the threshold.
            if not exceeds(maps.values[maps.starts[record] : maps.starts[record + 1]], lowest[unit]):
                continue
            rows, highest = load_map(maps, record, lowest[unit], buffer)
            rank = -1
            for place in range(top_images.shape[1]):
                if top_images[unit, place] == start + image:
                    rank = place
            for q in range(thresholds.shape[0]):
                if highest <= thresholds[q, unit]:
                    continue
                area = walk_mask(buffer, rows, thresholds[q, unit], grid, width, points)
                if area == 0:
                    continue
                met = 0
                for at in range(area):
                    label = labels[points[at]]
                    if seen[label] == 0:
                        touched[met] = label
                        met += 1
                    seen[label] += 1
                if rank >= 0:
                    _draw(points[:area], counts.top_masks[q, unit, rank])
                if keep:
                    # No mask meets more concepts than there are.
                    found = _grown(found, used + got.shape[0])
                    heads = _grown(heads, kept + 1)
                    met_bits = _grown(met_bits, kept + 1)
                    heads[kept, 0] = q * thresholds.shape[1] + unit
                    heads[kept, 1] = start + image
                    heads[kept, 2] = area
                first_used = used
                for m in range(met):
                    label_set = touched[m]
                    for part in range(part_of[label_set], part_of[label_set + 1]):
                        concept = parts[part]
                        counts.intersection[q, unit, concept] += seen[label_set]
                        hit[category_of[concept]] = True
                        if keep:
                            if got[concept] == 0:
                                found[used, 0] = concept
                                used += 1
                            got[concept] += seen[label_set]
                    seen[label_set] = 0
                for concept in covering:
                    counts.intersection[q, unit, concept] += area
                    hit[category_of[concept]] = True
                    if keep:
                        if got[concept] == 0:
                            found[used, 0] = concept
                            used += 1
                        got[concept] += area
                if keep:
                    for at in range(first_used, used):
                        found[at, 1] = got[found[at, 0]]
                        got[found[at, 0]] = 0
                    heads[kept, 3] = used - first_used
                    for category in range(has_category.shape[1]):
                        if hit[category]:
                            met_bits[kept, category >> 3] |= np.uint8(128 >> (category & 7))
                    kept += 1
                counts.total[q, unit] += area
                for category in range(has_category.shape[1]):
                    if has_category[image, category]:
                        counts.activation[q, unit, category] += area
                    if hit[category]:
                        counts.overlap[q, unit, category] += area
                        hit[category] = False
            clear_map(maps, record, rows, buffer)
    return heads[:kept].copy(), met_bits[:kept].copy(), found[:used].copy()


@njit(cache=True, nogil=True)
def _draw(points, bits):
    """Set the bits of a mask's pixels, the first in the highest bit of the first byte."""
    for point in points:
        bits[point >> 3] |= np.uint8(128 >> (point & 7))


@njit(cache=True, nogil=True)
def _grown(array, rows):
    """Make room for so many rows, at least twice as many as there were; new ones are zero."""
    if rows <= array.shape[0]:
        return array
    larger = np.zeros((max(rows, 2 * array.shape[0]), array.shape[1]), array.dtype)
    larger[: array.shape[0]] = array
    return larger
