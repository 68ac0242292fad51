"""Numbers as NetDissect's tools write them: counts with or without ``.0``, ratios, units from 1."""

from __future__ import annotations

import re
from dataclasses import dataclass

from onnxdissect.errors import shown

__all__ = ["MOST_UNITS", "Ratio", "pixels", "ratio", "unit_number"]

MOST_UNITS = 2**24
"""Of a layer, as a run may have."""

# What a float holds exactly, as the original kept its counts.
_MOST_PIXELS = 2**53
_LEAST_DIGITS = 2
_NUMBER = re.compile(r"([0-9]{1,20})(?:\.([0-9]{0,400}))?(?:[eE]([+-]?[0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class Ratio:
    """An IoU as a file writes it.

    Attributes
    ----------
    value : float
        From 0 to 1.
    rounding : float
        Half a unit of its last digit: the true one is so near.
    """

    value: float
    rounding: float


def pixels(text: str, column: str) -> int:
    """Read a count of pixels.

    Parameters
    ----------
    text : str
        The cell.
    column : str
        Its name, for the message.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it is no whole number from 0, however it is written.
    """
    found = _NUMBER.fullmatch(text.strip())
    if found is not None:
        whole, fraction, exponent = found[1], (found[2] or "").rstrip("0"), int(found[3] or 0)
        # beyond these no count is left, and the power would be large
        if 0 <= exponent - len(fraction) <= 20 and (value := _scaled(whole + fraction, exponent, fraction)):
            if value <= _MOST_PIXELS:
                return value
        elif not (whole + fraction).strip("0"):
            return 0
    raise ValueError(f"{column} is {shown(text)}, not a whole number of pixels from 0 to {_MOST_PIXELS:,}")


def ratio(text: str, column: str) -> Ratio:
    """Read an IoU.

    Parameters
    ----------
    text : str
        The cell.
    column : str
        Its name, for the message.

    Returns
    -------
    Ratio

    Raises
    ------
    ValueError
        If it is no number from 0 to 1.
    """
    found = _NUMBER.fullmatch(text.strip())
    value = float(found[0]) if found else 2.0
    if found is None or value > 1:
        raise ValueError(f"{column} is {shown(text)}, not a number from 0 to 1")
    # a ratio of fewer digits is exact: nobody rounds thresholds of hundredths away
    return Ratio(value, 0.5 * 10.0 ** min(int(found[3] or 0) - len(found[2] or ""), -_LEAST_DIGITS))


def unit_number(text: str) -> int:
    """Read the number of a unit.

    Parameters
    ----------
    text : str
        The cell.

    Returns
    -------
    int
        From 1.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        number = pixels(text, "unit")
    except ValueError:
        number = -1
    if number == 0:
        raise ValueError("unit is 0, and units count from 1 in this format")
    if not 1 <= number <= MOST_UNITS:
        raise ValueError(f"unit is {shown(text)}, not a whole number from 1 to {MOST_UNITS:,}")
    return number


def _scaled(digits: str, exponent: int, fraction: str) -> int:
    return int(digits) * int(10 ** (exponent - len(fraction)))
