"""What an archive or a block of arrays has to hold: names, dtypes, axes, version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["VERSION", "ArraySpec", "AxisLengths", "ForeignArraysError", "Schema"]

VERSION = "format_version"
"""The array of an archive that says which version its schema is."""


class ForeignArraysError(ValueError):
    """The arrays are sound, but of other lengths than what they are to be used with."""


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """What one array has to be.

    Attributes
    ----------
    dtype : str
        Name of its dtype, ``str`` for text of any length; several that are allowed with ``|`` between them.
    axes : str
        One letter per axis. Axes of the same letter are equally long, in all arrays of the archive; a dot is
        an axis of any length.
    optional : bool
        Whether the archive may lack it.
    """

    dtype: str
    axes: str
    optional: bool = False

    def check_kind(self, name: str, dtype: DTypeLike, shape: tuple[int, ...]) -> None:
        """Compare dtype and number of axes.

        Parameters
        ----------
        name : str
            Of the array, for the message.
        dtype, shape
            Those of the array.

        Raises
        ------
        ValueError
            If they differ.
        """
        found = np.dtype(dtype)
        asked = [np.dtype(kind) for kind in self.dtype.split("|")]
        same = any(found == kind or (kind.itemsize == 0 and found.kind == kind.kind) for kind in asked)
        if not same or len(shape) != len(self.axes) or any(size < 0 for size in shape):
            raise ValueError(
                f"{name} is {found} of shape {shape}, not {self.dtype.replace('|', ' or ')} "
                f"with {len(self.axes)} axes"
            )


@dataclass(frozen=True, slots=True)
class Schema:
    """What an archive has to hold.

    Attributes
    ----------
    arrays : mapping of str to ArraySpec
        In the order in which they are written. An archive may hold others; they are passed over.
    version : int or None
        Written into the archive, and compared when it is read. None: the archive does not say, as the
        manifest's ``format_version`` covers it.
    hint : str
        What a user can do about a damaged one.
    """

    arrays: Mapping[str, ArraySpec]
    version: int | None = None
    hint: str = "dissect again with --fresh"

    def only(self, *names: str) -> Schema:
        """Give the schema of some of the arrays.

        Parameters
        ----------
        *names : str

        Returns
        -------
        Schema
        """
        return replace(self, arrays={name: self.arrays[name] for name in names})

    def required(self) -> Iterator[str]:
        """Names of the arrays that the archive must not lack."""
        return (name for name, spec in self.arrays.items() if not spec.optional)

    def check(self, arrays: Mapping[str, NDArray[Any]], lengths: Mapping[str, int]) -> None:
        """Compare arrays with the schema; some may be missing.

        Parameters
        ----------
        arrays : mapping of str to ndarray
        lengths : mapping of str to int
            AxisLengths of axes, by letter, that are known.

        Raises
        ------
        ValueError
            If one is not what the schema says.
        """
        found = AxisLengths(lengths)
        for name, array in arrays.items():
            found.check(name, self.arrays[name], array.dtype, array.shape)


class AxisLengths:
    """How long the axes are, as far as is known: more is learnt from every array that is looked at.

    Parameters
    ----------
    known : mapping of str to int
        AxisLengths by letter that are known beforehand.
    most : mapping of str to int
        How long others may be, by letter.
    """

    def __init__(self, known: Mapping[str, int], most: Mapping[str, int] | None = None) -> None:
        self._known = known
        self._most = most or {}
        self._found: dict[str, tuple[int, str]] = {}

    def check(self, name: str, spec: ArraySpec, dtype: DTypeLike, shape: tuple[int, ...]) -> None:
        """Compare an array with its specification and with the arrays before it.

        Parameters
        ----------
        name : str
        spec : ArraySpec
        dtype, shape
            Those of the array.

        Raises
        ------
        ValueError
            If the dtype or the number of axes differs, or a length is not that of another array.
        ForeignArraysError
            If a length is not the one that was known beforehand, or more than it may be.
        """
        spec.check_kind(name, dtype, shape)
        expected = tuple(self._known.get(axis, size) for axis, size in zip(spec.axes, shape, strict=True))
        if shape != expected:
            raise ForeignArraysError(f"{name} is of shape {shape}, not {expected}")
        for axis, size in zip(spec.axes, shape, strict=True):
            if axis == ".":
                continue
            if size > self._most.get(axis, size):
                raise ForeignArraysError(
                    f"{name} is of shape {shape}, where {self._most[axis]:,} are the most of an axis"
                )
            other, whose = self._found.setdefault(axis, (size, name))
            if size != other:
                raise ValueError(f"{name} is of shape {shape}, which does not go with {whose}")
