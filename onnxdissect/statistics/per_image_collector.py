"""What a tally keeps of single images, from which the certainty of its counts is computed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.labels.truth import image_truth
from onnxdissect.core.per_image_counts import MaskCounts, PerImageCountsPart, TruthCounts
from onnxdissect.core.plan import Plan
from onnxdissect.core.sparse_maps import Annotations
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.statistics.permutation_null import PermutationNull
from onnxdissect.statistics.spill_buffer import SpillBuffer

__all__ = ["PerImageCollector"]

# Counts of single masks in memory, of all layers together; the rest is on disk.
_SPILL_BYTES = 128 * 2**20
_UNLIMITED = 2**62
# Some 50 bytes each, gathered at a time.
_PART_MASKS = 2_000_000


class PerImageCollector:
    """Takes in counts of single images and masks, in whatever order a tally meets them.

    A plain value, but for what has spilled to disk, which is pickled as the path of its file; see
    `onnxdissect.statistics.spill_buffer.SpillBuffer`.

    Parameters
    ----------
    folder : Path
        Where what does not fit in memory goes.
    plan : Plan
        What is dissected.
    masks : bool
        Whether counts of single masks are kept.
    permutation_null : PermutationNull, optional
        Shown what the images show.
    memory : int
        Bytes of counts of single masks held, all layers together.

    Attributes
    ----------
    masks : bool
        Whether counts of single masks are kept.
    memory : int
        Bytes of them held at most, from one chunk to the next.
    images : ImageRanges
        Which images have been seen.
    fingerprint : Fingerprint
        That of the plan, of what is kept, and of the null.
    permutation_null : PermutationNull or None
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        *,
        masks: bool,
        permutation_null: PermutationNull | None,
        memory: int = _SPILL_BYTES,
    ) -> None:
        layers = len(plan.layers)
        self.masks = masks
        self.memory = memory if masks else 0
        self._concepts = len(plan.vocabulary.concepts)
        self._categories = len(plan.vocabulary.categories)
        self._groups = plan.groups
        self._plan = plan
        self.permutation_null = permutation_null
        self.images = ImageRanges()
        base = plan.fingerprint() if permutation_null is None else permutation_null.fingerprint
        self.fingerprint = base.plus({"masks": masks})
        self._spills = [
            SpillBuffer(folder / f"masks-{i:04d}.bin", memory // layers, len(plan.quantiles), layer.units)
            for i, layer in enumerate(plan.layers)
        ]
        self._truth: dict[int, tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]] = {}
        self._categories_held: dict[int, NDArray[np.bool_]] = {}

    def bare(self, folder: Path) -> PerImageCollector:
        """Give one that has taken in nothing, for a part of the images: all of it stays in memory.

        Parameters
        ----------
        folder : Path
            Nothing is written there.

        Returns
        -------
        PerImageCollector
            It may be merged with this one.
        """
        null = self.permutation_null
        return PerImageCollector(
            folder,
            self._plan,
            masks=self.masks,
            permutation_null=None if null is None else null.bare(),
            memory=_UNLIMITED,
        )

    def see(self, start: int, annotations: Annotations) -> None:
        """Take in what a chunk of images shows.

        Parameters
        ----------
        start : int
            Number of the first of them.
        annotations : Annotations

        Raises
        ------
        ImagesOverlapError
            If one of the images has been seen before.
        """
        self.images |= ImageRanges.of((start, start + len(annotations)))
        if self.masks:
            self._truth[start] = image_truth(annotations, self._concepts)
            # A view would keep the whole chunk in memory.
            self._categories_held[start] = annotations.has_category.copy()
        if self.permutation_null is not None:
            self.permutation_null.see(start, annotations)

    def keep(self, layer: int, start: int, counts: MaskCounts) -> None:
        """Take in the masks of some units of a layer in a chunk; of each layer, one thread at a time.

        Parameters
        ----------
        layer : int
        start : int
            Number of the chunk's first image.
        counts : MaskCounts

        Raises
        ------
        OutputError
            If the disk does not take what does not fit in memory.
        """
        self._spills[layer].add(start, counts)

    def merge(self, other: PerImageCollector) -> None:
        """Take in everything that another collector made with the same parameters has taken in.

        Parameters
        ----------
        other : PerImageCollector
            Of other images, with another folder. Its null is merged with ours; it is not changed.

        Raises
        ------
        RunMismatchError
            If the other was made with other parameters, naming them. Nothing is changed then.
        ImagesOverlapError
            If both have seen the same images, naming them. Nothing is changed then.
        OutputError
            If the disk does not take what does not fit in memory.
        """
        self.fingerprint.expect(other.fingerprint)
        self.images |= other.images
        for spill, more in zip(self._spills, other._spills, strict=True):
            spill.merge(more)
        self._truth |= other._truth
        self._categories_held |= other._categories_held
        if self.permutation_null is not None and other.permutation_null is not None:
            self.permutation_null.merge(other.permutation_null)

    def truth(self) -> TruthCounts:
        """Give the pixels of each concept in each image, once all have been seen.

        Returns
        -------
        TruthCounts
        """
        order = sorted(self._truth)
        sizes, concept, pixels = zip(*(self._truth[start] for start in order), strict=True)
        return TruthCounts(
            starts=np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64),
            concept=np.concatenate(concept),
            pixels=np.concatenate(pixels),
            categories=np.concatenate([self._categories_held[start] for start in order]),
            groups=self._groups,
        )

    def starts(self, layer: int) -> NDArray[np.int64]:
        """Count the masks of one layer.

        Parameters
        ----------
        layer : int

        Returns
        -------
        ndarray of int64, shape (Q*K + 1,)
            As in `onnxdissect.core.per_image_counts.PerImageCounts`.
        """
        return self._spills[layer].starts()

    def per_image(
        self, layer: int, iou: NDArray[np.float64], masks: int = _PART_MASKS
    ) -> Iterator[PerImageCountsPart]:
        """Give the masks of one layer, part by part.

        Parameters
        ----------
        layer : int
        iou : ndarray of float64, shape (Q, K, C)
            Its units' scores in the paper's convention.
        masks : int
            Most masks of a part, unless a single unit has more.

        Yields
        ------
        PerImageCountsPart
            In the order of quantiles and units.
        """
        yield from self._spills[layer].gather(iou, self._categories, masks)
