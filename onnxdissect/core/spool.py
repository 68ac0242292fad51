"""What waits between the pass and the tally: surviving maps and annotations, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Condition

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.arena import Arena
from onnxdissect.core.kernels.refilter import refilter
from onnxdissect.core.spool_files import Chunk, SpoolFiles

__all__ = ["Chunk", "Spool"]


class Spool:
    """Chunks in memory up to a budget, on disk beyond it.

    Bounds rise during the pass, so most of what an early chunk kept may be dropped later: before anything
    goes to disk, the chunks in memory are thinned, and what is on disk is thinned file by file.

    Parameters
    ----------
    folder : Path
        Where overflowing chunks go. Must exist.
    budget : int
        Bytes of chunks held in memory at most, but for one chunk of each thread that appends.
    """

    def __init__(self, folder: Path, budget: int) -> None:
        self._segments = SpoolFiles(folder)
        self._budget = budget
        self._held: list[Chunk] = []
        self._bytes = 0
        # While one thread makes room, what it works on is not in `_held`.
        self._relieving = 0
        self._room_made = Condition()

    def append(self, chunk: Chunk, bounds: Sequence[NDArray[np.float32]]) -> None:
        """Add a chunk; several threads may do so at once.

        Parameters
        ----------
        chunk : Chunk
        bounds : sequence of ndarray of float32
            The units' current bounds per layer.

        Raises
        ------
        OutputError
            If the disk does not take what does not fit in memory.
        """
        with self._room_made:
            while self._relieving and self._bytes + self._relieving > self._budget * 5 // 4:
                self._room_made.wait()
            self._held.append(chunk)
            self._bytes += chunk.nbytes
            if self._bytes <= self._budget or self._relieving:
                return
            full, self._held = self._held, []
            self._relieving, self._bytes = self._bytes, 0
        try:
            self._relieve(full, bounds)
        finally:
            with self._room_made:
                self._relieving = 0
                self._room_made.notify_all()

    def __iter__(self) -> Iterator[Chunk]:
        """All chunks, in no particular order."""
        yield from self._segments
        yield from self._held

    def flush(self, bounds: Sequence[NDArray[np.float32]]) -> None:
        """Bring everything to disk, while nobody appends.

        Parameters
        ----------
        bounds : sequence of ndarray of float32
            The units' current bounds per layer.

        Raises
        ------
        OutputError
            If the disk does not take it.
        """
        if self._held:
            _refilter(self._held, range(len(self._held)), bounds)
            self._segments.write(self._held)
        self._held, self._bytes = [], 0

    def spool_files(self) -> list[tuple[int, int]]:
        """Give the number and the size in bytes of each file."""
        return self._segments.names()

    def saved(self) -> None:
        """Be told that a state has been saved that names these segments, so that others may go."""
        self._segments.named()

    def restore(self, spool_files: Sequence[tuple[int, int]]) -> bool:
        """Take up the files of an interrupted pass, and remove what it wrote after they were counted.

        Parameters
        ----------
        spool_files : sequence of (int, int)
            As `spool_files` gave it.

        Returns
        -------
        bool
            Whether all of them are there, whole.
        """
        return self._segments.restore(spool_files)

    def _relieve(self, full: list[Chunk], bounds: Sequence[NDArray[np.float32]]) -> None:
        """Put chunks that filled the memory back, thinned, or on disk."""
        # Early on bounds rise quickly; later thinning gains little, and must not become a habit.
        tried = range(0, len(full), max(1, len(full) // 8))
        before = sum(full[i].nbytes for i in tried)
        _refilter(full, tried, bounds)
        if 3 * sum(full[i].nbytes for i in tried) < 2 * before:
            _refilter(full, range(len(full)), bounds)
        size = sum(chunk.nbytes for chunk in full)
        if size > self._budget * 3 // 4:
            self._segments.write(full)
            full.clear()
            self._segments.refilter(partial(_thinned, bounds, Arena()))
            return
        with self._room_made:
            self._held = full + self._held
            self._bytes += size


def _refilter(chunks: list[Chunk], which: Iterable[int], bounds: Sequence[NDArray[np.float32]]) -> None:
    arena = Arena()
    # One by one, so that old and new never lie side by side.
    for i in which:
        chunks[i] = _thinned(bounds, arena, chunks[i])


def _thinned(bounds: Sequence[NDArray[np.float32]], arena: Arena, chunk: Chunk) -> Chunk:
    layers = zip(chunk.layers, bounds, strict=True)
    return replace(
        chunk, layers=tuple(arena.take_in(refilter(sparse_maps, bound)) for sparse_maps, bound in layers)
    )
