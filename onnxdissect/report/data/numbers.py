"""Numbers as pages write them."""

from __future__ import annotations

__all__ = ["count_text"]


def count_text(value: float) -> str:
    """Write a mean of counts: whole where it is, else with one digit.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
