"""Masks against annotations, in pixels."""

from __future__ import annotations

import numpy as np
from numba import njit

from onnxdissect.core.records import Annotations, Counts, Records
from onnxdissect.core.upsample import Sampling

__all__ = ["count"]


def count(
    records: Records,
    annotations: Annotations,
    start: int,
    top_images: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    thresholds: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    sampling: Sampling,
    category_of: np.ndarray[tuple[int], np.dtype[np.int64]],
    counts: Counts,
    units: slice,
) -> None:
    """Add the masks of one layer in one chunk of images to its counts (paper section 3.3).

    Parameters
    ----------
    records : Records
        Surviving maps of the chunk, kept relative to bounds that do not exceed the thresholds.
    annotations : Annotations
        What the chunk's images show.
    start : int
        Number of the chunk's first image.
    top_images : ndarray of int64, shape (units, top)
        Numbers of each unit's top images, whose masks are drawn.
    thresholds : ndarray of float32, shape (quantiles, units)
        T_k per quantile.
    sampling : Sampling
        From the layer's cells to the label grids that ``annotations.grid_of`` refers to.
    category_of : ndarray of int64, shape (concepts,)
        Primary category of each concept.
    counts : Counts
        Added to in place.
    units : slice
        Only these units. Others may be counted at the same time.
    """
    if records.starts.shape != (records.units.size + 1,):
        raise ValueError("records and starts disagree")
    if records.image_starts.shape != (len(annotations) + 1,):
        raise ValueError(f"records of {records.image_starts.size - 1} images, {len(annotations)} annotated")
    first, last, _ = units.indices(thresholds.shape[1])
    _count(
        first,
        last,
        (records.image_starts, records.units, records.starts, records.cells, records.values),
        records.shape,
        (
            annotations.mixtures,
            annotations.pixel_starts,
            annotations.grid_of,
            annotations.parts,
            annotations.part_starts,
            annotations.mixture_starts,
            annotations.whole,
            annotations.whole_starts,
            annotations.carried,
        ),
        start,
        top_images,
        thresholds,
        (
            sampling.grids,
            sampling.row_low,
            sampling.row_high,
            sampling.row_weight,
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
    )


@njit(cache=True, nogil=True)
def _count(
    first, last, records, shape, annotations, start, top_images, thresholds, sampling, category_of, counts
):
    image_starts, units, starts, cells, values = records
    mixtures, pixel_starts, grid_of, parts, part_starts, mixture_starts, whole, whole_starts, carried = (
        annotations
    )
    grids, row_low, row_high, row_weight, column_high, column_weight, spans = sampling
    intersection, activation, overlap, total, masks = counts
    h, w = shape
    missing = np.float32(-np.inf)
    grid = np.full((h, w), missing, np.float32)
    # Largest value of each row, with an empty row above and below.
    row_max = np.full(h + 2, missing, np.float32)
    # First and last cell of each row above the lowest threshold; without one it ends before it begins.
    first_hot = np.full(h, w, np.int64)
    last_hot = np.full(h, -1, np.int64)
    # Where the cells of each row begin, and whether it is next to anything above a threshold.
    row_at = np.zeros(h + 1, np.int64)
    near = np.zeros(h, np.bool_)
    line = np.empty(w, np.float32)
    most = np.max(np.diff(mixture_starts))
    seen = np.zeros(most, np.int64)
    touched = np.empty(most, np.int64)
    hit = np.zeros(carried.shape[1], np.bool_)
    lowest = thresholds[0].copy()
    for q in range(1, thresholds.shape[0]):
        lowest = np.minimum(lowest, thresholds[q])
    for image in range(image_starts.shape[0] - 1):
        g = grid_of[image]
        sh = grids[g, 0]
        sw = grids[g, 1]
        labels = mixtures[pixel_starts[image] : pixel_starts[image + 1]].reshape(sh, sw)
        part_of = part_starts[mixture_starts[image] :]
        here = units[image_starts[image] : image_starts[image + 1]]
        begin = image_starts[image] + np.searchsorted(here, first)
        end = image_starts[image] + np.searchsorted(here, last)
        for record in range(begin, end):
            unit = units[record]
            # The bounds were lower when the map was kept: many end here.
            if not _exceeds(values[starts[record] : starts[record + 1]], lowest[unit]):
                continue
            map_max = missing
            at = starts[record]
            for i in range(h):
                top = missing
                row_at[i] = at
                while at < starts[record + 1] and cells[at] < (i + 1) * w:
                    top = max(top, values[at])
                    at += 1
                row_max[i + 1] = top
                map_max = max(map_max, top)
            row_at[h] = at
            for i in range(h):
                first_hot[i] = w
                last_hot[i] = -1
                near[i] = max(row_max[i], row_max[i + 1], row_max[i + 2]) > lowest[unit]
                if near[i]:
                    for at in range(row_at[i], row_at[i + 1]):
                        j = np.int64(cells[at]) - i * w
                        grid[i, j] = values[at]
                        if values[at] > lowest[unit]:
                            first_hot[i] = min(first_hot[i], j)
                            last_hot[i] = j
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
                    row_max[1:],
                    first_hot,
                    last_hot,
                    line,
                    threshold,
                    (row_low[g], row_high[g], row_weight[g]),
                    (column_high[g], column_weight[g], spans[g]),
                    labels,
                    seen,
                    touched,
                    masks[q, unit],
                    rank,
                )
                if area == 0:
                    continue
                for m in range(met):
                    mixture = touched[m]
                    for part in range(part_of[mixture], part_of[mixture + 1]):
                        intersection[q, unit, parts[part]] += seen[mixture]
                        hit[category_of[parts[part]]] = True
                    seen[mixture] = 0
                for c in range(whole_starts[image], whole_starts[image + 1]):
                    intersection[q, unit, whole[c]] += area
                    hit[category_of[whole[c]]] = True
                total[q, unit] += area
                for category in range(carried.shape[1]):
                    if carried[image, category]:
                        activation[q, unit, category] += area
                    if hit[category]:
                        overlap[q, unit, category] += area
                        hit[category] = False
            for i in range(h):
                if near[i]:
                    for at in range(row_at[i], row_at[i + 1]):
                        grid[i, cells[at] - i * w] = missing


@njit(cache=True, nogil=True)
def _count_mask(
    grid,
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
    """Walk one mask by row, by cell, by pixel; return its area and how many mixtures it met."""
    low, high, row_weight = rows
    column_high, column_weight, spans = columns
    sh, sw = labels.shape
    w = grid.shape[1]
    missing = np.float32(-np.inf)
    area = 0
    met = 0
    for r in range(sh):
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
def _exceeds(values, bound):
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
