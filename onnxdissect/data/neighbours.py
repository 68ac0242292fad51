"""Images that look like the one before them: frames of a film, shots of one scene."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from onnxdissect.libraries import import_cv2

__all__ = ["alike", "correlation", "thumbnail"]

_SIDE = 16
# Of images that follow one another by name, 67 % correlate more than this among the frames of three films,
# 1 % among unrelated photographs.
_ALIKE = 0.9


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink an image to 16x16 grey pixels, for comparison.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    ndarray of uint8, shape (256,)
        Grey, 16x16.
    """
    cv2 = import_cv2()
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small: NDArray[np.uint8] = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return small.reshape(-1)


def alike(
    names: Sequence[str], thumbnails: Sequence[NDArray[np.uint8] | None], groups: NDArray[np.int64] | None
) -> list[tuple[int, int]]:
    """Find images that look like the one whose path comes before theirs.

    Parameters
    ----------
    names : sequence of str
        Paths of the images.
    thumbnails : sequence of ndarray of uint8, or None
        None for an image that cannot be read.
    groups : ndarray of int64, shape (images,), or None
        Images of one group are not compared.

    Returns
    -------
    list of (int, int)
        Positions of an image and of the one it looks like, by path. An image listed twice is not compared
        with itself.
    """
    order = sorted(range(len(names)), key=names.__getitem__)
    found = []
    for before, after in pairwise(order):
        one, two = thumbnails[before], thumbnails[after]
        if one is None or two is None or names[before] == names[after]:
            continue
        if groups is not None and groups[before] == groups[after]:
            continue
        if correlation(one.astype(np.float64), two.astype(np.float64)) > _ALIKE:
            found.append((after, before))
    return found


def correlation(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """Correlate two thumbnails.

    Parameters
    ----------
    one, two : ndarray of float64, shape (256,)

    Returns
    -------
    float
        Pearson's coefficient; 0 if one of them is of one grey.
    """
    one, two = one - one.mean(), two - two.mean()
    size = float(np.sqrt((one @ one) * (two @ two)))
    # An image of one grey correlates with nothing.
    return float(one @ two) / size if size > 0 else 0.0
