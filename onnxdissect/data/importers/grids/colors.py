"""The eleven basic colour names, a pixel at a time.

A rule of our own, a partition by lightness, chroma and hue in whole numbers, so that every machine names
every pixel alike. ``docs/import.md`` states it to users.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLORS", "name_colors"]

COLORS = ("black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow")
"""In the order of their codes."""

_BLACK, _BLUE, _BROWN, _GREEN, _GREY, _ORANGE, _PINK, _PURPLE, _RED, _WHITE, _YELLOW = range(11)


def name_colors(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Name the colour of each pixel.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (..., 3)
        RGB.

    Returns
    -------
    ndarray of uint8, shape (...)
        Positions in `COLORS`.
    """
    red, green, blue = (pixels[..., i].astype(np.int32) for i in range(3))
    most = np.maximum(np.maximum(red, green), blue)
    chroma = most - np.minimum(np.minimum(red, green), blue)
    hue = _hue(red, green, blue, most, chroma)
    found = np.full(most.shape, _RED, np.uint8)
    for code, below in (
        (_RED, 360),
        (_PINK, 345),
        (_PURPLE, 320),
        (_BLUE, 255),
        (_GREEN, 165),
        (_YELLOW, 68),
    ):
        found[hue < below] = code
    found[hue < 42] = _ORANGE
    found[hue < 14] = _RED
    # Brown is a dark orange or yellow, pink a pale red.
    found[(found == _ORANGE) & (most < 170)] = _BROWN
    found[(found == _RED) & (most >= 150) & (100 * chroma < 55 * most)] = _PINK
    grey = 100 * chroma < 18 * most
    found[grey] = _GREY
    found[grey & (most >= 200)] = _WHITE
    found[most < 50] = _BLACK
    return found


def _hue(
    red: NDArray[np.int32],
    green: NDArray[np.int32],
    blue: NDArray[np.int32],
    most: NDArray[np.int32],
    chroma: NDArray[np.int32],
) -> NDArray[np.int32]:
    """Degrees from red over green and blue, 0 to 359, rounded down; 0 where there is no chroma."""
    by = np.maximum(chroma, 1)
    degrees = np.where(
        most == red,
        60 * (green - blue) // by,
        np.where(most == green, 120 + 60 * (blue - red) // by, 240 + 60 * (red - green) // by),
    )
    return degrees % 360
