"""How ``masks.npz`` is cut into chunks, what its arrays are called, and how large it may be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.upsampling import Field
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = [
    "CHUNK",
    "HEADER",
    "MASKS",
    "MASKS_VERSION",
    "MasksLayout",
    "cell_bytes",
    "chunk_bytes",
    "chunk_schema",
]

MASKS = "masks.npz"

MASKS_VERSION = 1
"""Version of what is in the file; one of another version is refused."""

_UNITS = 32
# Images of a chunk are chosen so that one holds about this much.
_CHUNK_BYTES = 512 * 2**10
_FEWEST_IMAGES, _MOST_IMAGES = 16, 1024
# Cells that are kept for each cell above the threshold, about: its neighbours are shared.
_KEPT_PER_CELL = 3

# What an archive needs for an array beside its elements: NumPy's header, two entries, a directory.
_ARRAY_BYTES = 384

# Pairs of a vertical and a horizontal figure, an anchor of offset and stride or none, K units.
HEADER = Schema(
    {
        "extent": ArraySpec("int64", "p"),
        "chunk": ArraySpec("int64", "p"),
        "map": ArraySpec("int64", "p"),
        "input": ArraySpec("int64", "p"),
        "anchor": ArraySpec("float64", "ap"),
        "lowest": ArraySpec("float32", "K"),
    },
    version=MASKS_VERSION,
    hint="dissect again with --keep-masks --fresh",
)
CHUNK = {
    "sizes": ArraySpec("uint32", ".."),
    "cells": ArraySpec("uint16|uint32", "."),
    "values": ArraySpec("float32", "."),
}


@dataclass(frozen=True, slots=True)
class MasksLayout:
    """What a ``masks.npz`` is of, and how it is cut.

    Attributes
    ----------
    images, units : int
        How many there are.
    chunk : (int, int)
        Images and units of a chunk; the last ones may have fewer.
    shape : (int, int)
        (h, w) of the layer's maps.
    pixels : (int, int)
        (height, width) of the network's input.
    field : tuple of (offset, stride) or None
        Where cells lie, in input pixels; None for `resize`.
    lowest : ndarray of float32, shape (units,)
        Lowest threshold of each unit: that of the run's largest quantile. What exceeds it is stored.
    """

    images: int
    units: int
    chunk: tuple[int, int]
    shape: tuple[int, int]
    pixels: tuple[int, int]
    field: Field | None
    lowest: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        images: int,
        shape: tuple[int, int],
        pixels: tuple[int, int],
        field: Field | None,
        lowest: NDArray[np.float32],
        share: float,
    ) -> MasksLayout:
        """Cut a layer's maps so that a chunk holds about half a megabyte.

        Parameters
        ----------
        images : int
        shape, pixels : (int, int)
        field : tuple of (offset, stride) or None
        lowest : ndarray of float32, shape (units,)
        share : float
            Share of the cells that lies above the lowest thresholds: the largest quantile.

        Returns
        -------
        MasksLayout
        """
        return cls(images, lowest.size, (chunk_images(shape, share), _UNITS), shape, pixels, field, lowest)

    @property
    def blocks(self) -> tuple[int, int]:
        """How many chunks there are along the images and along the units."""
        return -(-self.images // self.chunk[0]), -(-self.units // self.chunk[1])

    def span(self, axis: int, block: int) -> tuple[int, int]:
        """First image (axis 0) or unit (axis 1) of a block, and the one after the last."""
        first = block * self.chunk[axis]
        return first, min(first + self.chunk[axis], (self.images, self.units)[axis])


def chunk_images(shape: tuple[int, int], share: float) -> int:
    """Images of a chunk, a power of two.

    Parameters
    ----------
    shape : (int, int)
        (h, w) of the layer's maps.
    share : float
        Share of the cells that lies above the lowest thresholds.

    Returns
    -------
    int
    """
    cells = shape[0] * shape[1]
    expected = min(1.0, _KEPT_PER_CELL * share) * cells * cell_bytes(shape) + np.dtype(np.uint32).itemsize
    fitting = _CHUNK_BYTES / (_UNITS * expected)
    return min(_MOST_IMAGES, max(_FEWEST_IMAGES, 1 << int(math.log2(max(1.0, fitting)))))


def chunk_bytes(images: int, units: int, shape: tuple[int, int], share: float) -> int:
    """Bytes of a file beside its cells, before compression, at most.

    Parameters
    ----------
    images, units : int
    shape : (int, int)
        (h, w) of the layer's maps.
    share : float
        Share of the cells that lies above the lowest thresholds.

    Returns
    -------
    int
    """
    chunks = -(-images // chunk_images(shape, share)) * -(-units // _UNITS)
    counted = images * units * np.dtype(np.uint32).itemsize
    return counted + (3 * chunks + len(HEADER.arrays)) * _ARRAY_BYTES + 4 * units + 4096


def cell_bytes(shape: tuple[int, int]) -> int:
    """Bytes of one stored cell, before compression: its index and its value."""
    return _cells(shape).itemsize + np.dtype(np.float32).itemsize


def chunk_schema(layout: MasksLayout, which: Iterable[tuple[int, int]]) -> Schema:
    """Name the arrays of some chunks.

    Parameters
    ----------
    layout : MasksLayout
    which : iterable of (int, int)
        Their numbers along the images and along the units.

    Returns
    -------
    Schema
    """
    specs = {**CHUNK, "cells": ArraySpec(_cells(layout.shape).name, ".")}
    named = {f"{i}.{u}.{name}": spec for i, u in which for name, spec in specs.items()}
    return replace(HEADER, arrays=named)


def _cells(shape: tuple[int, int]) -> np.dtype[np.unsignedinteger]:
    """Give the dtype of the numbers of the cells of a map."""
    # Imported here: numba takes a fifth of a second to load, and most readers of a run look at no map.
    from onnxdissect.core.kernels.activations.encode import cell_type

    return np.dtype(cell_type(shape))
