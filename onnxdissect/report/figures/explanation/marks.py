"""What tells the concepts of a segmentation apart: colours, numbers and where these stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.libraries import import_cv2

__all__ = ["SEGMENT_COLOURS", "Spot", "area_text", "colour", "ink", "number_spots", "rgb"]

SEGMENT_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#ffffff")
"""Of Okabe and Ito, which people who see fewer colours tell apart, and white. After them the first again."""


def colour(number: int) -> str:
    """Give the colour of a number of the legend.

    Parameters
    ----------
    number : int
        From 1.

    Returns
    -------
    str
        As ``#rrggbb``.
    """
    return SEGMENT_COLOURS[(number - 1) % len(SEGMENT_COLOURS)]


def ink(number: int) -> str:
    """Give the colour that is read on the colour of a number.

    Parameters
    ----------
    number : int
        From 1.

    Returns
    -------
    str
        Black or white, as ``#rrggbb``.
    """
    red, green, blue = rgb(number)
    return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 100 else "#000000"


def rgb(number: int) -> tuple[int, int, int]:
    """Give the colour of a number as numbers.

    Parameters
    ----------
    number : int
        From 1.

    Returns
    -------
    (int, int, int)
        Red, green and blue, from 0 to 255.
    """
    text = colour(number)
    red, green, blue = (int(text[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def area_text(area: float) -> str:
    """Say how much of an image something is.

    Parameters
    ----------
    area : float
        Share of it.

    Returns
    -------
    str
        Such as ``6 %``.
    """
    percent = 100 * area
    return f"{percent:.0f} %" if percent >= 1 else f"{percent:.1f} %" if percent >= 0.1 else "<0.1 %"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a number stands in an image.

    Attributes
    ----------
    number : int
    row, column : float
        Shares of the image's height and width.
    """

    number: int
    row: float
    column: float


def number_spots(index: NDArray[np.uint8], concepts: int) -> list[Spot]:
    """Find for each concept the pixel that lies deepest in what is painted by it.

    Parameters
    ----------
    index : ndarray of uint8, shape (height, width)
    concepts : int
        Largest number.

    Returns
    -------
    list of Spot
        Of the numbers that are there.
    """
    cv2 = import_cv2()
    spots = []
    for number in range(1, concepts + 1):
        part = np.pad((index == number).astype(np.uint8), 1)
        if part.any():
            depth = cv2.distanceTransform(part, cv2.DIST_L2, 3)
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            height, width = index.shape
            spots.append(Spot(number, float(row - 0.5) / height, float(column - 0.5) / width))
    return spots
