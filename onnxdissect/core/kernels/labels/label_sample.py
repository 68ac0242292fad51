"""What images show at the points of a common grid, whatever the size of their label grids.

The permutation null counts masks against the annotations of other images; at common points two images of
different sizes can be laid over one another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import kernel
from onnxdissect.core.per_image_counts import LabelSample
from onnxdissect.core.sparse_maps import Annotations

__all__ = ["SIDE", "sample_labels"]

SIDE = 28
"""Rows and columns of the sample grid."""


def sample_labels(
    annotations: Annotations, grids: NDArray[np.int64], images: NDArray[np.int64]
) -> LabelSample:
    """Look at the label pixel nearest to each point of the sample grid.

    Parameters
    ----------
    annotations : Annotations
        Of a chunk of images.
    grids : ndarray of int64, shape (grids, 2)
        Label grids that ``annotations.grid_of`` refers to.
    images : ndarray of int64
        Which images of the chunk.

    Returns
    -------
    LabelSample
        Of these images, in this order.
    """
    labels = np.zeros((images.size, SIDE * SIDE), np.int32)
    # An image shows no more label sets than there are points, nor than it has.
    known = np.diff(annotations.label_set_starts)[images]
    shown = np.empty(int(np.minimum(known, SIDE * SIDE).sum()), np.int64)
    label_set_starts = np.zeros(images.size + 1, np.int64)
    total = _sample(
        images,
        grids,
        annotations.grid_of,
        annotations.label_sets,
        annotations.pixel_starts,
        annotations.label_set_starts,
        np.full(int(known.max(initial=0)), -1, np.int32),
        labels,
        shown,
        label_set_starts,
    )
    sizes = np.diff(annotations.part_starts)[shown[:total]]
    wholes = np.diff(annotations.image_label_starts)[images]
    sizes = sizes + np.repeat(wholes, np.diff(label_set_starts))
    part_starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    parts = np.empty(part_starts[-1], np.int32)
    _list_concepts(
        images,
        shown,
        label_set_starts,
        annotations.parts,
        annotations.part_starts,
        annotations.image_labels,
        annotations.image_label_starts,
        part_starts,
        parts,
    )
    return LabelSample(
        labels.astype(np.uint16), label_set_starts, part_starts, parts, annotations.has_category[images]
    )


@kernel
def _sample(images, grids, grid_of, label_sets, pixel_starts, known_starts, number, labels, shown, starts):
    """Read the label set at each point, and number those that an image shows in the order of the points.

    Point (r, c) lies in the label pixel ``((2r + 1) * sh // (2 * SIDE), (2c + 1) * sw // (2 * SIDE))``.

    Parameters
    ----------
    images : ndarray of int64, shape (sampled,)
    grids, grid_of, label_sets, pixel_starts, known_starts : ndarray
        As in `Annotations`; ``known_starts`` is its ``label_set_starts``.
    number : ndarray of int32
        Room to work in, one element per label set of an image; -1 before and after.
    labels : ndarray of int32, shape (sampled, SIDE * SIDE)
        Written to: the number of each point's label set.
    shown : ndarray of int64
        Written to: the label sets that are shown, image after image, as positions in ``part_starts``.
    starts : ndarray of int64, shape (sampled + 1,)
        Written to: where each image's begin.

    Returns
    -------
    int
        How many are shown.
    """
    side = 28
    total = 0
    for i in range(images.shape[0]):
        image = images[i]
        sh = grids[grid_of[image], 0]
        sw = grids[grid_of[image], 1]
        pixels = label_sets[pixel_starts[image] : pixel_starts[image + 1]]
        first = total
        for r in range(side):
            row = ((2 * r + 1) * sh // (2 * side)) * sw
            for c in range(side):
                label_set = pixels[row + (2 * c + 1) * sw // (2 * side)]
                if number[label_set] < 0:
                    number[label_set] = total - first
                    shown[total] = known_starts[image] + label_set
                    total += 1
                labels[i, r * side + c] = number[label_set]
        for at in range(first, total):
            number[shown[at] - known_starts[image]] = -1
        starts[i + 1] = total
    return total


@kernel
def _list_concepts(
    images, shown, starts, parts, part_starts, image_labels, image_label_starts, named_starts, named
):
    """Write the concepts of each label set that is shown, and behind them those of its whole image."""
    for i in range(images.shape[0]):
        for at in range(starts[i], starts[i + 1]):
            to = named_starts[at]
            for part in range(part_starts[shown[at]], part_starts[shown[at] + 1]):
                named[to] = parts[part]
                to += 1
            for c in range(image_label_starts[images[i]], image_label_starts[images[i] + 1]):
                named[to] = image_labels[c]
                to += 1
