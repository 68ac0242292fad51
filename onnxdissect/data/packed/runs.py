"""Planes of an annotation as the bytes of a packed file, which are a palette of codes and tokens."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.vocabulary import HIGHEST_NUMBER

__all__ = ["decode_planes", "encode_planes", "most_bytes"]

_HEAD = struct.Struct("<II")  # planes, codes of the palette
_ONE_BYTE = 256


def most_bytes(maps: int, grid: tuple[int, int]) -> int:
    """Tell how long the planes of an image can be.

    Parameters
    ----------
    maps : int
        Label maps of the image: it has no more planes.
    grid : tuple of int
        (sh, sw).

    Returns
    -------
    int
        Bytes.
    """
    return _HEAD.size + 2 * (HIGHEST_NUMBER + 1) + 3 * maps * grid[0] * grid[1]


def encode_planes(planes: NDArray[np.uint16]) -> bytes:
    """Write planes as runs.

    Parameters
    ----------
    planes : ndarray of uint16, shape (planes, sh, sw)
        Concept index + 1 per pixel, 0 where unlabelled; C-contiguous.

    Returns
    -------
    bytes
        Empty where there is no plane. The same planes give the same bytes.
    """
    if not planes.size:
        return b""
    from onnxdissect.data.packed.run_kernels import encode

    palette = np.unique(planes)
    places = np.zeros(HIGHEST_NUMBER + 1, np.int32)
    places[palette] = np.arange(palette.size)
    tokens = np.empty(3 * planes.size, np.uint8)
    written = encode(planes.reshape(-1), planes.shape[2], places, palette.size > _ONE_BYTE, tokens)
    head = _HEAD.pack(planes.shape[0], palette.size) + palette.astype("<u2").tobytes()
    return head + tokens[:written].tobytes()


def decode_planes(
    block: bytes | memoryview, grid: tuple[int, int], maps: int, concepts: int
) -> NDArray[np.uint16]:
    """Read planes; what a block of any bytes holds is either that or an error.

    Parameters
    ----------
    block : bytes or memoryview
        What `encode_planes` gives.
    grid : tuple of int
        (sh, sw).
    maps : int
        Label maps of the image: it has no more planes.
    concepts : int
        Size of the vocabulary; no code is higher.

    Returns
    -------
    ndarray of uint16, shape (planes, sh, sw)
        Cannot be written to.

    Raises
    ------
    ValueError
        If it holds something else.
    """
    planes = _decoded(block, grid, maps, concepts) if len(block) else np.empty((0, *grid), np.uint16)
    if planes is None:
        raise ValueError(f"no runs of labels on a grid of {grid[0]} x {grid[1]}")
    planes.setflags(write=False)
    return planes


def _decoded(
    block: bytes | memoryview, grid: tuple[int, int], maps: int, concepts: int
) -> NDArray[np.uint16] | None:
    if len(block) < _HEAD.size:
        return None
    count, colours = _HEAD.unpack_from(block)
    start = _HEAD.size + 2 * colours
    if not (1 <= count <= maps and 1 <= colours <= HIGHEST_NUMBER + 1 and start <= len(block)):
        return None
    from onnxdissect.data.packed.run_kernels import decode

    planes = np.empty((count, *grid), np.uint16)
    tokens = np.frombuffer(block, np.uint8)
    whole = decode(tokens, start, colours, concepts, grid[1], planes.reshape(-1))
    return planes if whole else None
