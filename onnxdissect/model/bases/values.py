"""What the numbers, the activation and the seed of a basis have to be."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onnxdissect.errors import ParameterError, shown
from onnxdissect.model.bases.limits import LARGEST_SEED

__all__ = ["check_activation", "check_seed", "checked_numbers"]


def checked_numbers(name: str, what: str, given: ArrayLike, ndim: int) -> NDArray[np.float32]:
    """Bring an array of a basis to float32 and see that it can be used.

    Parameters
    ----------
    name : str
        Of the basis.
    what : str
        "matrix" or "bias", for the message.
    given : array_like
        Any real numbers.
    ndim : int
        2 for a matrix, 1 for a bias.

    Returns
    -------
    ndarray of float32
        C-contiguous, not writable, not shared with what was given.

    Raises
    ------
    ParameterError
        If it has another number of axes or no element, numbers that are not finite in float32, or, a matrix,
        rows of zeros.
    """
    array = np.asarray(given)
    if array.ndim != ndim or not array.size:
        wanted = "[rows, units]" if ndim == 2 else "[rows]"
        raise ParameterError(
            f"the {what} of the basis {name!r} has the shape {list(array.shape)}, not {wanted}"
        )
    if array.dtype.kind not in "biuf":
        raise ParameterError(f"the {what} of the basis {name!r} holds {array.dtype}, no numbers")
    with np.errstate(over="ignore"):
        floats = np.array(array, np.float32, order="C")
    finite = np.isfinite(floats)
    if not finite.all():
        row = int(np.flatnonzero(~finite.reshape(len(floats), -1).all(axis=1))[0])
        raise ParameterError(
            f"the {what} of the basis {name!r} holds numbers that are not finite in float32, as in row {row}"
        )
    if ndim == 2 and not floats.any(axis=1).all():
        empty = np.flatnonzero(~floats.any(axis=1))
        raise ParameterError(
            f"the basis {name!r} has {len(empty)} rows of zeros, the first is row {empty[0]}: such a unit "
            "would be the same everywhere",
            hint="leave these rows out",
        )
    floats.setflags(write=False)
    return floats


def check_activation(name: str, activation: str, rows: int) -> None:
    """Refuse an activation that no basis has.

    Parameters
    ----------
    name : str
        Of the basis.
    activation : str
        "", "relu" or "topk:k".
    rows : int
        Of the basis.

    Raises
    ------
    ParameterError
        If it is none of them, or k is not from 1 to rows.
    """
    if activation in ("", "relu"):
        return
    match = re.fullmatch(r"topk:([0-9]{1,9})", activation)
    if match is None:
        raise ParameterError(
            f"the basis {name!r} has the activation {shown(activation)}",
            candidates=("relu", "topk:k"),
            hint="k is a number of rows, as in topk:32; without an activation the units are the sums",
        )
    if not 1 <= int(match[1]) <= rows:
        raise ParameterError(
            f"the basis {name!r} has the activation {shown(activation)} and {rows} rows",
            hint=f"k is 1 to {rows}",
        )


def check_seed(seed: int) -> None:
    """Refuse a seed that cannot be kept.

    Parameters
    ----------
    seed : int
        What a random basis follows from.

    Raises
    ------
    ParameterError
        If it is negative or has more than 63 bits.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise ParameterError(
            f"the seed of a basis is {seed}", hint=f"it is a whole number from 0 to {LARGEST_SEED}"
        )
