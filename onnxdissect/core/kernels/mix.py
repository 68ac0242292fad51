"""The sets of concepts that pixels hold, numbered within each image."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from onnxdissect.core.records import Annotations, PackedAnnotations

__all__ = ["unpack"]


def unpack(packed: PackedAnnotations, grids: NDArray[np.int64]) -> Annotations:
    """Make annotations ready for counting.

    Parameters
    ----------
    packed : PackedAnnotations
        Annotations of a chunk of images.
    grids : ndarray of int64, shape (grids, 2)
        Label grids that ``packed.grid_of`` refers to.

    Returns
    -------
    Annotations
    """
    pixels = grids[packed.grid_of].prod(axis=1)
    pixel_starts = np.concatenate([[0], np.cumsum(pixels)]).astype(np.int64)
    mixtures = np.zeros(pixel_starts[-1], np.int32)
    # A mixture ends where a run of some plane does, so no plane adds more of them than there are runs.
    planes = np.diff(packed.plane_starts) // pixels
    room = int(planes.max()) * (packed.run_labels.size + int(planes.sum())) + pixels.size
    parents = np.empty(room, np.int32)
    labels = np.empty(room, np.int32)
    mixture_starts = np.zeros(pixels.size + 1, np.int64)
    total = _mix(
        packed.run_labels,
        packed.run_lengths,
        planes,
        pixel_starts,
        mixtures,
        (parents, labels, np.empty(room, np.int32), np.empty(room, np.int32)),
        mixture_starts,
    )
    part_starts = np.zeros(total + 1, np.int64)
    parts = _resolve(parents[:total], labels[:total], part_starts)
    return Annotations(
        mixtures=mixtures,
        pixel_starts=pixel_starts,
        parts=parts,
        part_starts=part_starts,
        mixture_starts=mixture_starts,
        grid_of=packed.grid_of,
        whole=packed.whole,
        whole_starts=packed.whole_starts,
        carried=packed.carried,
    )


@njit(cache=True, nogil=True)
def _mix(run_labels, run_lengths, planes, pixel_starts, mixtures, tree, mixture_starts):
    """Give numbers to the mixtures.

    Each is another one and a concept, so that they form a tree in every image.
    """
    parents, labels, children, siblings = tree
    total = 0
    run = -1
    left = 0
    for image in range(planes.shape[0]):
        pixels = mixtures[pixel_starts[image] : pixel_starts[image + 1]]
        root = total
        parents[root] = -1
        children[root] = -1
        total += 1
        for _ in range(planes[image]):
            at = 0
            while at < pixels.shape[0]:
                while left == 0:
                    run += 1
                    left = int(run_lengths[run])
                stop = min(at + left, pixels.shape[0])
                if run_labels[run]:
                    concept = np.int32(run_labels[run]) - 1
                    before = -1
                    after = -1
                    for pixel in range(at, stop):
                        # Neighbours mostly hold the same.
                        if pixels[pixel] != before:
                            before = pixels[pixel]
                            child = children[root + before]
                            while child >= 0 and labels[child] != concept:
                                child = siblings[child]
                            if child < 0:
                                child = total
                                total += 1
                                parents[child] = root + before
                                labels[child] = concept
                                children[child] = -1
                                siblings[child] = children[root + before]
                                children[root + before] = child
                            after = child - root
                        pixels[pixel] = after
                left -= stop - at
                at = stop
        mixture_starts[image + 1] = total
    return total


@njit(cache=True, nogil=True)
def _resolve(parents, labels, part_starts):
    """List the concepts of every mixture."""
    for mixture in range(parents.shape[0]):
        size = (
            0
            if parents[mixture] < 0
            else part_starts[parents[mixture] + 1] - part_starts[parents[mixture]] + 1
        )
        part_starts[mixture + 1] = part_starts[mixture] + size
    parts = np.empty(part_starts[-1], np.int32)
    for mixture in range(parents.shape[0]):
        at = part_starts[mixture]
        ancestor = mixture
        while parents[ancestor] >= 0:
            parts[at] = labels[ancestor]
            at += 1
            ancestor = parents[ancestor]
    return parts
