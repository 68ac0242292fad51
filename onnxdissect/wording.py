"""What many messages say alike: numbers with their nouns, and values of a wrong type."""

from __future__ import annotations

from onnxdissect.errors import shown

__all__ = ["counted", "described"]


def counted(number: int, noun: str) -> str:
    """Write a number before the noun that it counts.

    Parameters
    ----------
    number : int
        At least 0.
    noun : str
        In the singular, with a plural that ends in s.

    Returns
    -------
    str
        Such as ``1 row`` and ``2,048 rows``.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def described(value: object) -> str:
    """Name a value that something else was expected in place of.

    Parameters
    ----------
    value : object
        Of any type.

    Returns
    -------
    str
        Texts and numbers as Python writes them, of others the type.
    """
    if isinstance(value, str):
        return shown(value)
    if value is None or isinstance(value, bool | int | float | complex):
        return repr(value)
    return f"an object of the type {type(value).__name__}"
