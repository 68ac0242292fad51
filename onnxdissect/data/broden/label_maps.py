"""Label maps of a Broden folder, from the bytes of a file to concepts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.label_png import decode_label_png
from onnxdissect.data.decoding.pixels import decode_label_map
from onnxdissect.errors import DataFormatError, ImageFileError

__all__ = ["decode_codes", "fill_plane"]


def decode_codes(
    data: bytes, grid: tuple[int, int], codes: NDArray[np.int32], called: str
) -> NDArray[np.int32]:
    """Decode a label map of any kind, or say what is wrong with it.

    Parameters
    ----------
    data : bytes
        The file.
    grid : tuple of int
        (sh, sw), the size that it should have.
    codes : ndarray of int32, shape (65536,)
        Concept index + 1 of each label number, 0 for none and -1 for numbers that label.csv does not list.
    called : str
        What to call it in messages.

    Returns
    -------
    ndarray of int32, shape (sh, sw)
        Concept index + 1, 0 where unlabelled.

    Raises
    ------
    ImageFileError
        If the file is truncated, no PNG or of another size.
    DataFormatError
        If it holds a number that label.csv does not list.
    """
    numbers = decode_label_map(data, called)
    if numbers.shape != grid:
        (height, width), (sh, sw) = numbers.shape, grid
        raise ImageFileError(f"{called} is {height}x{width}; by its sh and sw it should be {sh}x{sw}")
    found = codes[numbers]
    if found.min() < 0:
        strangers = np.unique(numbers[found < 0])
        told = ", ".join(map(str, strangers[:10])) + ", ..." * (strangers.size > 10)
        raise DataFormatError(
            f"{called} holds the label number{'s' * (strangers.size > 1)} {told}; label.csv has no such label"
        )
    return found


def fill_plane(plane: NDArray[np.uint16], data: bytes, codes: NDArray[np.int32], called: str) -> None:
    """Decode a label map to its place: what `decode_codes` gives, faster for maps of the common kinds.

    Parameters
    ----------
    plane : ndarray of uint16, shape (sh, sw)
        Written to: concept index + 1, 0 where unlabelled.
    data : bytes
        The file.
    codes : ndarray of int32, shape (65536,)
        As for `decode_codes`; cannot be written to.
    called : str
        What to call it in messages.

    Raises
    ------
    ImageFileError
        If the file is truncated, no PNG or of another size.
    DataFormatError
        If it holds a number that label.csv does not list.
    """
    if not decode_label_png(data, codes, plane):
        plane[:] = decode_codes(data, (plane.shape[0], plane.shape[1]), codes, called)
