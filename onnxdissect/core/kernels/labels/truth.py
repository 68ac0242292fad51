"""How many pixels of each image hold each concept."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from onnxdissect.core.sparse_maps import Annotations

__all__ = ["image_truth"]


def image_truth(
    annotations: Annotations, concepts: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Count the pixels of a chunk of images.

    Parameters
    ----------
    annotations : Annotations
        Of the chunk.
    concepts : int
        How many concepts there are.

    Returns
    -------
    sizes : ndarray of int64, shape (images,)
        How many concepts each image holds.
    concept : ndarray of int32
        Their positions, ascending within an image, image after image.
    pixels : ndarray of int32
        |L_c(x)| of each.
    """
    sizes = np.zeros(len(annotations), np.int64)
    pairs = _image_truth(
        annotations.label_sets,
        annotations.pixel_starts,
        annotations.parts,
        annotations.part_starts,
        annotations.label_set_starts,
        annotations.image_labels,
        annotations.image_label_starts,
        np.zeros(concepts, np.int64),
        sizes,
    )
    return sizes, pairs[:, 0].copy(), pairs[:, 1].copy()


@njit(cache=True, nogil=True)
def _image_truth(
    label_sets,
    pixel_starts,
    parts,
    part_starts,
    label_set_starts,
    image_labels,
    image_label_starts,
    truth,
    sizes,
):
    """Do what `image_truth` says; return pairs of concept and pixels, and fill ``sizes``.

    ``|L_c(x)|`` is the sum of the pixels of all label sets that hold c, and of all pixels where c covers the
    whole image. ``truth``, shape (concepts,), is zero before and after.
    """
    # At most one pair for each concept of each label set, and for each concept of a whole image.
    pairs = np.empty((parts.shape[0] + image_labels.shape[0], 2), np.int32)
    used = 0
    for image in range(sizes.shape[0]):
        pixels = label_sets[pixel_starts[image] : pixel_starts[image + 1]]
        area = np.zeros(label_set_starts[image + 1] - label_set_starts[image], np.int64)
        for label_set in pixels:
            area[label_set] += 1
        for label_set in range(area.shape[0]):
            at = label_set_starts[image] + label_set
            for part in range(part_starts[at], part_starts[at + 1]):
                truth[parts[part]] += area[label_set]
        for c in range(image_label_starts[image], image_label_starts[image + 1]):
            truth[image_labels[c]] += pixels.shape[0]
        for concept in range(truth.shape[0]):
            if truth[concept] > 0:
                pairs[used, 0] = concept
                pairs[used, 1] = truth[concept]
                used += 1
                sizes[image] += 1
                truth[concept] = 0
    return pairs[:used]
