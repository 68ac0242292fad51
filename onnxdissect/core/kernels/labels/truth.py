"""How many pixels of each image hold each concept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import kernel
from onnxdissect.core.kernels.masks.arguments import annotation_arrays
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
    # At most one pair for each concept of each label set, and for each concept of a whole image.
    pairs = np.empty((2, annotations.parts.size + annotations.image_labels.size), np.int32)
    used = _image_truth(
        annotation_arrays(annotations),
        annotations.label_set_pixels,
        np.zeros(concepts, np.int64),
        sizes,
        pairs,
    )
    return sizes, pairs[0, :used].copy(), pairs[1, :used].copy()


@kernel
def _image_truth(annotations, label_set_pixels, truth, sizes, pairs):
    """Do what `image_truth` says: write concepts and pixels to ``pairs``, fill ``sizes``; return how many.

    ``|L_c(x)|`` is the sum of the pixels of all label sets that hold c, and of all pixels where c covers the
    whole image. ``truth``, shape (concepts,), is zero before and after.
    """
    pixel_starts = annotations.pixel_starts
    parts = annotations.parts
    part_starts = annotations.part_starts
    image_labels = annotations.image_labels
    used = 0
    for image in range(sizes.shape[0]):
        pixels = pixel_starts[image + 1] - pixel_starts[image]
        for label_set in range(annotations.label_set_starts[image], annotations.label_set_starts[image + 1]):
            for part in range(part_starts[label_set], part_starts[label_set + 1]):
                truth[parts[part]] += label_set_pixels[label_set]
        for c in range(annotations.image_label_starts[image], annotations.image_label_starts[image + 1]):
            truth[image_labels[c]] += pixels
        before = used
        for concept in range(truth.shape[0]):
            if truth[concept] > 0:
                pairs[0, used] = concept
                pairs[1, used] = truth[concept]
                used += 1
                truth[concept] = 0
        sizes[image] = used - before
    return used
