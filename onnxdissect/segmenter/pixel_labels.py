"""From what a segmenter gives at every pixel to the class of the pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.libraries import import_cv2

__all__ = ["UNLABELLED", "choose_classes", "resize_numbers", "resize_scores"]

UNLABELLED = -1
"""In place of the number of a class."""

Size = tuple[int, int]


def choose_classes(
    scores: NDArray[np.float32], *, least: float | None = None, chances: bool = False
) -> NDArray[np.int64] | None:
    """Choose the class that scores highest at each pixel, the first of several.

    Parameters
    ----------
    scores : ndarray of float32, shape (classes, height, width)
        Logits, or chances.
    least : float, optional
        Where the chance of the chosen class is below, the pixel is `UNLABELLED`.
    chances : bool
        Whether the scores are chances; else a softmax over the classes makes chances of them.

    Returns
    -------
    ndarray of int64, shape (height, width), or None
        None where a highest score is no finite number.
    """
    chosen: NDArray[np.int64] = scores.argmax(axis=0)
    # NaN is larger than any number to both
    best = scores.max(axis=0)
    if not np.isfinite(best).all():
        return None
    if least is not None:
        chance = best if chances else 1 / np.exp(scores - best).sum(axis=0, dtype=np.float64)
        chosen[chance < least] = UNLABELLED
    return chosen


def resize_scores(scores: NDArray[np.float32], grid: Size) -> NDArray[np.float32]:
    """Bring the scores of every class to another size, before a class is chosen.

    Parameters
    ----------
    scores : ndarray of float32, shape (classes, height, width)
    grid : (int, int)
        (height, width).

    Returns
    -------
    ndarray of float32, shape (classes, *grid)
        The means of what falls together where neither side grows, else bilinear between pixels' centres.
    """
    if scores.shape[1:] == grid:
        return scores
    cv2 = import_cv2()
    shrinks = grid[0] <= scores.shape[1] and grid[1] <= scores.shape[2]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    found = np.empty((len(scores), *grid), np.float32)
    for plane, resized in zip(scores, found, strict=True):
        resized[:] = cv2.resize(np.ascontiguousarray(plane), grid[::-1], interpolation=method)
    return found


def resize_numbers(numbers: NDArray[np.integer], grid: Size) -> NDArray[np.integer]:
    """Take the number of a class that lies at the centre of each cell of another grid.

    Parameters
    ----------
    numbers : ndarray of int, shape (height, width)
    grid : (int, int)
        (height, width).

    Returns
    -------
    ndarray of int, of the shape `grid`
    """
    if numbers.shape == grid:
        return numbers
    rows, columns = (
        (2 * np.arange(cells) + 1) * length // (2 * cells)
        for cells, length in zip(grid, numbers.shape, strict=True)
    )
    return numbers[np.ix_(rows, columns)]
