"""What waits between the pass and the tally: surviving maps and annotations, chunk by chunk."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from io import BufferedReader
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.sift import thin
from onnxdissect.core.records import PackedAnnotations, Records
from onnxdissect.core.room import Room
from onnxdissect.files import replacing

__all__ = ["Chunk", "Spool"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of consecutive images, as the tally will want them.

    Attributes
    ----------
    start : int
        Number of the first image.
    annotations : PackedAnnotations
        What the images show.
    layers : tuple of Records
        Surviving maps, one entry per dissected layer.
    """

    start: int
    annotations: PackedAnnotations
    layers: tuple[Records, ...]

    def __len__(self) -> int:
        return self.annotations.grid_of.size

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.annotations.nbytes + sum(layer.nbytes for layer in self.layers)


class Spool:
    """Chunks in memory up to a budget, on disk beyond it.

    Bounds rise during the pass, so most of what an early chunk kept may be dropped later: before anything
    goes to disk, the chunks in memory are thinned.

    Parameters
    ----------
    folder : Path
        Where overflowing chunks go. Must exist.
    budget : int
        Bytes of chunks held in memory at most, but for one chunk.
    """

    def __init__(self, folder: Path, budget: int) -> None:
        self._folder = folder
        self._budget = budget
        self._held: list[Chunk] = []
        self._bytes = 0
        self._lock = Lock()
        self._relieving = False
        self._files: list[Path] = []

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
        with self._lock:
            self._held.append(chunk)
            self._bytes += chunk.nbytes
            if self._bytes <= self._budget or self._relieving:
                return
            self._relieving = True
            full, self._held, self._bytes = self._held, [], 0
        # The other threads go on meanwhile; what they append in this time is little.
        try:
            self._relieve(full, bounds)
        finally:
            self._relieving = False

    def __iter__(self) -> Iterator[Chunk]:
        """All chunks, in no particular order."""
        for path in self._files:
            with path.open("rb") as file:
                while (chunk := _read(file)) is not None:
                    yield chunk
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
        _thin(self._held, range(len(self._held)), bounds)
        if self._held:
            self._overflow(self._held)
        self._held, self._bytes = [], 0

    def segments(self) -> list[int]:
        """Sizes in bytes of the files written so far, in order."""
        return [path.stat().st_size for path in self._files]

    def restore(self, segments: Sequence[int]) -> bool:
        """Take up the files of an interrupted pass, and remove what it wrote after they were counted.

        Parameters
        ----------
        segments : sequence of int
            As `segments` gave it.

        Returns
        -------
        bool
            Whether all of them are there, whole.
        """
        files = [self._path(i) for i in range(len(segments))]
        if [path.stat().st_size if path.exists() else -1 for path in files] != list(segments):
            return False
        for path in self._folder.glob("spool-*"):
            if path not in files:
                path.unlink()
        self._files = files
        return True

    def _path(self, segment: int) -> Path:
        return self._folder / f"spool-{segment:06d}.bin"

    def _relieve(self, full: list[Chunk], bounds: Sequence[NDArray[np.float32]]) -> None:
        """Put chunks that filled the memory back, thinned, or on disk."""
        # Early on bounds rise quickly; later thinning gains little, and must not become a habit.
        tried = range(0, len(full), max(1, len(full) // 8))
        before = sum(full[i].nbytes for i in tried)
        _thin(full, tried, bounds)
        if 3 * sum(full[i].nbytes for i in tried) < 2 * before:
            _thin(full, range(len(full)), bounds)
        size = sum(chunk.nbytes for chunk in full)
        if size > self._budget * 3 // 4:
            self._overflow(full)
            return
        with self._lock:
            self._held = full + self._held
            self._bytes += size

    def _overflow(self, chunks: Sequence[Chunk]) -> None:
        path = self._path(len(self._files))
        with replacing(path) as file:
            for chunk in chunks:
                _write(file, chunk)
        self._files.append(path)


def _thin(chunks: list[Chunk], which: Iterable[int], bounds: Sequence[NDArray[np.float32]]) -> None:
    room = Room()
    # One by one, so that old and new never lie side by side.
    for i in which:
        layers = zip(chunks[i].layers, bounds, strict=True)
        thinned = tuple(room.take_in(thin(records, bound)) for records, bound in layers)
        chunks[i] = replace(chunks[i], layers=thinned)


# Kernels would be compiled anew for arrays that are not aligned, or that cannot be written to.
_ALIGNMENT = 8
# What a chunk's arrays are called, in the order of a file: those of its annotations, those of each layer.
_ANNOTATIONS = tuple(field.name for field in fields(PackedAnnotations))
_RECORDS = tuple(field.name for field in fields(Records) if field.name != "shape")


def _write(file: BinaryIO, chunk: Chunk) -> None:
    """Write a chunk as one block: a line that says what is in it, then the bytes of its arrays."""
    arrays = [np.ascontiguousarray(getattr(chunk.annotations, name)) for name in _ANNOTATIONS]
    for layer in chunk.layers:
        arrays += [np.ascontiguousarray(getattr(layer, name)) for name in _RECORDS]
    described = [(array.dtype.str, array.shape) for array in arrays]
    header = {"start": chunk.start, "maps": [layer.shape for layer in chunk.layers], "arrays": described}
    file.write(json.dumps(header).encode() + b"\n")
    for array in arrays:
        file.write(array.data)
        file.write(bytes(-array.nbytes % _ALIGNMENT))


def _read(file: BufferedReader) -> Chunk | None:
    line = file.readline()
    if not line:
        return None
    header = json.loads(line)
    kinds = [(np.dtype(dtype), tuple(shape)) for dtype, shape in header["arrays"]]
    sizes = [dtype.itemsize * math.prod(shape) for dtype, shape in kinds]
    places = np.cumsum([0, *(-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes)]).tolist()
    block = np.empty(places[-1], np.uint8)
    file.readinto(block.data)
    arrays = iter(
        block[at : at + size].view(dtype).reshape(shape)
        for at, size, (dtype, shape) in zip(places, sizes, kinds, strict=False)
    )
    annotations = PackedAnnotations(**{name: next(arrays) for name in _ANNOTATIONS})
    layers = tuple(
        Records(shape=(h, w), **{name: next(arrays) for name in _RECORDS}) for h, w in header["maps"]
    )
    return Chunk(header["start"], annotations, layers)
