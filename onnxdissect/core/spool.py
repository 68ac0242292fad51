"""What waits between the pass and the tally: surviving maps and annotations, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.records import PackedAnnotations, Records
from onnxdissect.files import replacing

__all__ = ["Chunk", "Spool"]

_T = TypeVar("_T", Records, PackedAnnotations)


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

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.annotations.nbytes + sum(layer.nbytes for layer in self.layers)

    def above(self, bounds: Sequence[NDArray[np.float32]]) -> Chunk:
        """Drop the maps that no longer exceed their unit's bound, per layer."""
        return Chunk(
            self.start,
            self.annotations,
            tuple(records.above(b) for records, b in zip(self.layers, bounds, strict=True)),
        )


class Spool:
    """Chunks in memory up to a budget, on disk beyond it.

    Bounds rise during the pass, so what an early chunk kept may be dropped later: before anything goes to
    disk, the chunks in memory are compacted.

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
        self._files: list[Path] = []

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
        self._held.append(chunk)
        self._bytes += chunk.nbytes
        if self._bytes <= self._budget:
            return
        self._held = [held.above(bounds) for held in self._held]
        self._bytes = sum(held.nbytes for held in self._held)
        # Compacting must not become a habit of every batch: go well below the budget, or to disk.
        if self._bytes > self._budget // 2:
            self._overflow()

    def __iter__(self) -> Iterator[Chunk]:
        """All chunks, in the order in which they were added."""
        for path in self._files:
            with path.open("rb") as file:
                while (chunk := _read(file)) is not None:
                    yield chunk
        yield from self._held

    def flush(self, bounds: Sequence[NDArray[np.float32]]) -> None:
        """Bring everything to disk.

        Parameters
        ----------
        bounds : sequence of ndarray of float32
            The units' current bounds per layer.

        Raises
        ------
        OutputError
            If the disk does not take it.
        """
        self._held = [held.above(bounds) for held in self._held]
        if self._held:
            self._overflow()

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

    def _overflow(self) -> None:
        path = self._path(len(self._files))
        with replacing(path) as file:
            for chunk in self._held:
                _write(file, chunk)
        self._files.append(path)
        self._held = []
        self._bytes = 0


def _write(file: BinaryIO, chunk: Chunk) -> None:
    np.save(file, np.array([chunk.start, len(chunk.layers)], np.int64))
    parts: tuple[PackedAnnotations | Records, ...] = (chunk.annotations, *chunk.layers)
    for part in parts:
        for field in fields(part):
            np.save(file, np.asarray(getattr(part, field.name)))


def _read(file: BinaryIO) -> Chunk | None:
    if not file.peek(1):  # type: ignore[attr-defined]
        return None
    start, layers = np.load(file).tolist()
    annotations = _read_part(file, PackedAnnotations)
    return Chunk(start, annotations, tuple(_read_part(file, Records) for _ in range(layers)))


def _read_part(file: BinaryIO, kind: type[_T]) -> _T:
    values: dict[str, Any] = {field.name: np.load(file) for field in fields(kind)}
    if "shape" in values:
        values["shape"] = cast("tuple[int, int]", tuple(values["shape"].tolist()))
    return kind(**values)
