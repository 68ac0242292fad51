"""A pixel's class, literally: a pixel, a class at a time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def chosen(
    scores: NDArray[np.float32], least: float | None = None, chances: bool = False
) -> NDArray[np.int64]:
    """The class of highest score; -1 where its probability is below the least."""
    classes, height, width = scores.shape
    found = np.empty((height, width), np.int64)
    for r in range(height):
        for c in range(width):
            best = 0
            for k in range(1, classes):
                if scores[k, r, c] > scores[best, r, c]:
                    best = k
            chance = float(scores[best, r, c])
            if not chances:
                chance = 1 / sum(
                    math.exp(float(scores[k, r, c]) - float(scores[best, r, c])) for k in range(classes)
                )
            found[r, c] = best if least is None or chance >= least else -1
    return found


def at_centres(numbers: NDArray[np.integer], grid: tuple[int, int]) -> NDArray[np.integer]:
    """What lies at the centre of each cell of a grid."""
    height, width = numbers.shape
    found = np.empty(grid, numbers.dtype)
    for r in range(grid[0]):
        for c in range(grid[1]):
            found[r, c] = numbers[
                math.floor((r + 0.5) * height / grid[0]), math.floor((c + 0.5) * width / grid[1])
            ]
    return found


def means(scores: NDArray[np.float32], factor: int) -> NDArray[np.float64]:
    """Scores of blocks of pixels."""
    classes, height, width = scores.shape
    blocks = scores.reshape(classes, height // factor, factor, width // factor, factor)
    return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float64))
