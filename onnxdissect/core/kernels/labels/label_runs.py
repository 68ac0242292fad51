"""The planes of annotations as runs of equal labels, with the pixels of each concept counted on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import kernel
from onnxdissect.core.sparse_maps import PackedAnnotations
from onnxdissect.data.annotation import Annotation

__all__ = ["pack"]


def pack(
    annotations: Sequence[Annotation],
    grids: NDArray[np.int64],
    category_of: NDArray[np.int64],
    categories: int,
) -> tuple[PackedAnnotations, NDArray[np.int64]]:
    """Gather the annotations of a chunk of images.

    Parameters
    ----------
    annotations : sequence of Annotation
        One per image.
    grids : ndarray of int64, shape (grids, 2)
        The data set's distinct label grids.
    category_of : ndarray of int64, shape (concepts,)
        Primary category of each concept.
    categories : int
        How many categories there are.

    Returns
    -------
    packed : PackedAnnotations
    truths : ndarray of int64, shape (images, concepts)
        |L_c(x)|: pixels of each image that hold each concept.
    """
    known = {(int(sh), int(sw)): g for g, (sh, sw) in enumerate(grids)}
    images, concepts = len(annotations), category_of.size
    # No run goes on from one image to the next: pixels are counted run by run.
    planes = [_flat(annotation.planes) for annotation in annotations]
    run_starts = _starts([_count_runs(flat) for flat in planes])
    labels = np.empty(run_starts[-1], np.uint16)
    lengths = np.empty(run_starts[-1], np.uint32)
    counted = np.zeros((images, concepts + 1), np.int64)
    for flat, start, counts in zip(planes, run_starts, counted, strict=False):
        _list_runs(flat, start, labels, lengths, counts)
    truths = counted[:, 1:]
    for truth, annotation in zip(truths, annotations, strict=True):
        truth[annotation.image_labels] = annotation.grid[0] * annotation.grid[1]
    has_category = np.zeros((images, categories), np.bool_)
    image, concept = np.nonzero(truths)
    has_category[image, category_of[concept]] = True
    packed = PackedAnnotations(
        run_labels=labels,
        run_lengths=lengths,
        plane_starts=_starts([flat.size for flat in planes]),
        grid_of=np.array([known[a.grid] for a in annotations], np.int64),
        image_labels=np.concatenate([a.image_labels for a in annotations] or [np.empty(0, np.int64)]).astype(
            np.int64
        ),
        image_label_starts=_starts([a.image_labels.size for a in annotations]),
        has_category=has_category,
    )
    return packed, truths


def _flat(planes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """All pixels of the planes; never writable, as kernels are compiled apart for arrays that are."""
    flat = np.ascontiguousarray(planes).reshape(-1)
    flat.setflags(write=False)
    return flat


def _starts(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


@kernel
def _count_runs(flat):
    """Count the runs of equal labels."""
    runs = 1 if flat.shape[0] else 0
    for i in range(1, flat.shape[0]):
        runs += flat[i] != flat[i - 1]
    return runs


@kernel
def _list_runs(flat, run, labels, lengths, counts):
    """Write the runs of an image, and add up the pixels of each label.

    Parameters
    ----------
    flat : ndarray of uint16
        Labels of its planes, one plane after the other. Cannot be written to.
    run : int
        Where its runs begin.
    labels : ndarray of uint16
        Written to: the label of each run.
    lengths : ndarray of uint32
        Written to: its pixels.
    counts : ndarray of int64, shape (concepts + 1,)
        Added to: pixels of each label.
    """
    if flat.shape[0] == 0:
        return
    # Where runs end cannot be foreseen, and a wrong guess of the processor costs more than ten pixels. So
    # every pixel is written as if it ended its run.
    last = run
    before = flat[0]
    for i in range(flat.shape[0]):
        last += np.int64(flat[i] != before)
        before = flat[i]
        labels[last] = before
        lengths[last] = i + 1
    begin = np.int64(0)
    for at in range(run, last + 1):
        end = np.int64(lengths[at])
        lengths[at] = end - begin
        counts[labels[at]] += end - begin
        begin = end
