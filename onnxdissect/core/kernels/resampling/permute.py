"""Masks counted against the annotations of other images, at common points: the permutation null.

What a unit's masks meet in the annotations of images that have nothing to do with them is chance.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import inlined, kernel
from onnxdissect.core.kernels.labels.label_sample import SIDE
from onnxdissect.core.kernels.masks.arguments import grid_table, map_arrays
from onnxdissect.core.kernels.masks.map_buffer import clear_map, exceeds, load_map, map_buffer
from onnxdissect.core.kernels.masks.mask_walk import walk_mask
from onnxdissect.core.kernels.records import records_of
from onnxdissect.core.per_image_counts import LabelSample
from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.core.upsampling import InterpolationTable

__all__ = ["CELLS", "ShuffledCounts", "best_scores", "label_cells", "label_points", "shuffle"]

CELLS = 7
"""Rows and columns of the cells by which the spread of an overlap is judged."""

_CELL = SIDE // CELLS


class ShuffledCounts(NamedTuple):
    """What some units of a layer meet in every shuffle; added to in place.

    Attributes
    ----------
    intersection : ndarray of int32, shape (Q, units, shuffles, C)
        Points of the masks that hold each concept.
    activation : ndarray of int32, shape (Q, units, shuffles, G)
        Points of the masks given an annotation that holds the category.
    points : ndarray of int64, shape (Q, units, points)
        Masks that hold each sample point.
    cells : ndarray of int64, shape (Q, units, cells, cells)
        Over the masks, the product of their points in two cells.
    """

    intersection: NDArray[np.int32]
    activation: NDArray[np.int32]
    points: NDArray[np.int64]
    cells: NDArray[np.int64]


class LabelSampleArrays(NamedTuple):
    """Arrays of `onnxdissect.core.per_image_counts.LabelSample`."""

    labels: NDArray[Any]
    label_set_starts: NDArray[Any]
    part_starts: NDArray[Any]
    parts: NDArray[Any]
    has_category: NDArray[Any]


def shuffle(
    sparse_maps: SparseMaps,
    sampled: NDArray[np.int64],
    permutations: NDArray[np.int32],
    shifts: NDArray[np.int32],
    label_sample: LabelSample,
    thresholds: NDArray[np.float32],
    sampling: InterpolationTable,
    counts: ShuffledCounts,
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
    counts : ShuffledCounts
        Added to in place.
    units : slice
        Only these units.
    """
    first, last, _ = units.indices(thresholds.shape[1])
    if counts.intersection.shape[1] != last - first or counts.intersection.shape[2] != permutations.shape[0]:
        raise ValueError("counts and units disagree")
    if sparse_maps.image_starts.shape != (sampled.size + 1,):
        raise ValueError("sparse maps and sampled images disagree")
    # Numbers of label sets within an image, and cells of the sample grid.
    most = int(np.diff(label_sample.label_set_starts).max(initial=1))
    cells = counts.cells.shape[2]
    _permute(
        (first, last, SIDE),
        map_arrays(sparse_maps),
        (sampled, permutations, shifts),
        LabelSampleArrays(
            label_sample.labels,
            label_sample.label_set_starts,
            label_sample.part_starts,
            label_sample.parts,
            label_sample.has_category,
        ),
        (thresholds, thresholds.min(axis=0)),
        grid_table(sampling, 0),
        counts,
        map_buffer(sparse_maps.shape),
        (
            np.empty(label_sample.labels.shape[1], np.int32),
            np.zeros(most, np.int32),
            np.empty(most, np.int32),
            np.zeros(cells, np.int64),
            np.empty(cells, np.int64),
        ),
        (
            np.empty(permutations.shape[0], np.int64),
            np.empty((label_sample.labels.shape[1], permutations.shape[0]), label_sample.labels.dtype),
        ),
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


@kernel
def _permute(share, maps, pairings, labels, thresholds, table, counts, buffer, scratch, partners):
    """Do what `shuffle` says, for the units ``first .. last - 1`` of a share, by a grid of so many columns.

    The masks are those of the tally, walked at the sample points in place of label pixels. Each is walked
    once, and counted against the annotation that every shuffle p pairs its image with::

        intersection[q, k, p, c] += points of the mask whose label set holds c
        activation[q, k, p, g]   += points of the mask, if that annotation carries category g

    ``thresholds`` are T_k and the lowest over the quantiles. ``scratch`` is room for the points of a mask;
    its points by label set, zero before and after, and the label sets it meets; the same two by cell.
    ``partners`` is room for the partner of an image in each shuffle, and for what a mask meets there.
    """
    first, last, side = share
    sampled, permutations, shifts = pairings
    thresholds, lowest = thresholds
    points, seen, touched, in_cell, cells_met = scratch
    partner_of, label_of = partners
    values = maps.values
    starts = maps.starts
    row = permutations.shape[1]
    for image in range(sampled.shape[0]):
        if sampled[image] < 0:
            continue
        begin, end = records_of(maps.image_starts, maps.units, image, first, last)
        for record in range(begin, end):
            unit = maps.units[record]
            if not exceeds(values[starts[record] : starts[record + 1]], lowest[unit]):
                continue
            rows, highest = load_map(maps, record, lowest[unit], buffer)
            for q in range(thresholds.shape[0]):
                threshold = thresholds[q, unit]
                if highest <= threshold:
                    continue
                area = walk_mask(buffer, rows, threshold, table, side, points)
                if area == 0:
                    continue
                at = unit - first
                _spread(points, area, counts.points[q, at], counts.cells[q, at], in_cell, cells_met)
                intersections = counts.intersection[q, at]
                activations = counts.activation[q, at]
                for p in range(permutations.shape[0]):
                    partner_of[p] = permutations[p, (sampled[image] + shifts[p, unit]) % row]
                _look_up(points, area, labels, partner_of, label_of)
                for p in range(permutations.shape[0]):
                    partner = partner_of[p]
                    _meet(area, label_of, p, labels, partner, seen, touched, intersections[p])
                    for category in range(activations.shape[1]):
                        # A branch here could not be predicted.
                        held = np.int32(labels.has_category[partner, category])
                        activations[p, category] += held * area
            clear_map(maps, record, rows, buffer)


@inlined
def _look_up(points, area, labels, partner_of, label_of):
    """Read the label sets that all partners have at the points of a mask, shape (points, shuffles).

    The partners lie anywhere in memory. Reads that do not wait for one another, as those of counting would,
    are under way many at a time.
    """
    for i in range(area):
        point = points[i]
        for p in range(partner_of.shape[0]):
            label_of[i, p] = labels.labels[partner_of[p], point]


@inlined
def _meet(area, label_of, p, labels, partner, seen, touched, intersection):
    """Add the points of a mask that hold each concept in the annotation of another image."""
    parts = labels.parts
    part_starts = labels.part_starts
    first = labels.label_set_starts[partner]
    met = 0
    for i in range(area):
        label_set = label_of[i, p]
        if seen[label_set] == 0:
            touched[met] = label_set
            met += 1
        seen[label_set] += 1
    for m in range(met):
        label_set = touched[m]
        held = seen[label_set]
        for part in range(part_starts[first + label_set], part_starts[first + label_set + 1]):
            intersection[parts[part]] += held
        seen[label_set] = 0


@inlined
def _spread(points, area, held, products, in_cell, met):
    """Add where the points of a mask are: to the counts by point, and to the products of counts by cell.

    ``in_cell``, shape (cells,), is zero before and after; ``met`` is room for the cells with a point.
    """
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


@kernel
def _label_points(labels, label_set_starts, part_starts, parts, shown):
    """Do what `label_points` says, with the arrays of `LabelSample`."""
    for image in range(labels.shape[0]):
        for point in range(labels.shape[1]):
            label_set = label_set_starts[image] + labels[image, point]
            for part in range(part_starts[label_set], part_starts[label_set + 1]):
                shown[parts[part], point] += 1


@kernel
def _label_cells(labels, label_set_starts, part_starts, parts, in_cell, products):
    """Do what `label_cells` says; ``in_cell``, shape (C, cells), is zero before and after."""
    for image in range(labels.shape[0]):
        for point in range(labels.shape[1]):
            label_set = label_set_starts[image] + labels[image, point]
            cell = (point // SIDE // _CELL) * CELLS + point % SIDE // _CELL
            for part in range(part_starts[label_set], part_starts[label_set + 1]):
                in_cell[parts[part], cell] += 1
        for concept in range(in_cell.shape[0]):
            counts = in_cell[concept]
            for a in range(counts.shape[0]):
                if counts[a]:
                    for b in range(counts.shape[0]):
                        products[concept, a, b] += counts[a] * counts[b]
            for a in range(counts.shape[0]):
                counts[a] = 0


@kernel
def _best(intersection, activation, truth, category_of, best, label):
    """Do what `best_scores` says, a row for each quantile, unit and shuffle.

    ``iou = met / (activation[g(c)] + truth[c] - met)``; concepts that a row does not meet have none.
    """
    for row in range(best.shape[0]):
        for concept in range(truth.shape[0]):
            met = intersection[row, concept]
            if met > 0:
                union = activation[row, category_of[concept]] + truth[concept] - met
                if met / union > best[row]:
                    best[row] = met / union
                    label[row] = concept
