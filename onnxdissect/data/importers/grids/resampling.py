"""Label maps on a label grid: the pixel at each cell's centre, or the majority of its labelled pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.importers.grids.squares import Square, cell_centres, cells_of_pixels

__all__ = ["majority", "nearest_pixels"]


def nearest_pixels(
    label_map: NDArray[np.integer], square: Square, grid: tuple[int, int]
) -> NDArray[np.integer]:
    """Take the pixel at each cell's centre.

    Parameters
    ----------
    label_map : ndarray of int, shape (h, w)
        Lies over the whole image; 0 where unlabelled.
    square : Square
        What the grid lies over.
    grid : (int, int)
        (sh, sw)

    Returns
    -------
    ndarray of int, shape (sh, sw)
        0 outside the image.
    """
    rows = cell_centres(square, 0, label_map.shape[0], grid[0])
    columns = cell_centres(square, 1, label_map.shape[1], grid[1])
    taken = label_map[rows[:, None], columns]
    taken[rows < 0] = 0
    taken[:, columns < 0] = 0
    return taken


def majority(label_map: NDArray[np.integer], square: Square, grid: tuple[int, int]) -> NDArray[np.integer]:
    """Take what most of the labelled pixels of each cell hold, so that what is small survives.

    Parameters
    ----------
    label_map : ndarray of int, shape (h, w)
        Lies over the whole image; 0 where unlabelled.
    square : Square
        What the grid lies over.
    grid : (int, int)
        (sh, sw)

    Returns
    -------
    ndarray of int, shape (sh, sw)
        Pixels belong to the cell in which their centres lie. Of numbers that as many pixels hold, the lowest.
        A cell without any labelled pixel is 0; one in which no pixel has its centre takes the one at its own.
    """
    rows = cells_of_pixels(square, 0, label_map.shape[0], grid[0])
    columns = cells_of_pixels(square, 1, label_map.shape[1], grid[1])
    taken = nearest_pixels(label_map, square, grid)
    taken[np.ix_(np.isin(np.arange(grid[0]), rows), np.isin(np.arange(grid[1]), columns))] = 0
    inside = columns >= 0
    for row in np.unique(rows[rows >= 0]):
        # a row of cells at a time: what is sorted is many times as large as the label map
        cells, numbers = _most(label_map[rows == row][:, inside], columns[inside])
        taken[row, cells] = numbers
    return taken


def _most(
    band: NDArray[np.integer], columns: NDArray[np.int64]
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Cells of a row that hold any labelled pixel, some several times: the last is what most pixels hold."""
    labelled = band != 0
    numbers = band[labelled]
    highest = int(numbers.max(initial=0)) + 1
    # four bytes where they do: they are sorted much faster
    kind = np.int32 if (int(columns.max(initial=0)) + 1) * highest < 1 << 31 else np.int64
    cells = np.broadcast_to(columns.astype(kind), band.shape)[labelled]
    keys, counts = np.unique(cells * kind(highest) + numbers.astype(kind), return_counts=True)
    # the largest count comes last, and of equal counts the lowest number
    order = np.lexsort((-keys, counts))
    return keys[order] // highest, keys[order] % highest
