"""Addresses between pages that lie in different folders."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

__all__ = ["relative_address"]


def relative_address(page: Path, folder: Path) -> str:
    """Give the address of a page for a link in another folder.

    Parameters
    ----------
    page : Path
        What is linked to.
    folder : Path
        Of the page that links.

    Returns
    -------
    str
        Relative, so that both can be moved together; whole where there is no way between them.
    """
    try:
        return quote(Path(os.path.relpath(page.resolve(), folder.resolve())).as_posix())
    except ValueError:  # on another drive of Windows
        return page.resolve().as_uri()
