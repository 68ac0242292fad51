"""How scores of classes at many places are made one, in words: what is asked for, and what is told."""

from __future__ import annotations

from onnxdissect.errors import ParameterError, nearest
from onnxdissect.storage.numerals import whole_number

__all__ = ["REDUCTIONS", "read_reduction", "scored_by"]

REDUCTIONS = ("mean", "max")
"""What scores at many places are made one of."""

_MOST_AXES = 64


def read_reduction(text: str) -> tuple[str, int | None]:
    """Take apart what a reduction is asked for by.

    Parameters
    ----------
    text : str
        "mean" or "max", and, behind a colon, the axis of the classes where it has to be said: "max:2".

    Returns
    -------
    (str, int or None)

    Raises
    ------
    ParameterError
        If there is no such reduction, or the axis is no number from 1.
    """
    how, colon, place = text.partition(":")
    if how not in REDUCTIONS:
        raise ParameterError(
            f"there is no reduction {text!r}",
            candidates=nearest(how, REDUCTIONS) or REDUCTIONS,
            hint="--reduce mean, --reduce max, or with the axis of the classes: --reduce max:2",
        )
    axis = whole_number(place, least=1, most=_MOST_AXES) if colon else None
    if colon and axis is None:
        raise ParameterError(
            f"the axis of the classes in {text!r} is no whole number from 1",
            hint=f"axis 0 is that of the images: --reduce {how}:1",
        )
    return how, axis


def scored_by(output: str, score_of: str, stripped: str, reduced: str) -> str:
    """Say what a score is, where it is not simply an entry of an output.

    Parameters
    ----------
    output, score_of, stripped : str
        The output of the network, the value that is explained, and the operator between the two or "".
    reduced : str
        One of `REDUCTIONS`, or "".

    Returns
    -------
    str
        Such as ``the mean over all places of 'maps', before the ArgMax of 'out'``; "" where it is an entry.
    """
    if not stripped and not reduced:
        return ""
    places = {"": "", "mean": "the mean over all places of ", "max": "the largest at any place of "}[reduced]
    return f"{places}{score_of!r}" + (f", before the {stripped} of {output!r}" if stripped else "")
