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
# Each up to these degrees, and from the one before.
_HUES = ((_PINK, 350), (_PURPLE, 325), (_BLUE, 260), (_GREEN, 170), (_YELLOW, 65), (_ORANGE, 40), (_RED, 10))


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
    for code, below in _HUES:
        found[hue < below] = code
    # Brown is a dark orange or yellow, pink a pale red.
    found[((found == _ORANGE) & (most < 200)) | ((found == _YELLOW) & (most < 150))] = _BROWN
    found[((hue < 25) | (hue >= 350)) & (most >= 165) & (100 * chroma < 45 * most)] = _PINK
    colourless = (chroma < 25) | (100 * chroma < 12 * most)
    found[colourless] = np.where(most >= 195, _WHITE, _GREY)[colourless]
    found[(most < 40) | ((most < 85) & (chroma < 25))] = _BLACK
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
