"""L_c(x): which pixels of an image hold which concept (paper section 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Annotation", "annotate", "unite_planes"]


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """All annotations of one image, without repeats.

    Attributes
    ----------
    grid : tuple of int
        (sh, sw), the label grid.
    planes : ndarray of uint16, shape (planes, sh, sw)
        Concept index + 1 per pixel, 0 where unlabelled. No pixel holds a concept in two planes, none holds
        one that is in `image_labels`, and no plane is all zeros, so counting occurrences counts pixels.
    image_labels : ndarray of int64
        Concepts that cover the whole grid, ascending, without repeats.
    """

    grid: tuple[int, int]
    planes: NDArray[np.uint16]
    image_labels: NDArray[np.int64]

    def truth(self, concepts: int) -> NDArray[np.int64]:
        """Count |L_c(x)|.

        Parameters
        ----------
        concepts : int
            Size of the vocabulary, C.

        Returns
        -------
        ndarray of int64, shape (concepts,)
            Pixels that hold each concept.
        """
        counts = np.bincount(self.planes.ravel(), minlength=concepts + 1)[1:].astype(np.int64)
        counts[self.image_labels] = self.grid[0] * self.grid[1]
        return counts


def annotate(
    grid: tuple[int, int], maps: Sequence[NDArray[np.integer]], image_labels: Iterable[int]
) -> Annotation:
    """Unite the annotations of an image.

    L_c(x) is the union over all label maps: a pixel that two maps label with the same concept counts once.

    Parameters
    ----------
    grid : tuple of int
        (sh, sw).
    maps : sequence of ndarray, shape (sh, sw)
        Concept index + 1 per pixel, 0 where unlabelled, at most 65,535.
    image_labels : iterable of int
        Concepts that cover the whole image; may repeat.

    Returns
    -------
    Annotation
    """
    covering = np.array(sorted(set(image_labels)), np.int64)
    planes = np.empty((len(maps), *grid), np.uint16)
    kept = 0
    for label_map in maps:
        plane = planes[kept]
        plane[:] = label_map
        for code in covering + 1:
            plane[plane == code] = 0
        for other in planes[:kept]:
            # where both are unlabelled this writes the zero that is there
            plane *= plane != other
        kept += bool(plane.any())
    planes = planes[:kept]
    for array in (planes, covering):
        array.setflags(write=False)
    return Annotation(grid, planes, covering)


def unite_planes(planes: NDArray[np.uint16], image_labels: Iterable[int]) -> Annotation:
    """Unite the annotations of an image in place: what `annotate` gives, in a fraction of its time.

    Parameters
    ----------
    planes : ndarray of uint16, shape (maps, sh, sw)
        Concept index + 1 per pixel, 0 where unlabelled; C-contiguous. Becomes part of the annotation.
    image_labels : iterable of int
        Concepts that cover the whole image; may repeat.

    Returns
    -------
    Annotation
    """
    covering = np.array(sorted(set(image_labels)), np.int64)
    kept = 0
    if len(planes):
        # Here, not above: whoever never gets here does without the compiler.
        from onnxdissect.data.decoding.label_kernels import unite

        kept = unite(planes, covering)
    united = planes[:kept]
    for array in (united, covering):
        array.setflags(write=False)
    return Annotation((planes.shape[1], planes.shape[2]), united, covering)
