"""What makes the masks of a run, read from the kept maps of all its layers, in the order of the images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.results.masks.archive import MapChunk, read_chunks
from onnxdissect.results.masks.layout import MasksLayout

__all__ = ["KeptMaps", "gathered"]


class KeptMaps:
    """The kept maps of a layer, image by image.

    Parameters
    ----------
    path : Path
        Its ``masks.npz``.
    layout : MasksLayout
        As `onnxdissect.results.masks.archive.read_layout` gave it.
    """

    def __init__(self, path: Path, layout: MasksLayout) -> None:
        self._path = path
        self._layout = layout

    def blocks(self, images: int) -> Iterator[SparseMaps]:
        """Give the maps of so many images at a time.

        Parameters
        ----------
        images : int
            Divides the images of a chunk.

        Yields
        ------
        SparseMaps
            Of all units; those of the last images may be fewer.

        Raises
        ------
        RunFormatError
            If the file is missing or damaged.
        """
        layout = self._layout
        rows, columns = layout.blocks
        for row in range(rows):
            chunks = read_chunks(self._path, layout, [(row, column) for column in range(columns)])
            first, last = layout.span(0, row)
            for start in range(first, last, images):
                yield gathered(chunks, range(start, min(start + images, last)), layout.shape)


def gathered(chunks: Sequence[MapChunk], images: range, shape: tuple[int, int]) -> SparseMaps:
    """Bring the maps of all units together, image by image.

    Parameters
    ----------
    chunks : sequence of MapChunk
        Of the same images, one after the other along the units.
    images : range
        Numbers of some of these images.
    shape : (int, int)
        (h, w) of a map.

    Returns
    -------
    SparseMaps
        Units without cells have no map.
    """
    rows = slice(images.start - chunks[0].images[0], images.stop - chunks[0].images[0])
    sizes = np.concatenate([chunk.sizes[rows] for chunk in chunks], axis=1)
    held = sizes > 0
    pieces = []
    for image in images:
        for chunk in chunks:
            units = chunk.sizes.shape[1]
            at = (image - chunk.images[0]) * units
            pieces.append((chunk, slice(chunk.starts[at], chunk.starts[at + units])))
    return SparseMaps(
        shape=shape,
        image_starts=np.concatenate([[0], np.cumsum(held.sum(axis=1))]).astype(np.int64),
        units=np.nonzero(held)[1].astype(np.int32),
        starts=np.concatenate([[0], np.cumsum(sizes[held], dtype=np.int64)]).astype(np.int64),
        cells=np.concatenate([chunk.cells[kept] for chunk, kept in pieces]),
        values=np.concatenate([chunk.values[kept] for chunk, kept in pieces]),
    )
