"""Masks against the annotations of other images, on a common lattice."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from onnxdissect.core.evidence import Lattice
from onnxdissect.core.kernels.count import exceeds, lerp
from onnxdissect.core.kernels.lattice import SIDE
from onnxdissect.core.records import Records
from onnxdissect.core.upsample import Sampling

__all__ = ["CELLS", "best_scores", "label_cells", "label_points", "shuffle"]

CELLS = 7
"""Rows and columns of the cells by which the spread of an overlap is judged."""

_CELL = SIDE // CELLS


def shuffle(
    records: Records,
    members: NDArray[np.int64],
    donors: NDArray[np.int32],
    shifts: NDArray[np.int32],
    lattice: Lattice,
    thresholds: NDArray[np.float32],
    sampling: Sampling,
    intersection: NDArray[np.int32],
    activation: NDArray[np.int32],
    points: NDArray[np.int64],
    cells: NDArray[np.int64],
    units: slice,
) -> None:
    """Add the masks of one layer in one chunk of images to the counts of every shuffle.

    In shuffle p, the mask of unit k in member m meets the annotation of
    ``donors[p, (m + shifts[p, k]) % members]``: each unit is given a pairing of its own.

    Parameters
    ----------
    records : Records
        Surviving maps of the chunk.
    members : ndarray of int64, shape (images of the chunk,)
        Which member of the lattice each image is; -1 where it is none.
    donors : ndarray of int32, shape (shuffles, members)
        The row of annotations that each shuffle lays beside the members.
    shifts : ndarray of int32, shape (shuffles, K)
        How far the row is moved on for each unit.
    lattice : Lattice
        What all members show.
    thresholds : ndarray of float32, shape (Q, K)
        T_k per quantile.
    sampling : Sampling
        From the layer's cells to the lattice.
    intersection : ndarray of int32, shape (Q, units, shuffles, C)
        Points of the masks that hold each concept; added to in place.
    activation : ndarray of int32, shape (Q, units, shuffles, G)
        Points of the masks given an annotation that carries the category; added to in place.
    points : ndarray of int64, shape (Q, units, points)
        Masks that hold each point of the lattice; added to in place.
    cells : ndarray of int64, shape (Q, units, cells, cells)
        Over the masks, the product of their points in two cells; added to in place.
    units : slice
        Only these units.
    """
    first, last, _ = units.indices(thresholds.shape[1])
    if intersection.shape[1] != last - first or intersection.shape[2] != donors.shape[0]:
        raise ValueError("counts and units disagree")
    if records.image_starts.shape != (members.size + 1,):
        raise ValueError("records and members disagree")
    most = int(np.diff(lattice.mixture_starts).max(initial=1))
    _shuffle(
        first,
        last,
        (records.image_starts, records.units, records.starts, records.cells, records.values),
        records.shape,
        members,
        donors,
        shifts,
        (lattice.labels, lattice.mixture_starts, lattice.part_starts, lattice.parts, lattice.carried),
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


def label_points(lattice: Lattice, concepts: int) -> NDArray[np.int64]:
    """Count the members that show each concept at each point.

    Parameters
    ----------
    lattice : Lattice
    concepts : int
        How many concepts there are, C.

    Returns
    -------
    ndarray of int64, shape (C, points)
    """
    shown = np.zeros((concepts, lattice.labels.shape[1]), np.int64)
    _label_points(lattice.labels, lattice.mixture_starts, lattice.part_starts, lattice.parts, shown)
    return shown


def label_cells(lattice: Lattice, concepts: int) -> NDArray[np.int64]:
    """Sum over the members the product of the points that show a concept in two cells.

    Parameters
    ----------
    lattice : Lattice
    concepts : int
        How many concepts there are, C.

    Returns
    -------
    ndarray of int64, shape (C, cells, cells)
    """
    products = np.zeros((concepts, CELLS**2, CELLS**2), np.int64)
    _label_cells(
        lattice.labels,
        lattice.mixture_starts,
        lattice.part_starts,
        lattice.parts,
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
def _shuffle(
    first,
    last,
    records,
    shape,
    members,
    donors,
    shifts,
    lattice,
    thresholds,
    sampling,
    seen,
    intersection,
    activation,
    held,
    cells_of,
):
    image_starts, units, starts, cells, values = records
    labels, mixture_starts, part_starts, parts, carried = lattice
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
    row = donors.shape[1]
    lowest = thresholds[0].copy()
    for q in range(1, thresholds.shape[0]):
        lowest = np.minimum(lowest, thresholds[q])
    for image in range(members.shape[0]):
        if members[image] < 0:
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
                for p in range(donors.shape[0]):
                    donor = donors[p, (members[image] + shifts[p, unit]) % row]
                    plane = labels[donor]
                    met = 0
                    for at in range(area):
                        mixture = plane[points[at]]
                        if seen[mixture] == 0:
                            touched[met] = mixture
                            met += 1
                        seen[mixture] += 1
                    counts = intersection[q, unit - first, p]
                    for m in range(met):
                        mixture = mixture_starts[donor] + touched[m]
                        for part in range(part_starts[mixture], part_starts[mixture + 1]):
                            counts[parts[part]] += seen[touched[m]]
                        seen[touched[m]] = 0
                    for category in range(carried.shape[1]):
                        if carried[donor, category]:
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
def _label_points(labels, mixture_starts, part_starts, parts, shown):
    for member in range(labels.shape[0]):
        for point in range(labels.shape[1]):
            mixture = mixture_starts[member] + labels[member, point]
            for part in range(part_starts[mixture], part_starts[mixture + 1]):
                shown[parts[part], point] += 1


@njit(cache=True, nogil=True)
def _label_cells(labels, mixture_starts, part_starts, parts, in_cell, products):
    for member in range(labels.shape[0]):
        for point in range(labels.shape[1]):
            mixture = mixture_starts[member] + labels[member, point]
            cell = (point // SIDE // _CELL) * CELLS + point % SIDE // _CELL
            for part in range(part_starts[mixture], part_starts[mixture + 1]):
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
