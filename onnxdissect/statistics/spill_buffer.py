"""Counts of single masks, kept until it is known which concepts are the top concepts of which unit."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.resampling.gather import choose_top_concepts, place_masks
from onnxdissect.core.per_image_counts import (
    TOP_CONCEPTS,
    MaskCounts,
    PerImageCounts,
    PerImageCountsPart,
    spans,
)
from onnxdissect.errors import OutputError, RunFormatError
from onnxdissect.storage.blocks import read_block, write_block
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["SpillBuffer"]

_SCHEMA = Schema(
    {
        "heads": ArraySpec("int32", "m."),
        "overlap": ArraySpec("uint8", "m."),
        "met": ArraySpec("int32", ".."),
    }
)


class SpillBuffer:
    """The counts of all masks of one layer, in memory up to a budget and in a file beyond it.

    It can be pickled: what is in memory goes along, of the file only its path. So whoever unpickles it has to
    see the same folder, and only one copy at a time may add to it.

    Parameters
    ----------
    path : Path
        The file, made only when it is needed; its folder exists.
    budget : int
        Bytes held in memory at most, but for one block.
    quantiles, units : int
        How many the layer has.
    """

    def __init__(self, path: Path, budget: int, quantiles: int, units: int) -> None:
        self._path = path
        self._budget = budget
        self._units = units
        self._sizes = np.zeros(quantiles * units, np.int64)
        self._held: list[tuple[_Block, MaskCounts]] = []
        self._bytes = 0
        self._stored: list[tuple[_Block, int]] = []

    def add(self, start: int, counts: MaskCounts) -> None:
        """Take in a block.

        Parameters
        ----------
        start : int
            A number at most that of the first image of the block. Blocks that share a unit come from
            disjoint runs of consecutive images.
        counts : MaskCounts

        Raises
        ------
        OutputError
            If the disk does not take what does not fit in memory.
        """
        row = counts.heads[:, 0]
        sizes = np.bincount(row, minlength=self._sizes.size)
        units = row % self._units
        block = _Block(start, int(units.min(initial=self._units)), int(units.max(initial=-1)))
        self._sizes += sizes
        self._held.append((block, counts))
        self._bytes += counts.nbytes
        if self._bytes > self._budget:
            self._overflow()

    def merge(self, other: SpillBuffer) -> None:
        """Take in all blocks of another buffer.

        Parameters
        ----------
        other : SpillBuffer
            Of the same layer and other images, with another file. Not changed.

        Raises
        ------
        OutputError
            If the disk does not take what does not fit in memory.
        """
        for start, counts in other._blocks(slice(0, other._units)):
            self.add(start, counts)

    def starts(self) -> NDArray[np.int64]:
        """Count the masks taken in so far.

        Returns
        -------
        ndarray of int64, shape (Q*K + 1,)
            As in `PerImageCounts`.
        """
        return np.concatenate([[0], np.cumsum(self._sizes)]).astype(np.int64)

    def gather(self, iou: NDArray[np.float64], categories: int, masks: int) -> Iterator[PerImageCountsPart]:
        """Bring the masks of each unit together, and keep the counts of the concepts it may be labelled with.

        Parameters
        ----------
        iou : ndarray of float64, shape (Q, K, C)
            In the paper's convention.
        categories : int
            How many there are, G.
        masks : int
            Most masks of a part, unless a single unit has more.

        Yields
        ------
        PerImageCountsPart
            In the order of rows; the same whatever the order and the sizes of the blocks.
        """
        starts = self.starts()
        for quantile, units in spans(starts, self._units, masks):
            first = quantile * self._units + units.start
            rows = starts[first : first + units.stop - units.start + 1] - starts[first]
            top_concepts = choose_top_concepts(iou[quantile, units], min(TOP_CONCEPTS, iou.shape[2]))
            held = int(rows[-1])
            per_image = PerImageCounts(
                top_concepts=top_concepts[None],
                starts=rows,
                image=np.empty(held, np.int32),
                activation=np.empty(held, np.int32),
                intersection=np.zeros((held, top_concepts.shape[1]), np.int32),
                overlap=np.empty((held, (categories + 7) // 8), np.uint8),
            )
            ends = rows[:-1].copy()
            for _, counts in self._blocks(units):
                place_masks(counts, per_image, ends, first)
            yield PerImageCountsPart(quantile, units, per_image)

    def _overflow(self) -> None:
        try:
            # The first block replaces what an interrupted run may have left there.
            with self._path.open("ab" if self._stored else "wb") as file:
                for block, counts in self._held:
                    self._stored.append((block, file.tell()))
                    write_block(file, _SCHEMA, {name: getattr(counts, name) for name in _SCHEMA.arrays})
        except OSError as error:
            raise write_error(self._path, error) from error
        self._held, self._bytes = [], 0

    def _blocks(self, units: slice) -> Iterator[tuple[int, MaskCounts]]:
        """Give the blocks that hold any of the units, by their images: those of a unit come in order.

        With each comes the number that it was added with.
        """
        held = dict(enumerate(self._held, len(self._stored)))
        blocks = [block for block, _ in (*self._stored, *self._held)]
        order = sorted(
            (block.start, i)
            for i, block in enumerate(blocks)
            if block.lowest < units.stop and block.highest >= units.start
        )
        file = self._opened() if self._stored else None
        try:
            for start, i in order:
                if file is None or i in held:
                    yield start, held[i][1]
                    continue
                file.seek(self._stored[i][1])
                yield start, self._read(file)
        finally:
            if file is not None:
                file.close()

    def _read(self, file: BufferedReader) -> MaskCounts:
        found = read_block(file, self._path, lambda facts: _SCHEMA, lambda size: np.empty(size, np.uint8))
        if found is None:
            raise RunFormatError(f"{self._path} is cut short", hint="start over with --fresh")
        return MaskCounts(**found[1])

    def _opened(self) -> BufferedReader:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise OutputError(
                f"{self._path}, counts of single masks, cannot be read: {error.strerror or error}",
                hint="counts that have spilled to disk can only go where their folder can be seen",
            ) from error


class _Block(NamedTuple):
    """Its first image, and the lowest and highest unit in it."""

    start: int
    lowest: int
    highest: int
