"""How large a basis may be."""

from __future__ import annotations

import operator
from typing import SupportsIndex

from onnxdissect.errors import ParameterError
from onnxdissect.wording import counted, described

__all__ = ["LARGEST_SEED", "MOST_NUMBERS", "MOST_ROWS", "check_size", "whole_number"]

MOST_ROWS = 65_536
"""New units; larger dictionaries are given in parts."""

MOST_NUMBERS = 2**28
"""Of a matrix: a gibibyte in float32. A graph with its weights has to stay below two."""

LARGEST_SEED = 2**63 - 1


def check_size(what: str, rows: int, units: int) -> None:
    """Refuse a matrix that is empty or too large, before it is made.

    Parameters
    ----------
    what : str
        How the message calls it.
    rows, units : int
        Of the matrix.

    Raises
    ------
    ParameterError
        If so.
    """
    rows, units = whole_number("rows", rows), whole_number("units", units)
    if rows < 1 or units < 1:
        raise ParameterError(
            f"a matrix of {counted(rows, 'row')} for {counted(units, 'unit')} was asked for as {what}",
            hint="both are at least 1",
        )
    if rows > MOST_ROWS or rows * units > MOST_NUMBERS:
        most = min(MOST_ROWS, MOST_NUMBERS // units)
        raise ParameterError(
            f"{what} has {counted(rows, 'row')} for {counted(units, 'unit')}, where at most {most} rows "
            "are taken",
            hint="give the rows in several bases, each a part of them",
        )


def whole_number(what: str, given: object) -> int:
    """Refuse what is no whole number.

    Parameters
    ----------
    what : str
        How the message calls it, in the plural.
    given : object
        Python's or NumPy's integers are taken.

    Returns
    -------
    int

    Raises
    ------
    ParameterError
        If it is of another type, a truth value included.
    """
    try:
        if not isinstance(given, bool) and isinstance(given, SupportsIndex):
            return operator.index(given)
    except TypeError:  # arrays have the method, and most cannot do it
        pass
    raise ParameterError(f"{what} of a basis are whole numbers, not {described(given)}")
