"""Run lengths of masks, as lists of numbers and as the texts that COCO packs them in.

The first run is of pixels outside the mask, the second of pixels inside, and so on in turn. What does not
add up is a `ValueError` whose words follow the name of the annotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fill_runs", "unpack_runs"]

# A letter holds five bits of a number, least significant first, and whether another follows; the highest
# of the last is the sign.
_FIRST, _BITS, _MORE, _SIGN = 48, 5, 0x20, 0x10
# Enough for a difference of any two runs within the largest image.
_MOST_LETTERS = 7


def unpack_runs(text: str) -> NDArray[np.int64]:
    """Read the text that COCO packs run lengths in.

    From the fourth on, a number is the difference to the run two before.

    Parameters
    ----------
    text : str

    Returns
    -------
    ndarray of int64, shape (runs,)
        Not yet compared with the size of any mask; may be negative.

    Raises
    ------
    ValueError
        If it is no such text.
    """
    try:
        letters = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - _FIRST
    except UnicodeEncodeError:
        raise ValueError("its packed run lengths hold letters that packing does not make") from None
    if not letters.size:
        return np.zeros(0, np.int64)
    if letters.min() < 0 or letters.max() >= 2 * _MORE:
        raise ValueError("its packed run lengths hold letters that packing does not make")
    ends = np.flatnonzero(letters & _MORE == 0)
    if not ends.size or ends[-1] != letters.size - 1:
        raise ValueError("its packed run lengths break off within a number")
    starts = np.concatenate(([0], ends[:-1] + 1))
    if int((ends - starts).max()) >= _MOST_LETTERS:
        raise ValueError("its packed run lengths hold a number that no image is large enough for")
    place = np.arange(letters.size) - np.repeat(starts, ends - starts + 1)
    runs = np.add.reduceat((letters & _MORE - 1) << _BITS * place, starts)
    runs -= np.where(letters[ends] & _SIGN, 1 << _BITS * (ends - starts + 1), 0)
    for first in (1, 2):
        runs[first::2] = np.cumsum(runs[first::2])
    return runs


def fill_runs(
    runs: NDArray[np.int64] | Sequence[Any], shape: tuple[int, int], *, columns: bool
) -> NDArray[np.bool_]:
    """Fill a mask by its run lengths.

    Parameters
    ----------
    runs : ndarray of int64, or sequence
        A sequence may hold anything, as a file of JSON may.
    shape : (int, int)
        Height and width.
    columns : bool
        Whether pixels are counted down the columns, as COCO does, and not along the rows.

    Returns
    -------
    ndarray of bool, shape (height, width)

    Raises
    ------
    ValueError
        If the runs are no whole numbers from 0, or do not add up to the mask's pixels.
    """
    height, width = shape
    if not isinstance(runs, np.ndarray):
        if not all(type(run) is int and 0 <= run <= height * width for run in runs):
            raise ValueError(f"its run lengths are not whole numbers from 0 to {height * width:,}")
        runs = np.array(runs, np.int64)
    # a sum of more may not fit in 64 bits
    if runs.size and (runs.min() < 0 or runs.max() > height * width):
        raise ValueError(f"its run lengths are not whole numbers from 0 to {height * width:,}")
    total = int(runs.sum())
    if total != height * width:
        raise ValueError(
            f"its run lengths add up to {total:,} pixels, and its mask of {height} x {width} has "
            f"{height * width:,}"
        )
    flat = np.repeat(np.arange(runs.size) % 2 == 1, runs)
    return flat.reshape(width, height).T if columns else flat.reshape(height, width)
