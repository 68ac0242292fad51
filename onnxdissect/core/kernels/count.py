"""Masks against annotations, in pixels."""

from __future__ import annotations

import numpy as np
from numba import njit

from onnxdissect.core.per_image_counts import MaskCounts
from onnxdissect.core.sparse_maps import Annotations, Counts, SparseMaps
from onnxdissect.core.upsampling import InterpolationTable

__all__ = ["count", "exceeds", "lerp"]


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
        raise ValueError("records and starts disagree")
    if sparse_maps.image_starts.shape != (len(annotations) + 1,):
        raise ValueError(
            f"records of {sparse_maps.image_starts.size - 1} images, {len(annotations)} annotated"
        )
    first, last, _ = units.indices(thresholds.shape[1])
    kept = _count(
        first,
        last,
        (
            sparse_maps.image_starts,
            sparse_maps.units,
            sparse_maps.starts,
            sparse_maps.cells,
            sparse_maps.values,
        ),
        sparse_maps.shape,
        (
            annotations.label_sets,
            annotations.pixel_starts,
            annotations.grid_of,
            annotations.parts,
            annotations.part_starts,
            annotations.label_set_starts,
            annotations.image_labels,
            annotations.image_label_starts,
            annotations.has_category,
        ),
        start,
        top_images,
        thresholds,
        (
            sampling.grids,
            sampling.row_low,
            sampling.row_high,
            sampling.row_weight,
            sampling.row_spans,
            sampling.column_high,
            sampling.column_weight,
            sampling.spans,
        ),
        category_of,
        (
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
    first,
    last,
    sparse_maps,
    shape,
    annotations,
    start,
    top_images,
    thresholds,
    sampling,
    category_of,
    counts,
    keep,
):
    image_starts, units, starts, cells, values = sparse_maps
    (
        label_sets,
        pixel_starts,
        grid_of,
        parts,
        part_starts,
        label_set_starts,
        image_labels,
        image_label_starts,
        has_category,
    ) = annotations
    grids, row_low, row_high, row_weight, row_spans, column_high, column_weight, spans = sampling
    intersection, activation, overlap, total, masks = counts
    h, w = shape
    missing = np.float32(-np.inf)
    grid = np.full((h, w), missing, np.float32)
    # Of the cells of a row above the lowest threshold: the largest, the first and the last. If there is none,
    # the last comes before the first.
    row_max = np.full(h, missing, np.float32)
    first_hot = np.full(h, w, np.int64)
    last_hot = np.full(h, -1, np.int64)
    line = np.empty(w, np.float32)
    most = np.max(np.diff(label_set_starts))
    seen = np.zeros(most, np.int64)
    touched = np.empty(most, np.int64)
    hit = np.zeros(has_category.shape[1], np.bool_)
    # Of single masks: row, image, area and how many concepts it meets; those and their pixels; categories.
    heads = np.empty((1024 if keep else 0, 4), np.int32)
    found = np.empty((8192 if keep else 0, 2), np.int32)
    met_bits = np.zeros((heads.shape[0], (has_category.shape[1] + 7) // 8), np.uint8)
    kept = 0
    used = 0
    got = np.zeros(intersection.shape[2], np.int64)
    lowest = thresholds[0].copy()
    for q in range(1, thresholds.shape[0]):
        lowest = np.minimum(lowest, thresholds[q])
    for image in range(image_starts.shape[0] - 1):
        g = grid_of[image]
        sh = grids[g, 0]
        sw = grids[g, 1]
        labels = label_sets[pixel_starts[image] : pixel_starts[image + 1]].reshape(sh, sw)
        part_of = part_starts[label_set_starts[image] :]
        here = units[image_starts[image] : image_starts[image + 1]]
        begin = image_starts[image] + np.searchsorted(here, first)
        end = image_starts[image] + np.searchsorted(here, last)
        for record in range(begin, end):
            unit = units[record]
            # The bounds were lower when the map was kept: many end here.
            if not exceeds(values[starts[record] : starts[record + 1]], lowest[unit]):
                continue
            map_max = missing
            top = h
            bottom = -1
            i = 0
            for at in range(starts[record], starts[record + 1]):
                while cells[at] >= (i + 1) * w:
                    i += 1
                j = cells[at] - i * w
                grid[i, j] = values[at]
                if values[at] > lowest[unit]:
                    row_max[i] = max(row_max[i], values[at])
                    first_hot[i] = min(first_hot[i], j)
                    last_hot[i] = j
                    map_max = max(map_max, values[at])
                    top = min(top, i)
                    bottom = i
            rank = -1
            for place in range(top_images.shape[1]):
                if top_images[unit, place] == start + image:
                    rank = place
            for q in range(thresholds.shape[0]):
                threshold = thresholds[q, unit]
                if map_max <= threshold:
                    continue
                area, met = _count_mask(
                    grid,
                    (top, bottom),
                    row_max,
                    first_hot,
                    last_hot,
                    line,
                    threshold,
                    (row_low[g], row_high[g], row_weight[g], row_spans[g]),
                    (column_high[g], column_weight[g], spans[g]),
                    labels,
                    seen,
                    touched,
                    masks[q, unit],
                    rank,
                )
                if area == 0:
                    continue
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
                        intersection[q, unit, concept] += seen[label_set]
                        hit[category_of[concept]] = True
                        if keep:
                            if got[concept] == 0:
                                found[used, 0] = concept
                                used += 1
                            got[concept] += seen[label_set]
                    seen[label_set] = 0
                for c in range(image_label_starts[image], image_label_starts[image + 1]):
                    intersection[q, unit, image_labels[c]] += area
                    hit[category_of[image_labels[c]]] = True
                    if keep:
                        if got[image_labels[c]] == 0:
                            found[used, 0] = image_labels[c]
                            used += 1
                        got[image_labels[c]] += area
                if keep:
                    for at in range(first_used, used):
                        found[at, 1] = got[found[at, 0]]
                        got[found[at, 0]] = 0
                    heads[kept, 3] = used - first_used
                    for category in range(has_category.shape[1]):
                        if hit[category]:
                            met_bits[kept, category >> 3] |= np.uint8(128 >> (category & 7))
                    kept += 1
                total[q, unit] += area
                for category in range(has_category.shape[1]):
                    if has_category[image, category]:
                        activation[q, unit, category] += area
                    if hit[category]:
                        overlap[q, unit, category] += area
                        hit[category] = False
            flat = grid.reshape(h * w)
            for at in range(starts[record], starts[record + 1]):
                flat[cells[at]] = missing
            row_max[top : bottom + 1] = missing
            first_hot[top : bottom + 1] = w
            last_hot[top : bottom + 1] = -1
    return heads[:kept].copy(), met_bits[:kept].copy(), found[:used].copy()


@njit(cache=True, nogil=True)
def _count_mask(
    grid,
    hot_rows,
    row_max,
    first_hot,
    last_hot,
    line,
    threshold,
    rows,
    columns,
    labels,
    seen,
    touched,
    masks,
    rank,
):
    """Walk one mask by row, by cell, by pixel; return its area and how many label sets it met."""
    low, high, row_weight, row_spans = rows
    top, bottom = hot_rows
    column_high, column_weight, spans = columns
    sw = labels.shape[1]
    w = grid.shape[1]
    missing = np.float32(-np.inf)
    area = 0
    met = 0
    # Labels lie between a hot row and its neighbours.
    for r in range(row_spans[max(top - 1, 0)], row_spans[bottom + 1]):
        above = low[r]
        below = high[r]
        if row_max[above] <= threshold and row_max[below] <= threshold:
            continue
        weight = row_weight[r]
        line_max = missing
        # Labels lie between a hot cell and its neighbours; further away none can be above.
        begin = max(min(first_hot[above], first_hot[below]) - 1, 0)
        end = min(max(last_hot[above], last_hot[below]) + 2, w)
        for j in range(begin, end):
            a = grid[above, j]
            b = grid[below, j]
            # A cell that was not kept has no hot neighbour, so what depends on it is never above.
            if a == missing or b == missing:
                line[j] = missing
            else:
                line[j] = lerp(a, b, weight)
                line_max = max(line_max, line[j])
        if line_max <= threshold:
            continue
        if end < w:
            line[end] = missing
        for j in range(begin, end):
            a = line[j]
            b = line[column_high[j]]
            if a <= threshold and b <= threshold:
                continue
            for c in range(spans[j], spans[j + 1]):
                if lerp(a, b, column_weight[c]) > threshold:
                    area += 1
                    label = labels[r, c]
                    if seen[label] == 0:
                        touched[met] = label
                        met += 1
                    seen[label] += 1
                    if rank >= 0:
                        bit = r * sw + c
                        masks[rank, bit >> 3] |= np.uint8(128 >> (bit & 7))
    return area, met


@njit(cache=True, nogil=True)
def _grown(array, rows):
    """Make room for so many rows, at least twice as many as there were; new ones are zero."""
    if rows <= array.shape[0]:
        return array
    larger = np.zeros((max(rows, 2 * array.shape[0]), array.shape[1]), array.dtype)
    larger[: array.shape[0]] = array
    return larger


@njit(cache=True, nogil=True)
def exceeds(values, bound):
    """Whether any value exceeds a bound; by stretches, which vectorise."""
    for start in range(0, values.shape[0], 64):
        hot = 0
        for value in values[start : start + 64]:
            hot += value > bound
        if hot:
            return True
    return False


@njit(cache=True, nogil=True, inline="always")
def lerp(a, b, weight):
    """Interpolate between two float32, never beyond either.

    Rounding can lift the sum an ulp above both. Held between them, a map whose cells do not exceed a
    threshold provably has an empty mask, which is what allows whole maps, rows and cells to be skipped
    without changing a single count.
    """
    value = a * (np.float32(1.0) - weight) + b * weight
    return max(min(value, max(a, b)), min(a, b))
