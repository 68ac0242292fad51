"""Mean and covariance of a layer's units over all places of all images, gathered batch by batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import NonFiniteError

__all__ = ["Moments"]

_NUMBERS_AT_ONCE = 2**22


class Moments:
    """Count, mean and scatter of a layer's units; a plain value that pickles and merges.

    Everything is float64. Activations are centred on the mean of what is taken in at once before they are
    multiplied, and parts are joined by the pairwise update of Chan, Golub and LeVeque (1983), so that a mean
    far from 0 costs no digits. Parts joined in another order agree up to rounding, not in every bit.

    Parameters
    ----------
    units : int
        Of the layer.

    Attributes
    ----------
    count : int
        Places taken in: images times cells.
    mean : ndarray of float64, shape (units,)
        0 while nothing has been taken in.
    scatter : ndarray of float64, shape (units, units)
        Sum over places of the outer product of the centred activations with themselves.
    """

    def __init__(self, units: int) -> None:
        self.count = 0
        self.mean = np.zeros(units)
        self.scatter = np.zeros((units, units))

    @property
    def units(self) -> int:
        """How many units the layer has."""
        return len(self.mean)

    @property
    def nbytes(self) -> int:
        """Bytes held, and as many again for a moment while a batch is taken in."""
        return self.mean.nbytes + self.scatter.nbytes

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Scatter over count, shape (units, units); 0 while nothing has been taken in."""
        found: NDArray[np.float64] = self.scatter / max(self.count, 1)
        return found

    def add(self, activations: NDArray[np.float32]) -> None:
        """Take in the activations of some images.

        Parameters
        ----------
        activations : ndarray of float32, shape (n, units, h, w)

        Raises
        ------
        ValueError
            If the layer has another number of units.
        NonFiniteError
            If one is not finite. Nothing of the batch is taken in then.
        """
        if activations.ndim != 4 or activations.shape[1] != self.units:
            raise ValueError(f"activations of shape {activations.shape} are none of {self.units} units")
        finite = np.isfinite(activations)
        if not finite.all():
            image, unit, *_ = (int(at[0]) for at in np.nonzero(~finite))
            raise NonFiniteError(f"unit {unit} is not finite in image {image} of the batch")
        n, units, h, w = activations.shape
        if not activations.size:
            return
        # a map of many cells is cut as well, so that the copy in float64 stays small
        cells = max(1, _NUMBERS_AT_ONCE // units)
        images = max(1, cells // (h * w))
        for start in range(0, n, images):
            some = activations[start : start + images].reshape(-1, units, h * w)
            for place in range(0, h * w, cells):
                part = some[:, :, place : place + cells].astype(np.float64)
                self._add(part.transpose(1, 0, 2).reshape(units, -1))

    def merge(self, other: Moments) -> None:
        """Take in everything that another one has taken in.

        Parameters
        ----------
        other : Moments
            Of other images; it is not changed.

        Raises
        ------
        ValueError
            If it is of another number of units.
        """
        if other.units != self.units:
            raise ValueError(f"moments of {other.units} units do not go with those of {self.units}")
        self._join(other.count, other.mean, other.scatter)

    def _add(self, values: NDArray[np.float64]) -> None:
        """Take in values (units, places), which are overwritten."""
        mean = values.mean(axis=1)
        values -= mean[:, np.newaxis]
        # what rounding left of the mean is taken off as well: it would count once for every place
        rest = values.mean(axis=1)
        values -= rest[:, np.newaxis]
        self._join(values.shape[1], mean + rest, values @ values.T)

    def _join(self, count: int, mean: NDArray[np.float64], scatter: NDArray[np.float64]) -> None:
        if not count:
            return
        total = self.count + count
        apart = mean - self.mean
        self.scatter += scatter
        if self.count:
            self.scatter += np.outer(apart, apart) * (self.count * (count / total))
        self.mean = self.mean + apart * (count / total) if self.count else mean.copy()
        self.count = total
