"""The classes of Pascal VOC, and the colours that its masks are shown in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BORDER", "CLASSES", "palette"]

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable"),
    *("dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""From index 1 on; 0 is the background, which is unlabelled."""
BORDER = 255
"""Index of the seam between objects, which is unlabelled."""


def palette() -> NDArray[np.uint8]:
    """Give the colours that indices are shown in.

    Returns
    -------
    ndarray of uint8, shape (256, 3)
        RGB. The three lowest bits of an index are the highest of red, green and blue, the next three the
        next, and so on.
    """
    index = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for place in range(8):
        for channel in range(3):
            bit = 3 * place + channel
            if bit < 8:
                colours[:, channel] |= ((index >> bit & 1) << (7 - place)).astype(np.uint8)
    return colours
