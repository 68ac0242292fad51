"""What waits between the pass and the tally: surviving maps and annotations, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Condition

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.activations.refilter import refilter
from onnxdissect.core.spool.arena import Arena
from onnxdissect.core.spool.chunk import Chunk, joined
from onnxdissect.core.spool.pages import PagePool
from onnxdissect.core.spool.spool_files import SpoolFiles

__all__ = ["Chunk", "Spool", "SpoolAppender"]


class Spool:
    """Chunks in memory up to a budget, on disk beyond it. One thread at a time may use them.

    Bounds rise during the pass, so most of what an early chunk kept can be dropped later. Before anything
    goes to disk, the chunks in memory are filtered by the bounds of now, and so are the files, one after the
    other.

    A pickled spool holds the chunks in memory, and the paths of the files: see `SpoolFiles`.

    Parameters
    ----------
    folder : Path
        Where overflowing chunks go. Must exist once they do.
    budget : int
        Bytes of chunks held in memory at most, but for the last one.

    Attributes
    ----------
    budget : int
    nbytes : int
        Bytes of the chunks in memory.
    """

    def __init__(self, folder: Path, budget: int) -> None:
        self._files = SpoolFiles(folder)
        # What goes to disk leaves its memory to what comes next: to clear as much anew would cost the system
        # more than the writing.
        self.pages.keep(budget)
        self.budget = budget
        self._held: list[Chunk] = []
        self.nbytes = 0

    @property
    def pages(self) -> PagePool:
        """What chunks may lie in: the memory of chunks that are dropped is used for others."""
        return self._files.pages

    def append(self, chunk: Chunk, bounds: Sequence[NDArray[np.float32]]) -> None:
        """Add a chunk.

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
        self.hold([chunk])
        if self.nbytes > self.budget:
            full = self.release()
            self.hold(self.relieved(full, bounds))

    def hold(self, chunks: list[Chunk]) -> None:
        """Hold chunks in memory, whatever the budget.

        Parameters
        ----------
        chunks : list of Chunk
        """
        self._held += chunks
        self.nbytes += sum(chunk.nbytes for chunk in chunks)

    def release(self) -> list[Chunk]:
        """Give the chunks in memory, and hold them no longer."""
        held, self._held, self.nbytes = self._held, [], 0
        return held

    def relieved(self, full: list[Chunk], bounds: Sequence[NDArray[np.float32]]) -> list[Chunk]:
        """Filter chunks that fill the memory by the bounds of now, or bring them to disk.

        Parameters
        ----------
        full : list of Chunk
            From `release`. Overwritten.
        bounds : sequence of ndarray of float32
            The units' current bounds per layer.

        Returns
        -------
        list of Chunk
            Those that are to stay in memory.

        Raises
        ------
        OutputError
            If the disk does not take what does not fit in memory.
        """
        # Early in a pass bounds rise quickly and filtering gains much; later it would only cost time. So a
        # few chunks are tried first.
        tried = range(0, len(full), max(1, len(full) // 8))
        before = sum(full[i].nbytes for i in tried)
        _refilter(full, tried, bounds, Arena(self.pages))
        if 3 * sum(full[i].nbytes for i in tried) < 2 * before:
            _refilter(full, range(len(full)), bounds, Arena(self.pages))
        if sum(chunk.nbytes for chunk in full) <= self.budget * 3 // 4:
            return full
        self._files.write(joined(full, Arena(self.pages)))
        full.clear()
        self._files.refilter(partial(_filtered, bounds))
        return full

    def forget(self) -> None:
        """Hold nothing any more: everything has been counted. What is on disk stays there."""
        self.release()
        self.pages.keep(0)

    def complete(self) -> None:
        """Be told that all chunks have come: from now on little memory has to wait for others."""
        self.pages.keep()

    def __iter__(self) -> Iterator[Chunk]:
        """All chunks, in no particular order."""
        yield from self._files
        yield from self._held

    def in_order(self) -> Iterator[Chunk]:
        """All chunks, by their images; one on disk is read when its turn comes."""
        held = {chunk.start: chunk for chunk in self._held}
        stored = self._files.places()
        for start in sorted(held.keys() | stored.keys()):
            yield held[start] if start in held else self._files.read(*stored[start])

    def flush(self, bounds: Sequence[NDArray[np.float32]]) -> None:
        """Write everything to disk; no other thread may append meanwhile.

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
            _refilter(self._held, range(len(self._held)), bounds, Arena(self.pages))
            self._files.write(joined(self._held, Arena(self.pages)))
        self.release()

    def spool_files(self) -> list[tuple[int, int]]:
        """Give the number and the size in bytes of each file."""
        return self._files.names()

    def saved(self) -> None:
        """Note that a state with these `spool_files` has been saved: files they replaced may be removed."""
        self._files.named()

    def restore(self, spool_files: Sequence[tuple[int, int]], possible: Callable[[Chunk], bool]) -> bool:
        """Take up the files of an interrupted pass, and remove what it wrote after they were counted.

        Parameters
        ----------
        spool_files : sequence of (int, int)
            As `spool_files` gave it.
        possible : callable
            Whether a chunk can be one of this pass.

        Returns
        -------
        bool
            Whether all of them are there, whole and possible.
        """
        return self._files.restore(spool_files, possible)


class SpoolAppender:
    """Lets several threads append to a spool at once: while one makes room, the others go on.

    Parameters
    ----------
    spool : Spool
        Whose budget may be exceeded by a quarter meanwhile, and one chunk of each thread.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        # While one thread makes room, what it works on is not in the spool.
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
        spool = self._spool
        with self._room_made:
            while self._relieving and spool.nbytes + self._relieving > spool.budget * 5 // 4:
                self._room_made.wait()
            spool.hold([chunk])
            if spool.nbytes <= spool.budget or self._relieving:
                return
            self._relieving = spool.nbytes
            full = spool.release()
        left: list[Chunk] = []
        try:
            left = spool.relieved(full, bounds)
        finally:
            with self._room_made:
                later = spool.release()
                spool.hold(left + later)
                self._relieving = 0
                self._room_made.notify_all()


def _refilter(
    chunks: list[Chunk], which: Iterable[int], bounds: Sequence[NDArray[np.float32]], arena: Arena
) -> None:
    # One by one, so that only one chunk at a time is in memory twice.
    for i in which:
        filtered = _filtered(bounds, chunks[i])
        chunks[i] = replace(filtered, layers=tuple(map(arena.take_in, filtered.layers)))


def _filtered(bounds: Sequence[NDArray[np.float32]], chunk: Chunk) -> Chunk:
    """Give what risen bounds leave of a chunk, in the memory of the chunk, which is overwritten."""
    layers = zip(chunk.layers, bounds, strict=True)
    return replace(chunk, layers=tuple(refilter(sparse_maps, bound) for sparse_maps, bound in layers))
