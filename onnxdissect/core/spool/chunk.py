"""Consecutive images in the form that the tally needs, and larger ones made of several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.sparse_maps import PackedAnnotations, SparseMaps
from onnxdissect.core.spool.arena import Arena

__all__ = ["Chunk", "joined"]

# A joined chunk has so many images or bytes at most, unless a single one has more: all of a chunk that is
# read from disk is in memory at once.
_IMAGES = 64
_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive images, in the form that the tally needs.

    Attributes
    ----------
    start : int
        Number of the first image.
    annotations : PackedAnnotations
        What the images show.
    layers : tuple of SparseMaps
        Surviving maps, one entry per dissected layer.
    """

    start: int
    annotations: PackedAnnotations
    layers: tuple[SparseMaps, ...]

    def __len__(self) -> int:
        return self.annotations.grid_of.size

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.annotations.nbytes + sum(layer.nbytes for layer in self.layers)


def joined(chunks: Iterable[Chunk], arena: Arena) -> Iterator[Chunk]:
    """Make larger chunks of those whose images follow one another.

    Whoever walks over chunks calls kernels for each layer of each: with few images in a chunk the calls cost
    more than what is done in them.

    Parameters
    ----------
    chunks : iterable of Chunk
        In any order.
    arena : Arena
        What larger chunks lie in.

    Yields
    ------
    Chunk
        By their images. One that nothing follows is given as it is.
    """
    run: list[Chunk] = []
    for chunk in sorted(chunks, key=lambda chunk: chunk.start):
        if run and not (
            run[-1].start + len(run[-1]) == chunk.start
            and sum(map(len, run)) + len(chunk) <= _IMAGES
            and sum(held.nbytes for held in run) + chunk.nbytes <= _BYTES
        ):
            yield _joined(run, arena)
            run = []
        run.append(chunk)
    if run:
        yield _joined(run, arena)


def _joined(run: Sequence[Chunk], arena: Arena) -> Chunk:
    if len(run) == 1:
        return run[0]
    annotations = [chunk.annotations for chunk in run]
    return Chunk(
        run[0].start,
        PackedAnnotations(
            run_labels=arena.concatenated([a.run_labels for a in annotations]),
            run_lengths=arena.concatenated([a.run_lengths for a in annotations]),
            plane_starts=_starts([a.plane_starts for a in annotations]),
            grid_of=np.concatenate([a.grid_of for a in annotations]),
            image_labels=np.concatenate([a.image_labels for a in annotations]),
            image_label_starts=_starts([a.image_label_starts for a in annotations]),
            has_category=np.concatenate([a.has_category for a in annotations]),
        ),
        tuple(_joined_maps(maps, arena) for maps in zip(*(chunk.layers for chunk in run), strict=True)),
    )


def _joined_maps(run: Sequence[SparseMaps], arena: Arena) -> SparseMaps:
    return SparseMaps(
        shape=run[0].shape,
        image_starts=_starts([maps.image_starts for maps in run]),
        units=arena.concatenated([maps.units for maps in run]),
        starts=_starts([maps.starts for maps in run]),
        cells=arena.concatenated([maps.cells for maps in run]),
        values=arena.concatenated([maps.values for maps in run]),
    )


def _starts(run: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Where each thing begins, when what the chunks hold lies one behind the other."""
    size = 1 + sum(starts.size - 1 for starts in run)
    together = np.zeros(size, np.int64)
    at = 0
    for starts in run:
        # Each begins at zero, and its first is the end of those before it.
        np.add(starts, together[at], out=together[at : at + starts.size])
        at += starts.size - 1
    return together
