"""The sets of concepts that pixels hold, numbered within each image.

An image may be annotated by several planes, each of which says one concept per pixel or none: a pixel may be
part of a *door*, of a *house* and of something *red*. The distinct sets of an image are few. With each pixel
carrying the number of its set, a mask counts one number per pixel, and concepts once per set.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import inlined, kernel
from onnxdissect.core.sparse_maps import Annotations, PackedAnnotations
from onnxdissect.core.spool.pages import PagePool

__all__ = ["unpack"]


# How many pairs of set and concept are remembered; a power of two.
_KNOWN = 1024
# Pixels that are written in one step.
_AT_ONCE = 8


def unpack(packed: PackedAnnotations, grids: NDArray[np.int64], pages: PagePool | None = None) -> Annotations:
    """Make annotations ready for counting.

    Parameters
    ----------
    packed : PackedAnnotations
        Annotations of a chunk of images.
    grids : ndarray of int64, shape (grids, 2)
        Label grids that ``packed.grid_of`` refers to.
    pages : PagePool, optional
        What the pixels lie in, to be used again for other chunks.

    Returns
    -------
    Annotations
    """
    pages = pages or PagePool()
    pixels = grids[packed.grid_of].prod(axis=1)
    pixel_starts = np.concatenate([[0], np.cumsum(pixels)]).astype(np.int64)
    label_sets = pages(4 * (int(pixel_starts[-1]) + _AT_ONCE)).view(np.int32)
    # A new label set begins where a run of some plane does: no plane adds more of them than there are runs.
    planes = np.diff(packed.plane_starts) // pixels
    sets = int(planes.max()) * (packed.run_labels.size + int(planes.sum())) + pixels.size
    # Laid over one another, the planes of an image have no more runs than all of them together, nor than
    # the image has pixels.
    most = min(int(pixels.max(initial=1)), packed.run_labels.size + int(planes.max(initial=0)) + 1)
    parents = np.empty(sets, np.int32)
    labels = np.empty(sets, np.int32)
    part_starts = np.empty(sets + 1, np.int64)
    part_starts[0] = 0
    label_set_starts = np.zeros(pixels.size + 1, np.int64)
    label_set_pixels = np.empty(sets, np.int32)
    total = _number_sets(
        packed.run_labels,
        packed.run_lengths,
        planes,
        pixel_starts,
        label_sets,
        label_set_pixels,
        (parents, labels, np.empty(sets, np.int32), np.empty(sets, np.int32), part_starts),
        label_set_starts,
        (
            np.empty(most, np.int64),
            np.empty(most, np.int32),
            np.empty(most, np.int64),
            np.empty(most, np.int32),
            np.full(_KNOWN, -1, np.int64),
            np.empty(_KNOWN, np.int32),
        ),
    )
    part_starts = part_starts[: total + 1].copy()
    parts = np.empty(part_starts[-1], np.int32)
    _resolve(parents, labels, part_starts, parts)
    return Annotations(
        label_sets=label_sets[: pixel_starts[-1]],
        pixel_starts=pixel_starts,
        parts=parts,
        part_starts=part_starts,
        label_set_starts=label_set_starts,
        label_set_pixels=label_set_pixels[:total].copy(),
        grid_of=packed.grid_of,
        image_labels=packed.image_labels,
        image_label_starts=packed.image_label_starts,
        has_category=packed.has_category,
    )


@kernel
def _number_sets(
    run_labels, run_lengths, planes, pixel_starts, label_sets, set_pixels, tree, label_set_starts, scratch
):
    """Give numbers to the label sets of every image.

    Each label set is another one and one more concept, so those of an image form a tree, whose root is the
    empty set. The planes of an image are laid over one another as runs of pixels of equal label set: a run of
    the next plane cuts these runs, and takes each piece from its label set to a child of it. Pixels are
    written when all planes have been laid.

    Parameters
    ----------
    run_labels : ndarray of uint16
        Concept of each run, counted from 1; 0 for none. Plane after plane, image after image.
    run_lengths : ndarray of uint32
        Its pixels.
    planes : ndarray of int64, shape (images,)
        How many planes each image has.
    pixel_starts : ndarray of int64, shape (images + 1,)
    label_sets : ndarray of int32
        Written to: label set of each pixel, numbered within the image. Has room for ``_AT_ONCE`` more.
    set_pixels : ndarray of int32
        Written to: how many pixels each label set has.
    tree : tuple of ndarray of int32, and one of int64
        Written to: parent, concept, first child and next sibling of each label set, and where its concepts
        begin and end, when those of all sets are listed one after the other.
    label_set_starts : ndarray of int64, shape (images + 1,)
        Written to: where each image's label sets begin.
    scratch : tuple of ndarray
        Room to work in: ends and label sets of the runs, before and after a plane; keys of the pairs of set
        and concept that are remembered, -1 before, and the sets that they lead to.

    Returns
    -------
    int
        Label sets of all images.
    """
    parents, _, children, _, part_starts = tree
    ends, numbers, new_ends, new_numbers, known, met = scratch
    total = 0
    run = -1
    left = 0
    for image in range(planes.shape[0]):
        pixels = pixel_starts[image + 1] - pixel_starts[image]
        root = total
        parents[root] = -1
        children[root] = -1
        part_starts[root + 1] = part_starts[root]
        total += 1
        runs = 1
        ends[0] = pixels
        numbers[0] = 0
        for _ in range(planes[image]):
            under = 0
            at = 0
            new_runs = 0
            while at < pixels:
                while left == 0:
                    run += 1
                    left += run_lengths[run]
                stop = at + left
                if ends[under] < stop:
                    stop = ends[under]
                number = numbers[under]
                if run_labels[run]:
                    concept = np.int32(run_labels[run]) - 1
                    # A set may have many children, one for each colour for instance. A small table remembers
                    # which child a pair of set and concept leads to; most pairs have been met just before.
                    key = (np.int64(image) << 48) | (np.int64(number) << 16) | concept
                    slot = (number * 37 + concept) & (known.shape[0] - 1)
                    if known[slot] != key:
                        known[slot] = key
                        met[slot] = _child(tree, root + number, concept, total) - root
                        if root + met[slot] == total:
                            total += 1
                    number = met[slot]
                if new_runs > 0 and new_numbers[new_runs - 1] == number:
                    new_ends[new_runs - 1] = stop
                else:
                    new_ends[new_runs] = stop
                    new_numbers[new_runs] = number
                    new_runs += 1
                left -= stop - at
                at = stop
                under += at == ends[under]
            ends, new_ends = new_ends, ends
            numbers, new_numbers = new_numbers, numbers
            runs = new_runs
        for label_set in range(root, total):
            set_pixels[label_set] = 0
        at = pixel_starts[image]
        for j in range(runs):
            stop = pixel_starts[image] + ends[j]
            number = numbers[j]
            set_pixels[root + number] += stop - at
            # Mostly a few pixels: eight are written at a time, and the next run overwrites what is too much.
            for begin in range(np.uintp(at), np.uintp(stop), np.uintp(_AT_ONCE)):
                for i in range(np.uintp(_AT_ONCE)):
                    label_sets[begin + i] = number
            at = stop
        label_set_starts[image + 1] = total
    return total


@inlined
def _child(tree, parent, concept, total):
    """Find the label set that holds one concept more than its parent; a new one is given number ``total``."""
    parents, labels, children, siblings, part_starts = tree
    child = children[parent]
    while child >= 0 and labels[child] != concept:
        child = siblings[child]
    if child < 0:
        child = total
        parents[child] = parent
        labels[child] = concept
        children[child] = -1
        siblings[child] = children[parent]
        children[parent] = child
        size = part_starts[parent + 1] - part_starts[parent] + 1
        part_starts[child + 1] = part_starts[child] + size
    return child


@kernel
def _resolve(parents, labels, part_starts, parts):
    """List the concepts of every label set, from itself up to the root, one after the other."""
    for label_set in range(part_starts.shape[0] - 1):
        at = part_starts[label_set]
        ancestor = label_set
        while parents[ancestor] >= 0:
            parts[at] = labels[ancestor]
            at += 1
            ancestor = parents[ancestor]
