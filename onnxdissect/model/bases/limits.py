"""How large a basis may be."""

from __future__ import annotations

from onnxdissect.errors import ParameterError

__all__ = ["LARGEST_SEED", "MOST_NUMBERS", "MOST_ROWS", "check_size"]

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
    if rows < 1 or units < 1:
        raise ParameterError(
            f"{what} of {rows} rows for {units} units was asked for", hint="both are at least 1"
        )
    if rows > MOST_ROWS or rows * units > MOST_NUMBERS:
        most = min(MOST_ROWS, MOST_NUMBERS // units)
        raise ParameterError(
            f"{what} has {rows} rows for {units} units, where at most {most} rows are taken",
            hint="give the rows in several bases, each a part of them",
        )
