"""Images as squares, and where the cells of a label grid lie on them: the arithmetic of `--size`.

A square lies over an image: all of it, stretched; the middle of it; or all of it with a margin. Positions are
fractions of whole numbers throughout, so that no rounding decides which pixel a cell takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.libraries import import_cv2

__all__ = ["Square", "cell_centres", "cells_of_pixels", "cover", "same_aspect", "square_pixels"]


@dataclass(frozen=True, slots=True)
class Square:
    """Where a square lies over an image, in its pixels.

    Attributes
    ----------
    size : (int, int)
        (ih, iw) of the image.
    start : (int, int)
        Row and column of its upper left corner; below zero with a margin.
    extent : (int, int)
        Height and width; different from each other where the image is stretched.
    """

    size: tuple[int, int]
    start: tuple[int, int]
    extent: tuple[int, int]


def cover(size: tuple[int, int], aspect: str) -> Square:
    """Lay a square over an image.

    Parameters
    ----------
    size : (int, int)
        (ih, iw) of the image.
    aspect : str
        ``stretch``, ``crop`` or ``pad``.

    Returns
    -------
    Square
    """
    if aspect == "stretch":
        return Square(size, (0, 0), size)
    side = min(size) if aspect == "crop" else max(size)
    height, width = size
    # Rounded down alike for crops and margins.
    return Square(size, ((height - side) // 2, (width - side) // 2), (side, side))


def square_pixels(pixels: NDArray[np.uint8], square: Square, side: int) -> NDArray[np.uint8]:
    """Cut or pad an image to a square, and resize it.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (ih, iw, 3)
    square : Square
    side : int
        Height and width of what is made.

    Returns
    -------
    ndarray of uint8, shape (side, side, 3)
        Means of the pixels that fall together if neither side grows, bilinear otherwise; margins are black.
    """
    cv2 = import_cv2()
    (top, left), (height, width) = square.start, square.extent
    cut = pixels[max(top, 0) : top + height, max(left, 0) : left + width]
    if cut.shape[:2] != (height, width):
        canvas = np.zeros((height, width, 3), np.uint8)
        canvas[max(-top, 0) : max(-top, 0) + cut.shape[0], max(-left, 0) : max(-left, 0) + cut.shape[1]] = cut
        cut = canvas
    shrinks = side <= height and side <= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: NDArray[np.uint8] = cv2.resize(np.ascontiguousarray(cut), (side, side), interpolation=method)
    return resized


def cell_centres(square: Square, axis: int, length: int, cells: int) -> NDArray[np.int64]:
    """Find the pixel of a label map in which the centre of each cell lies, along one axis.

    Parameters
    ----------
    square : Square
    axis : int
        0 for rows, 1 for columns.
    length : int
        Of the label map, which lies over the whole image.
    cells : int
        Of the label grid, which lies over the whole square.

    Returns
    -------
    ndarray of int64, shape (cells,)
        A centre between two pixels belongs to the later one; -1 outside the image.
    """
    whole, start, extent = square.size[axis], square.start[axis], square.extent[axis]
    odd = 2 * np.arange(cells, dtype=np.int64) + 1
    found = (2 * cells * start + odd * extent) * length // (2 * cells * whole)
    return np.where((found >= 0) & (found < length), found, -1)


def cells_of_pixels(square: Square, axis: int, length: int, cells: int) -> NDArray[np.int64]:
    """Find the cell in which the centre of each pixel of a label map lies, along one axis.

    Parameters
    ----------
    square, axis, length, cells
        As for `cell_centres`.

    Returns
    -------
    ndarray of int64, shape (length,)
        A centre between two cells belongs to the later one; -1 outside the square.
    """
    whole, start, extent = square.size[axis], square.start[axis], square.extent[axis]
    odd = 2 * np.arange(length, dtype=np.int64) + 1
    found = (odd * whole - 2 * length * start) * cells // (2 * length * extent)
    return np.where((found >= 0) & (found < cells), found, -1)


def same_aspect(shape: tuple[int, int], size: tuple[int, int]) -> bool:
    """Tell whether a label map may lie over an image of another size.

    Parameters
    ----------
    shape : (int, int)
        Of the label map.
    size : (int, int)
        (ih, iw) of the image.

    Returns
    -------
    bool
        Whether the image scaled by one factor comes within less than a pixel of it on both sides.
    """
    (rows, columns), (height, width) = shape, size
    return (rows - 1) * width < (columns + 1) * height and (columns - 1) * height < (rows + 1) * width
