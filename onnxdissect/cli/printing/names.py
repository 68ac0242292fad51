"""Names as the commands show them: those of models and data sets may hold anything, and be of any length."""

from __future__ import annotations

import re

__all__ = ["visible", "visible_cell"]

# What a terminal obeys, or writes from right to left for: but for tab and line end, which messages have too.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_BREAKS = re.compile("[\t\n]")
# No path is longer on Linux, so that what is cut is none that somebody copies.
_LONGEST = 4096
_LONGER = re.compile(rf"\S{{{_LONGEST + 1},}}")
_SHOWN = 80


def visible(text: str) -> str:
    """Show a message as text and nothing else.

    Parameters
    ----------
    text : str
        Names in it may be of any length.

    Returns
    -------
    str
        Control characters but tab and line end as escapes; of a word of more than 4,096 characters the
        beginning, and how long it is. Names of files that are no UTF-8 stay as they are.
    """
    if _OBEYED.search(text):
        text = _OBEYED.sub(_escaped, text)
    return _LONGER.sub(_cut, text) if len(text) > _LONGEST else text


def visible_cell(text: str) -> str:
    """Show a cell of a table as `visible` does, in one line."""
    text = visible(text)
    return _BREAKS.sub(_escaped, text) if _BREAKS.search(text) else text


def _escaped(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]


def _cut(found: re.Match[str]) -> str:
    return f"{found[0][:_SHOWN]}... ({len(found[0]):,} characters)"
