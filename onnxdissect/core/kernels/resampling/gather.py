"""Each unit's top concepts, and the counts of its masks over all images.

Counts are made chunk of images by chunk, with the masks of all units mixed; here they are sorted by unit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import kernel
from onnxdissect.core.per_image_counts import MaskCounts, PerImageCounts

__all__ = ["choose_top_concepts", "place_masks"]


def choose_top_concepts(iou: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Find the concepts that each unit may be labelled with.

    Parameters
    ----------
    iou : ndarray of float64, shape (rows, C)
        Score of every unit with every concept.
    most : int
        How many to find.

    Returns
    -------
    ndarray of int64, shape (rows, most)
        Positions of the highest scores, best first, the lower position on a tie; -1 in place of scores that
        are not above 0.
    """
    if not 0 <= most <= iou.shape[1]:
        raise ValueError(f"{most} of {iou.shape[1]} concepts")
    chosen = np.full((iou.shape[0], most), -1, np.int64)
    _choose(iou, chosen)
    return chosen


def place_masks(counts: MaskCounts, per_image: PerImageCounts, ends: NDArray[np.int64], first: int) -> None:
    """Put a block of masks behind those that each unit already has; masks of other units are passed over.

    Parameters
    ----------
    counts : MaskCounts
        Of images that come after those placed so far, as far as the same unit is concerned.
    per_image : PerImageCounts
        Written to in place; its ``intersection`` is zero before.
    ends : ndarray of int64, shape (rows,)
        Where the next mask of each unit goes; raised in place.
    first : int
        The first of these units, as a position q*K + k of the layer.
    """
    if counts.overlap.shape != (counts.heads.shape[0], per_image.overlap.shape[1]):
        raise ValueError("masks and categories disagree")
    rows = per_image.top_concepts.reshape(ends.size, -1)
    _place(
        (counts.heads, counts.overlap, counts.met),
        rows,
        ends,
        first,
        (per_image.image, per_image.activation, per_image.intersection, per_image.overlap),
    )


@kernel
def _choose(iou, chosen):
    """Insert each row's concepts into the best so far, by position; see `choose_top_concepts`.

    ``chosen``, shape (rows, most), is -1 before.
    """
    rows, concepts = iou.shape
    most = chosen.shape[1]
    for row in range(rows):
        for concept in range(concepts):
            value = iou[row, concept]
            if value <= 0:
                continue
            at = most
            # Equal scores stay in the order of their positions.
            while at > 0 and (chosen[row, at - 1] < 0 or iou[row, chosen[row, at - 1]] < value):
                at -= 1
            if at < most:
                for later in range(most - 1, at, -1):
                    chosen[row, later] = chosen[row, later - 1]
                chosen[row, at] = concept


@kernel
def _place(counts, top_concepts, ends, first, per_image):
    """Do what `place_masks` says, with the arrays of `MaskCounts` and `PerImageCounts`.

    Of the concepts that a mask meets, those among the unit's top concepts are kept.
    """
    heads, overlap, met = counts
    image, activation, intersection, overlaps = per_image
    begin = 0
    for mask in range(heads.shape[0]):
        row = heads[mask, 0] - first
        begin += heads[mask, 3]
        if row < 0 or row >= ends.shape[0]:
            continue
        to = ends[row]
        ends[row] += 1
        image[to] = heads[mask, 1]
        activation[to] = heads[mask, 2]
        for byte in range(overlap.shape[1]):
            overlaps[to, byte] = overlap[mask, byte]
        for at in range(begin - heads[mask, 3], begin):
            for slot in range(top_concepts.shape[1]):
                if top_concepts[row, slot] == met[at, 0]:
                    intersection[to, slot] = met[at, 1]
                    break
