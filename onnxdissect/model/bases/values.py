"""What the numbers, the activation and the seed of a basis have to be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onnxdissect.errors import ParameterError, shown
from onnxdissect.model.bases.limits import LARGEST_SEED, whole_number
from onnxdissect.wording import counted, described

__all__ = [
    "check_activation",
    "check_path",
    "check_seed",
    "checked_alphas",
    "checked_name",
    "checked_numbers",
    "checked_row_names",
]


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
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise ParameterError(
            f"the {what} of the basis {name!r} is no array: {error}",
            hint="rows of one length, such as numpy.eye(64)",
        ) from error
    if array.ndim != ndim or not array.size:
        wanted = "[rows, units]" if ndim == 2 else "[rows]"
        raise ParameterError(
            f"the {what} of the basis {name!r} has the shape {list(array.shape)}, not {wanted}"
        )
    if array.dtype.kind not in "biuf":
        raise ParameterError(f"the {what} of the basis {name!r} holds {array.dtype}, no real numbers")
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
            f"the basis {name!r} has {counted(len(empty), 'row')} of zeros, the first is row {empty[0]}: "
            "such a unit would be the same everywhere",
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
    match = re.fullmatch(r"topk:([0-9]{1,9})", activation) if isinstance(activation, str) else None
    if match is None:
        raise ParameterError(
            f"the basis {name!r} has the activation {described(activation)}",
            candidates=("relu", "topk:k"),
            hint="k is a number of rows, as in topk:32; without an activation the units are the sums",
        )
    if not 1 <= int(match[1]) <= rows:
        raise ParameterError(
            f"the basis {name!r} has the activation {described(activation)} and {rows} rows",
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
        If it is no whole number, is negative or has more than 63 bits.
    """
    seed = whole_number("seeds", seed)
    if not 0 <= seed <= LARGEST_SEED:
        raise ParameterError(
            f"the seed of a basis is {seed}", hint=f"it is a whole number from 0 to {LARGEST_SEED}"
        )


def checked_alphas(alphas: object) -> list[float]:
    """Refuse what is no share of a rotation.

    Parameters
    ----------
    alphas : iterable of float

    Returns
    -------
    list of float

    Raises
    ------
    ParameterError
        If one is no number, or not from 0 to 1.
    """
    if isinstance(alphas, str) or not isinstance(alphas, Iterable):
        raise ParameterError(
            f"shares of a rotation are a list, not {described(alphas)}", hint="alphas=[0.25, 0.5, 1]"
        )
    found = []
    for alpha in alphas:
        if isinstance(alpha, str | bytes | bool):
            raise ParameterError(_no_share(alpha), hint="a number such as 0.5")
        try:
            found.append(float(alpha))
        except (TypeError, ValueError) as error:
            raise ParameterError(_no_share(alpha), hint="a number such as 0.5") from error
        if not 0 <= found[-1] <= 1:
            raise ParameterError(_no_share(alpha))
    return found


def _no_share(alpha: object) -> str:
    return f"alpha is {described(alpha)} where a rotation takes one from 0 to 1"


def checked_name(name: str) -> str:
    """Refuse what cannot name a basis.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        The same.

    Raises
    ------
    ParameterError
        If it is no text, empty, or holds what UTF-8 cannot write.
    """
    if not isinstance(name, str):
        raise ParameterError(
            f"a basis is called by a text, not by {described(name)}", hint="Basis.of('mine', matrix)"
        )
    if not name:
        raise ParameterError("a basis has no name", hint="Basis.of('mine', matrix)")
    if not _can_be_written(name):
        raise ParameterError(
            f"a basis is called {name!r}, which UTF-8 cannot write: it holds half of a pair of surrogates",
            hint="give it another name",
        )
    return name


def checked_row_names(name: str, row_names: Iterable[str], rows: int) -> tuple[str, ...]:
    """Refuse names of new units that are none, or not one per unit.

    Parameters
    ----------
    name : str
        Of the basis.
    row_names : iterable of str
        A name per row, or none at all.
    rows : int
        Of the basis.

    Returns
    -------
    tuple of str

    Raises
    ------
    ParameterError
        If there are more or fewer than rows, or one is no text or holds what UTF-8 cannot write.
    """
    try:
        names = tuple(row_names)
    except TypeError as error:
        raise ParameterError(
            f"names of the rows of the basis {name!r} are a list of texts, not {described(row_names)}"
        ) from error
    if names and len(names) != rows:
        raise ParameterError(
            f"the basis {name!r} has {counted(rows, 'row')} and names for {len(names):,}",
        )
    for row, said in enumerate(names):
        if not isinstance(said, str):
            raise ParameterError(
                f"row {row} of the basis {name!r} is called by a text, not by {described(said)}",
                hint="row_names=[str(name) for name in names]",
            )
        if not _can_be_written(said):
            raise ParameterError(
                f"row {row} of the basis {name!r} is called {shown(said)}, which UTF-8 cannot write: "
                "it holds half of a pair of surrogates",
                hint="give the row another name",
            )
    return names


def _can_be_written(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def check_path(path: object) -> None:
    """Refuse what is no path of a file.

    Parameters
    ----------
    path : object

    Raises
    ------
    ParameterError
        If it is neither a text nor a path.
    """
    if not isinstance(path, str | os.PathLike):
        raise ParameterError(f"a basis is read from the path of a file, not from {described(path)}")
