"""Characters that may be written into a log, a page or an XML file."""

from __future__ import annotations

import re

__all__ = ["printable"]

# Control characters but tab and line end, halves of surrogate pairs, and two that are no characters.
_OTHERS = re.compile("[^\t\n -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """Replace what XML 1.0 has no way to write, UTF-8 cannot encode, or a terminal would obey.

    Layers and files may be called anything.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        As long as `text`; tabs and line ends stay.
    """
    return _OTHERS.sub("\N{REPLACEMENT CHARACTER}", text)
