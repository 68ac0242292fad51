"""Masks as text, run-length encoded: numbers of pixels outside, inside, outside, and so on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError

__all__ = ["mask_of_text", "text_of_mask"]


def text_of_mask(mask: NDArray[np.bool_]) -> str:
    """Write a mask as the lengths of its runs.

    Parameters
    ----------
    mask : ndarray of bool, shape (sh, sw)
        On a label grid.

    Returns
    -------
    str
        Lengths of the runs of equal pixels, row after row and on over the ends of rows, with a space between
        them. The first run is of pixels outside the mask, and may be 0 long; the last is left out if it is
        outside. Empty for an empty mask.
    """
    flat = np.concatenate(([False], mask.ravel(), [False]))
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return " ".join(map(str, np.diff(edges, prepend=0).tolist()))


def mask_of_text(text: str, grid: tuple[int, int]) -> NDArray[np.bool_]:
    """Read what `text_of_mask` wrote.

    Parameters
    ----------
    text : str
    grid : tuple of int
        (sh, sw).

    Returns
    -------
    ndarray of bool, shape (sh, sw)

    Raises
    ------
    RunFormatError
        If the text is no mask of this size.
    """
    pixels = grid[0] * grid[1]
    lengths = text.split()
    if not all(length.isascii() and length.isdigit() for length in lengths):
        raise RunFormatError(f"{text[:40]!r} is no mask")
    runs = np.array(lengths, np.int64)
    if runs.sum() > pixels:
        raise RunFormatError(f"a mask of {runs.sum()} pixels does not fit {grid[0]} x {grid[1]}")
    flat = np.zeros(pixels, np.bool_)
    ends = np.cumsum(runs)
    for first, last in zip(ends[0::2].tolist(), ends[1::2].tolist(), strict=False):
        flat[first:last] = True
    return flat.reshape(grid)
