"""``masks.npz`` of a layer: the maps of all images that make its masks, where a run keeps them.

What is stored is not the masks but the cells of the activation maps that make them: every cell above the
unit's lowest threshold, and the four cells around each pixel of the mask. So masks at stricter thresholds
come out of them as well, exactly. The archive is cut into chunks of some images by some units, so that all
masks of a unit and all masks of an image are read without the rest.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.sparse_maps import SparseMaps
from onnxdissect.errors import RunFormatError
from onnxdissect.results.masks.layout import CHUNK, HEADER, MASKS, MasksLayout, chunk_schema
from onnxdissect.storage.archive_reader import open_archive, read_archive
from onnxdissect.storage.archive_writer import ArchiveWriter, writing_archive

__all__ = ["MapChunk", "MasksWriter", "read_chunks", "read_layout"]


_MOST_UNITS = 2**24


@dataclass(frozen=True, slots=True)
class MapChunk:
    """The sparse maps of some images and units.

    Attributes
    ----------
    images, units : (int, int)
        The first of them, and the one after the last.
    sizes : ndarray of uint32, shape (images, units)
        How many cells each map has.
    starts : ndarray of int64, shape (images * units + 1,)
        Where each map's cells begin, image by image.
    cells : ndarray of uint16 or uint32, shape (E,)
        Flat index of each cell, ascending within a map.
    values : ndarray of float32, shape (E,)
        Activation of each cell.
    """

    images: tuple[int, int]
    units: tuple[int, int]
    sizes: NDArray[np.uint32]
    starts: NDArray[np.int64]
    cells: NDArray[np.unsignedinteger]
    values: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.sizes.nbytes + self.starts.nbytes + self.cells.nbytes + self.values.nbytes

    def map(self, image: int, unit: int) -> tuple[NDArray[np.unsignedinteger], NDArray[np.float32]]:
        """Cells and values of one map, by the numbers of image and unit in the run."""
        at = (image - self.images[0]) * self.sizes.shape[1] + unit - self.units[0]
        kept = slice(self.starts[at], self.starts[at + 1])
        return self.cells[kept], self.values[kept]


class MasksWriter:
    """Writes ``masks.npz`` from sparse maps that come in the order of the images; made by `opened`."""

    def __init__(self, layout: MasksLayout, archive: ArchiveWriter) -> None:
        self._layout = layout
        self._archive = archive
        self._block = 0
        self._sizes: list[NDArray[np.uint32]] = []
        self._maps: list[tuple[NDArray[np.unsignedinteger], NDArray[np.float32]]] = []

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path, layout: MasksLayout) -> Iterator[MasksWriter]:
        """Open the file of a layer; it appears when all images have come.

        Parameters
        ----------
        folder : Path
            The layer's folder.
        layout : MasksLayout

        Yields
        ------
        MasksWriter

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        header: dict[str, NDArray[Any]] = {
            "extent": np.array([layout.images, layout.units], np.int64),
            "chunk": np.array(layout.chunk, np.int64),
            "map": np.array(layout.shape, np.int64),
            "input": np.array(layout.pixels, np.int64),
            "anchor": np.array(layout.field or (), np.float64).reshape(-1, 2),
            "lowest": layout.lowest,
        }
        blocks = product(range(layout.blocks[0]), range(layout.blocks[1]))
        schema = replace(HEADER, arrays={**HEADER.arrays, **chunk_schema(layout, blocks).arrays})
        with writing_archive(folder / MASKS, schema) as archive:
            for name, array in header.items():
                archive.write(name, array)
            writer = cls(layout, archive)
            yield writer
            writer._finish()

    def add(self, maps: SparseMaps) -> None:
        """Take in the maps of the next images.

        Parameters
        ----------
        maps : SparseMaps
            Of all units; what `onnxdissect.core.kernels.masks.mask_cells.mask_cells` leaves of them.
        """
        images = maps.image_starts.size - 1
        sizes = np.zeros((images, self._layout.units), np.uint32)
        image = np.repeat(np.arange(images), np.diff(maps.image_starts))
        sizes[image, maps.units] = np.diff(maps.starts)
        edges = maps.starts[maps.image_starts]
        for i in range(images):
            kept = slice(edges[i], edges[i + 1])
            # Copies: what these are views of need not stay in memory.
            self._maps.append((maps.cells[kept].copy(), maps.values[kept].copy()))
            self._sizes.append(sizes[i])
            if len(self._sizes) == self._layout.chunk[0]:
                self._flush()

    def _finish(self) -> None:
        if self._sizes:
            self._flush()
        if self._block != self._layout.blocks[0]:
            raise ValueError(f"{self._layout.images} images were announced")

    def _flush(self) -> None:
        sizes = np.stack(self._sizes)
        ends = np.cumsum(sizes, axis=1, dtype=np.int64)
        for block in range(self._layout.blocks[1]):
            first, last = self._layout.span(1, block)
            begins = ends[:, first - 1] if first else np.zeros(len(sizes), np.int64)
            shares = [slice(*pair) for pair in zip(begins.tolist(), ends[:, last - 1].tolist(), strict=True)]
            pairs = list(zip(self._maps, shares, strict=True))
            name = f"{self._block}.{block}"
            self._archive.write(f"{name}.sizes", sizes[:, first:last])
            self._archive.write(
                f"{name}.cells", np.concatenate([cells[share] for (cells, _), share in pairs])
            )
            self._archive.write(
                f"{name}.values", np.concatenate([values[share] for (_, values), share in pairs])
            )
        self._sizes, self._maps = [], []
        self._block += 1


def read_layout(path: Path) -> MasksLayout:
    """Read what a ``masks.npz`` is of.

    Parameters
    ----------
    path : Path

    Returns
    -------
    MasksLayout

    Raises
    ------
    RunFormatError
        If the file is missing, damaged or of another version.
    """
    header = read_archive(path, HEADER, lengths={"p": 2}, most={"a": 2, "K": _MOST_UNITS})
    pairs = [tuple(header[name].tolist()) for name in ("extent", "chunk", "map", "input")]
    anchor, lowest = header["anchor"], header["lowest"]
    if not all(len(pair) == 2 and min(pair) > 0 for pair in pairs) or anchor.shape not in ((0, 2), (2, 2)):
        raise RunFormatError(f"{path} is damaged: its sizes are {pairs}", hint=HEADER.hint)
    (images, units), chunk, shape, pixels = pairs
    if lowest.shape != (units,):
        raise RunFormatError(
            f"{path} is damaged: {lowest.size} thresholds of {units} units", hint=HEADER.hint
        )
    if not np.isfinite(anchor).all() or (anchor[1:] <= 0).any():
        raise RunFormatError(f"{path} is damaged: its anchor is {anchor.tolist()}", hint=HEADER.hint)
    field: Any = tuple(map(tuple, anchor.tolist())) or None
    return MasksLayout(images, units, chunk, shape, pixels, field, lowest)


def read_chunks(path: Path, layout: MasksLayout, which: Iterable[tuple[int, int]]) -> list[MapChunk]:
    """Read some chunks.

    Parameters
    ----------
    path : Path
    layout : MasksLayout
        As `read_layout` gave it.
    which : iterable of (int, int)
        Their numbers along the images and along the units.

    Returns
    -------
    list of MapChunk
        In the order asked for.

    Raises
    ------
    RunFormatError
        If the file is missing or damaged.
    """
    which = list(which)
    chunks = []
    with open_archive(path, chunk_schema(layout, which)) as archive:
        for i, u in which:
            shapes = tuple(archive.shape(f"{i}.{u}.{name}") for name in CHUNK)
            if not _possible(layout, (i, u), shapes):
                raise RunFormatError(
                    f"{path} is damaged: its chunk {i}.{u} does not hold maps, of shapes {shapes}",
                    hint=HEADER.hint,
                )
            sizes, cells, values = (archive.read(f"{i}.{u}.{name}") for name in CHUNK)
            chunk = _chunk(layout, (i, u), sizes, cells, values)
            if not _sound(chunk, layout):
                raise RunFormatError(
                    f"{path} is damaged: its chunk {i}.{u} does not hold maps", hint=HEADER.hint
                )
            chunks.append(chunk)
    return chunks


def _possible(layout: MasksLayout, place: tuple[int, int], shapes: tuple[tuple[int, ...], ...]) -> bool:
    """Whether the arrays of a chunk, not read yet, are no larger than all cells of its maps."""
    sizes, cells, values = shapes
    images, units = (layout.span(axis, place[axis]) for axis in (0, 1))
    maps = (images[1] - images[0], units[1] - units[0])
    return sizes == maps and cells == values and cells[0] <= math.prod(maps) * math.prod(layout.shape)


def _chunk(
    layout: MasksLayout,
    place: tuple[int, int],
    sizes: NDArray[np.uint32],
    cells: NDArray[np.unsignedinteger],
    values: NDArray[np.float32],
) -> MapChunk:
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
    return MapChunk(layout.span(0, place[0]), layout.span(1, place[1]), sizes, starts, cells, values)


def _sound(chunk: MapChunk, layout: MasksLayout) -> bool:
    """Whether sizes fit and each map's cells are those of a map, in order: kernels rely on it."""
    images, units = chunk.images, chunk.units
    if chunk.sizes.shape != (images[1] - images[0], units[1] - units[0]):
        return False
    if not chunk.starts[-1] == chunk.cells.size == chunk.values.size:
        return False
    if not np.isfinite(chunk.values).all():
        return False
    if chunk.cells.size == 0:
        return True
    rising = np.diff(chunk.cells.astype(np.int64)) > 0
    begins = chunk.starts[:-1][chunk.sizes.ravel() > 0]
    rising[begins[1:] - 1] = True
    return bool(rising.all() and int(chunk.cells.max()) < layout.shape[0] * layout.shape[1])
