"""Links in a data set: followed inside its folder, out of it only where that is asked for, and by what."""

from __future__ import annotations

from pathlib import Path

from onnxdissect.storage.regular_files import Enclosure, OutsideError

__all__ = ["CLEANED", "LINKED", "folder_spec", "link_hint"]

LINKED = "linked"
"""The source whose SPECs, ``linked:DIR``, let the links of a folder lead anywhere."""
CLEANED = "cleaned"
"""The source whose SPECs, ``cleaned:DIR`` and ``cleaned:linked:DIR``, leave out what cannot be read."""


def folder_spec(folder: str | Path, *, follow_links: bool) -> str:
    """Give what a folder is opened by.

    Parameters
    ----------
    folder : str or Path
    follow_links : bool
        Whether its links may lead out of it.

    Returns
    -------
    str
    """
    return f"{LINKED}:{folder}" if follow_links else str(folder)


def link_hint(error: OSError, inside: Enclosure | None) -> str | None:
    """Say what to type where a link was not followed.

    Parameters
    ----------
    error : OSError
        Why a file was not read.
    inside : Enclosure or None
        The folder of the data set.

    Returns
    -------
    str or None
        None where it was not for a link.
    """
    if inside is None or not isinstance(error, OutsideError):
        return None
    return f"if you trust the data set, --data {LINKED}:{inside.folder} follows its links wherever they lead"
