"""Numbers in texts that somebody else wrote: tables, and what is typed.

Python's own `int` and `float` take more than a table may hold: digits of other scripts, underscores, ``inf``,
and refuse whole numbers of more than 4,300 digits with an error of their own.
"""

from __future__ import annotations

import math
import re

__all__ = ["any_number", "finite_number", "whole_number"]

# Of a number with a fraction: as many as a float can tell apart, leading zeros and an exponent.
_LONGEST = 400
_MANTISSA = re.compile(r"[^eE]*[1-9]")


def whole_number(text: str, *, most: int, least: int = 0) -> int | None:
    """Read a whole number.

    Parameters
    ----------
    text : str
        Digits 0 to 9 without a sign; blanks around them are no part of it.
    most, least : int
        The largest and the smallest that will do.

    Returns
    -------
    int or None
        None where the text is no such number, or one out of range.
    """
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()):
        return None
    # Leading zeros say nothing, and what has more digits than the limit is above it, whatever they are.
    if len(digits) > len(str(most)):
        digits = digits.lstrip("0") or "0"
        if len(digits) > len(str(most)):
            return None
    value = int(digits)
    return value if least <= value <= most else None


def finite_number(text: str, *, most: float) -> float | None:
    """Read a number, zero or more, with or without a fraction or an exponent.

    Parameters
    ----------
    text : str
        As ``12``, ``0.5`` or ``1e3``; blanks around it are no part of it.
    most : float
        The largest that will do.

    Returns
    -------
    float or None
        None where the text is no such number, or one out of range.
    """
    digits = text.strip()
    if len(digits) > _LONGEST or not digits.isascii() or "_" in digits:
        return None
    try:
        value = float(digits)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= most else None


def any_number(text: str) -> float | None:
    """Read a number of either sign, also ``inf`` and ``nan``, which whoever asked has to refuse.

    Parameters
    ----------
    text : str
        As `finite_number` takes it, with a sign or without; blanks around it are no part of it.

    Returns
    -------
    float or None
        None where the text is no number, or one so small that it would be read as 0.
    """
    digits = text.strip()
    if len(digits) > _LONGEST or not digits.isascii() or "_" in digits:
        return None
    try:
        value = float(digits)
    except ValueError:
        return None
    return None if value == 0 and _MANTISSA.match(digits) else value
