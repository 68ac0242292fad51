"""The strongest images of each unit, kept in order as images come, with a small picture of each map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.compiling.kernel import kernel, part

__all__ = ["insert"]


def insert(
    activations: NDArray[np.float32],
    maxima: NDArray[np.float32],
    first: int,
    images: NDArray[np.int64],
    values: NDArray[np.float32],
    slots: NDArray[np.int64],
    maps: NDArray[np.uint8],
    ranges: NDArray[np.float32],
) -> None:
    """Put a batch's images where they belong among the strongest of each unit.

    Parameters
    ----------
    activations : ndarray of float32, shape (n, units, h, w)
        Finite activations.
    maxima : ndarray of float32, shape (n, units)
        Largest value of each map.
    first : int
        Number of the first image; the others follow.
    images : ndarray of int64, shape (units, count)
        Image numbers, strongest first, ties by number; changed in place like all that follow.
    values : ndarray of float32, shape (units, count)
        Their maxima.
    slots : ndarray of int64, shape (units, count)
        Where in the two arrays below each image's map is: a permutation in each row.
    maps : ndarray of uint8, shape (units, count, rows, columns)
        Activation maps between their smallest value (0) and their largest (255). Where it has fewer rows
        and columns than the activations, each element is the largest of a square of them.
    ranges : ndarray of float32, shape (units, count, 2)
        Smallest and largest value of each map.
    """
    if images.shape[1]:
        _insert(activations, maxima, first, images, values, slots, maps, ranges)


@kernel
def _insert(activations, maxima, first, images, values, slots, maps, ranges):
    """Insert each map that is stronger than the last of its unit; see `insert`.

    Images may come in any order. The map of the image that falls out is overwritten: only numbers, values and
    slots move, never the maps of the others.
    """
    n, units = maxima.shape
    last = images.shape[1] - 1
    for i in range(n):
        number = first + i
        for unit in range(units):
            value = maxima[i, unit]
            if value < values[unit, last] or (value == values[unit, last] and number > images[unit, last]):
                continue
            slot = slots[unit, last]
            at = last
            while at > 0 and (
                value > values[unit, at - 1]
                or (value == values[unit, at - 1] and number < images[unit, at - 1])
            ):
                images[unit, at] = images[unit, at - 1]
                values[unit, at] = values[unit, at - 1]
                slots[unit, at] = slots[unit, at - 1]
                at -= 1
            images[unit, at] = number
            values[unit, at] = value
            slots[unit, at] = slot
            _draw(activations[i, unit], maps[unit, slot], ranges[unit, slot])


@part
def _draw(activation, picture, range_):
    """Draw a map, shape (h, w), as bytes, shape (rows, columns), and write its smallest and largest value.

    ``picture = round(255 * (activation - low) / (high - low))``; all 0 where the map is constant. A smaller
    picture shows the largest activation of each square of cells.
    """
    h, w = activation.shape
    rows, columns = picture.shape
    low = activation[0, 0]
    high = low
    for i in range(h):
        row = activation[i]
        for j in range(w):
            low = row[j] if row[j] < low else low
            high = row[j] if row[j] > high else high
    range_[0] = low
    range_[1] = high
    # The range of float32 values need not fit in float32.
    span = np.float64(high) - np.float64(low)
    scale = 255.0 / span if span else 0.0
    if rows == h and columns == w:
        for i in range(h):
            row = activation[i]
            line = picture[i]
            for j in range(w):
                line[j] = np.uint8((np.float64(row[j]) - low) * scale + 0.5)
        return
    step = (h + rows - 1) // rows
    for r in range(rows):
        for c in range(columns):
            top = low
            below = r * step + step if r * step + step < h else h
            beyond = c * step + step if c * step + step < w else w
            for i in range(r * step, below):
                row = activation[i]
                for j in range(c * step, beyond):
                    value = row[j]
                    top = value if value > top else top
            picture[r, c] = np.uint8((np.float64(top) - low) * scale + 0.5)
