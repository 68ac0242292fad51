"""Masks against the annotations of other images, at common points."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from onnxdissect.core.kernels.count import exceeds, lerp
from onnxdissect.core.kernels.label_sample import SIDE
from onnxdissect.core.per_image_counts import LabelSample
from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.upsampling import InterpolationTable

__all__ = ["CELLS", "best_scores", "label_cells", "label_points", "shuffle"]

CELLS = 7
"""Rows and columns of the cells by which the spread of an overlap is judged."""

_CELL = SIDE // CELLS


def shuffle(
    sparse_maps: SparseMaps,
    sampled: NDArray[np.int64],
    permutations: NDArray[np.int32],
    shifts: NDArray[np.int32],
    label_sample: LabelSample,
    thresholds: NDArray[np.float32],
    sampling: InterpolationTable,
    intersection: NDArray[np.int32],
    activation: NDArray[np.int32],
    points: NDArray[np.int64],
    cells: NDArray[np.int64],
    units: slice,
) -> None:
    """Add the masks of one layer in one chunk of images to the counts of every shuffle.

    In shuffle p, the mask of unit k in the sampled image m meets the annotation of
    ``permutations[p, (m + shifts[p, k]) % sampled images]``: each unit is given a pairing of its own.

    Parameters
    ----------
    sparse_maps : SparseMaps
        Surviving maps of the chunk.
    sampled : ndarray of int64, shape (images of the chunk,)
        Which of the sampled images each is; -1 where it is none.
    permutations : ndarray of int32, shape (shuffles, sampled)
        The row of annotations that each shuffle lays beside the sampled images.
    shifts : ndarray of int32, shape (shuffles, K)
        How far the row is moved on for each unit.
    label_sample : LabelSample
        What all sampled images show.
    thresholds : ndarray of float32, shape (Q, K)
        T_k per quantile.
    sampling : InterpolationTable
        From the layer's cells to the sample points.
    intersection : ndarray of int32, shape (Q, units, shuffles, C)
        Points of the masks that hold each concept; added to in place.
    activation : ndarray of int32, shape (Q, units, shuffles, G)
        Points of the masks given an annotation that carries the category; added to in place.
    points : ndarray of int64, shape (Q, units, points)
        Masks that hold each point of the sample grid; added to in place.
    cells : ndarray of int64, shape (Q, units, cells, cells)
        Over the masks, the product of their points in two cells; added to in place.
    units : slice
        Only these units.
    """
    first, last, _ = units.indices(thresholds.shape[1])
    if intersection.shape[1] != last - first or intersection.shape[2] != permutations.shape[0]:
        raise ValueError("counts and units disagree")
    if sparse_maps.image_starts.shape != (sampled.size + 1,):
        raise ValueError("sparse maps and sampled images disagree")
    most = int(np.diff(label_sample.label_set_starts).max(initial=1))
    _permute(
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
        sampled,
        permutations,
        shifts,
        (
            label_sample.labels,
            label_sample.label_set_starts,
            label_sample.part_starts,
            label_sample.parts,
            label_sample.has_category,
        ),
        thresholds,
        (
            sampling.row_low[0],
            sampling.row_high[0],
            sampling.row_weight[0],
            sampling.row_spans[0],
            sampling.column_high[0],
            sampling.column_weight[0],
            sampling.spans[0],
        ),
        np.zeros(most, np.int32),
        intersection,
        activation,
        points,
        cells,
    )


def label_points(label_sample: LabelSample, concepts: int) -> NDArray[np.int64]:
    """Count the sampled images that show each concept at each point.

    Parameters
    ----------
    label_sample : LabelSample
    concepts : int
        How many concepts there are, C.

    Returns
    -------
    ndarray of int64, shape (C, points)
    """
    shown = np.zeros((concepts, label_sample.labels.shape[1]), np.int64)
    _label_points(
        label_sample.labels,
        label_sample.label_set_starts,
        label_sample.part_starts,
        label_sample.parts,
        shown,
    )
    return shown


def label_cells(label_sample: LabelSample, concepts: int) -> NDArray[np.int64]:
    """Sum over the sampled images the product of the points that show a concept in two cells.

    Parameters
    ----------
    label_sample : LabelSample
    concepts : int
        How many concepts there are, C.

    Returns
    -------
    ndarray of int64, shape (C, cells, cells)
    """
    products = np.zeros((concepts, CELLS**2, CELLS**2), np.int64)
    _label_cells(
        label_sample.labels,
        label_sample.label_set_starts,
        label_sample.part_starts,
        label_sample.parts,
        np.zeros((concepts, CELLS**2), np.int64),
        products,
    )
    return products


def best_scores(
    intersection: NDArray[np.int32],
    activation: NDArray[np.int32],
    truth: NDArray[np.int64],
    category_of: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Find the highest IoU of each unit in each shuffle, in the paper's convention.

    Parameters
    ----------
    intersection : ndarray of int32, shape (Q, units, shuffles, C)
    activation : ndarray of int32, shape (Q, units, shuffles, G)
    truth : ndarray of int64, shape (C,)
    category_of : ndarray of int64, shape (C,)
        Primary category of each concept.

    Returns
    -------
    best : ndarray of float64, shape (Q, units, shuffles)
    label : ndarray of int32, shape (Q, units, shuffles)
        The concept that has it, the lowest on a tie; -1 where the masks meet none.
    """
    best = np.zeros(intersection.shape[:3], np.float64)
    label = np.full(best.shape, -1, np.int32)
    concepts, categories = intersection.shape[3], activation.shape[3]
    _best(
        intersection.reshape(best.size, concepts),
        activation.reshape(best.size, categories),
        truth,
        category_of,
        best.reshape(best.size),
        label.reshape(best.size),
    )
    return best, label


@njit(cache=True, nogil=True)
def _permute(
    first,
    last,
    sparse_maps,
    shape,
    sampled,
    permutations,
    shifts,
    label_sample,
    thresholds,
    sampling,
    seen,
    intersection,
    activation,
    held,
    cells_of,
):
    image_starts, units, starts, cells, values = sparse_maps
    labels, label_set_starts, part_starts, parts, has_category = label_sample
    row_spans = sampling[3]
    h, w = shape
    missing = np.float32(-np.inf)
    grid = np.full((h, w), missing, np.float32)
    row_max = np.full(h, missing, np.float32)
    first_hot = np.full(h, w, np.int64)
    last_hot = np.full(h, -1, np.int64)
    line = np.empty(w, np.float32)
    points = np.empty(labels.shape[1], np.int32)
    touched = np.empty(seen.shape[0], np.int32)
    in_cell = np.zeros(cells_of.shape[2], np.int64)
    cells_met = np.empty(cells_of.shape[2], np.int64)
    row = permutations.shape[1]
    lowest = thresholds[0].copy()
    for q in range(1, thresholds.shape[0]):
        lowest = np.minimum(lowest, thresholds[q])
    for image in range(sampled.shape[0]):
        if sampled[image] < 0:
            continue
        here = units[image_starts[image] : image_starts[image + 1]]
        begin = image_starts[image] + np.searchsorted(here, first)
        end = image_starts[image] + np.searchsorted(here, last)
        for record in range(begin, end):
            unit = units[record]
            if not exceeds(values[starts[record] : starts[record + 1]], lowest[unit]):
                continue
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
                    top = min(top, i)
                    bottom = i
            rows = (row_spans[max(top - 1, 0)], row_spans[bottom + 1])
            for q in range(thresholds.shape[0]):
                area = _trace(
                    grid, rows, row_max, first_hot, last_hot, line, thresholds[q, unit], sampling, points
                )
                if area == 0:
                    continue
                _spread(points, area, held[q, unit - first], cells_of[q, unit - first], in_cell, cells_met)
                for p in range(permutations.shape[0]):
                    partner = permutations[p, (sampled[image] + shifts[p, unit]) % row]
                    plane = labels[partner]
                    met = 0
                    for at in range(area):
                        label_set = plane[points[at]]
                        if seen[label_set] == 0:
                            touched[met] = label_set
                            met += 1
                        seen[label_set] += 1
                    counts = intersection[q, unit - first, p]
                    for m in range(met):
                        label_set = label_set_starts[partner] + touched[m]
                        for part in range(part_starts[label_set], part_starts[label_set + 1]):
                            counts[parts[part]] += seen[touched[m]]
                        seen[touched[m]] = 0
                    for category in range(has_category.shape[1]):
                        if has_category[partner, category]:
                            activation[q, unit - first, p, category] += area
            flat = grid.reshape(h * w)
            for at in range(starts[record], starts[record + 1]):
                flat[cells[at]] = missing
            row_max[top : bottom + 1] = missing
            first_hot[top : bottom + 1] = w
            last_hot[top : bottom + 1] = -1


@njit(cache=True, nogil=True)
def _trace(grid, rows, row_max, first_hot, last_hot, line, threshold, sampling, points):
    """List the points of a mask; the walk is that of the counts."""
    low, high, row_weight, _, column_high, column_weight, spans = sampling
    w = grid.shape[1]
    side = column_weight.shape[0]
    missing = np.float32(-np.inf)
    area = 0
    for r in range(rows[0], rows[1]):
        above = low[r]
        below = high[r]
        if row_max[above] <= threshold and row_max[below] <= threshold:
            continue
        weight = row_weight[r]
        begin = max(min(first_hot[above], first_hot[below]) - 1, 0)
        end = min(max(last_hot[above], last_hot[below]) + 2, w)
        for j in range(begin, end):
            a = grid[above, j]
            b = grid[below, j]
            line[j] = missing if a == missing or b == missing else lerp(a, b, weight)
        if end < w:
            line[end] = missing
        for j in range(begin, end):
            a = line[j]
            b = line[column_high[j]]
            if a <= threshold and b <= threshold:
                continue
            for c in range(spans[j], spans[j + 1]):
                if lerp(a, b, column_weight[c]) > threshold:
                    points[area] = r * side + c
                    area += 1
    return area


@njit(cache=True, nogil=True)
def _spread(points, area, held, products, in_cell, met):
    """Add where a mask's points are."""
    cells = 0
    for at in range(area):
        point = points[at]
        held[point] += 1
        cell = (point // SIDE // _CELL) * CELLS + point % SIDE // _CELL
        if in_cell[cell] == 0:
            met[cells] = cell
            cells += 1
        in_cell[cell] += 1
    for a in range(cells):
        for b in range(cells):
            products[met[a], met[b]] += in_cell[met[a]] * in_cell[met[b]]
    for a in range(cells):
        in_cell[met[a]] = 0


@njit(cache=True, nogil=True)
def _label_points(labels, label_set_starts, part_starts, parts, shown):
    for image in range(labels.shape[0]):
        for point in range(labels.shape[1]):
            label_set = label_set_starts[image] + labels[image, point]
            for part in range(part_starts[label_set], part_starts[label_set + 1]):
                shown[parts[part], point] += 1


@njit(cache=True, nogil=True)
def _label_cells(labels, label_set_starts, part_starts, parts, in_cell, products):
    for image in range(labels.shape[0]):
        for point in range(labels.shape[1]):
            label_set = label_set_starts[image] + labels[image, point]
            cell = (point // SIDE // _CELL) * CELLS + point % SIDE // _CELL
            for part in range(part_starts[label_set], part_starts[label_set + 1]):
                in_cell[parts[part], cell] += 1
        for concept in range(in_cell.shape[0]):
            counts = in_cell[concept]
            if not counts.any():
                continue
            for a in range(counts.shape[0]):
                if counts[a]:
                    for b in range(counts.shape[0]):
                        products[concept, a, b] += counts[a] * counts[b]
            counts[:] = 0


@njit(cache=True, nogil=True)
def _best(intersection, activation, truth, category_of, best, label):
    for row in range(best.shape[0]):
        for concept in range(truth.shape[0]):
            met = intersection[row, concept]
            if met > 0:
                union = activation[row, category_of[concept]] + truth[concept] - met
                if met / union > best[row]:
                    best[row] = met / union
                    label[row] = concept
