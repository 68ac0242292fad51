"""Label maps of shapes that lie over one another: so many that no label of a pixel is lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.importers.drawing.polygons import Patch
from onnxdissect.data.limits import MOST_MAPS, MOST_PIXELS

__all__ = ["Planes"]


class Planes:
    """Label maps that are drawn into, one over the other.

    A pixel of a shape goes into the first map that holds nothing there, or its label already.

    Parameters
    ----------
    shape : (int, int)
        Height and width.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._maps: list[NDArray[np.uint16]] = []

    def add(self, number: int, patch: Patch) -> None:
        """Draw a shape.

        Parameters
        ----------
        number : int
            Label number, 1 to 65,535.
        patch : Patch
            Lies inside the maps.

        Raises
        ------
        ValueError
            If so many labels lie over one another that the layout cannot hold them.
        """
        rest = patch.inside
        height, width = rest.shape
        rows, columns = slice(patch.top, patch.top + height), slice(patch.left, patch.left + width)
        for plane in self._maps:
            if not rest.any():
                return
            found = plane[rows, columns]
            free = rest & ((found == 0) | (found == number))
            found[free] = number
            rest = rest & ~free
        if rest.any():
            most = min(MOST_MAPS, max(1, MOST_PIXELS // (self._shape[0] * self._shape[1])))
            if len(self._maps) == most:
                raise ValueError(f"more than {most:,} labels lie over one another, and that is the most")
            self._maps.append(np.zeros(self._shape, np.uint16))
            self._maps[-1][rows, columns][rest] = number

    @property
    def maps(self) -> tuple[NDArray[np.uint16], ...]:
        """Label maps, shape (height, width), 0 where unlabelled; none where nothing was drawn."""
        return tuple(self._maps)
