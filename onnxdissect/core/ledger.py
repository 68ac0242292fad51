"""Where counts of single masks wait until it is known which concepts matter to which unit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.evidence import CONTENDERS, Evidence, MaskCounts
from onnxdissect.core.kernels.gather import choose, place
from onnxdissect.errors import OutputError

__all__ = ["Ledger"]


class Ledger:
    """The counts of all masks of one layer, in memory up to a budget and in a file beyond it.

    Parameters
    ----------
    path : Path
        The file, made only when it is needed; its folder exists.
    budget : int
        Bytes held in memory at most, but for one block.
    """

    def __init__(self, path: Path, budget: int) -> None:
        self._path = path
        self._budget = budget
        self._lock = Lock()
        self._held: list[tuple[int, MaskCounts]] = []
        self._bytes = 0
        self._stored: list[tuple[int, int]] = []

    def add(self, start: int, counts: MaskCounts) -> None:
        """Take in a block; several threads may do so at once.

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
        with self._lock:
            self._held.append((start, counts))
            self._bytes += counts.nbytes
            if self._bytes > self._budget:
                self._overflow()

    def gather(self, iou: NDArray[np.float64], categories: int) -> Evidence:
        """Bring the masks of each unit together, and keep the counts of the concepts it may be labelled with.

        Parameters
        ----------
        iou : ndarray of float64, shape (Q, K, C)
            In the paper's convention.
        categories : int
            How many there are, G.

        Returns
        -------
        Evidence
            The same whatever the order and the sizes of the blocks.
        """
        q, k, c = iou.shape
        contenders = choose(iou.reshape(q * k, c), min(CONTENDERS, c))
        sizes = np.zeros(q * k, np.int64)
        for counts in self._blocks():
            sizes += np.bincount(counts.heads[:, 0], minlength=q * k)
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        masks = int(starts[-1])
        evidence = Evidence(
            contenders=contenders.reshape(q, k, -1),
            starts=starts,
            image=np.empty(masks, np.int32),
            activation=np.empty(masks, np.int32),
            intersection=np.zeros((masks, contenders.shape[1]), np.int32),
            overlap=np.empty((masks, (categories + 7) // 8), np.uint8),
        )
        ends = starts[:-1].copy()
        for counts in self._blocks():
            place(counts, evidence, ends)
        return evidence

    def _overflow(self) -> None:
        try:
            # Whatever an interrupted run left there is of no use.
            with self._path.open("ab" if self._stored else "wb") as file:
                for start, counts in self._held:
                    self._stored.append((start, file.tell()))
                    for array in (counts.heads, counts.overlap, counts.met):
                        np.save(file, array, allow_pickle=False)
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error
        self._held, self._bytes = [], 0

    def _blocks(self) -> Iterator[MaskCounts]:
        """All blocks by their images, so that those of a unit come in order."""
        held = dict(enumerate(self._held, len(self._stored)))
        order = [(start, i) for i, (start, _) in enumerate([*self._stored, *self._held])]
        file = self._path.open("rb") if self._stored else None
        try:
            for _, i in sorted(order):
                if file is None or i in held:
                    yield held[i][1]
                    continue
                file.seek(self._stored[i][1])
                yield MaskCounts(*(np.load(file, allow_pickle=False) for _ in range(3)))
        finally:
            if file is not None:
                file.close()
