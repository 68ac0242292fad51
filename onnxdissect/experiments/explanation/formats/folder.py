"""The files of a folder of explanations that make up its page: listed, so that nobody else's are replaced."""

from __future__ import annotations

import os
from pathlib import Path

from onnxdissect.errors import OutputError, shown_path
from onnxdissect.experiments.explanation.formats.segments import LEGENDS
from onnxdissect.storage.files import write_bytes
from onnxdissect.storage.json_file import json_bytes, read_json

__all__ = ["INDEX", "PAGE", "PAGE_FILES", "expect_own_page", "list_page_files"]

INDEX, PAGE = "index.html", "page"
PAGE_FILES = frozenset((INDEX, PAGE, LEGENDS))
"""What lies beside ``explanation.json`` whatever the images are called."""

_LIST = "files.json"
_LARGEST = 2**27


def list_page_files(page: Path) -> None:
    """Write down which files a folder of a page holds.

    Parameters
    ----------
    page : Path
        Complete but for this list.
    """
    names = sorted(_held(page))
    write_bytes(page / _LIST, json_bytes({"files": names}))


def expect_own_page(folder: Path) -> None:
    """Refuse a folder of explanations in whose page lies what no page has written.

    Parameters
    ----------
    folder : Path
        Need not hold a page.

    Raises
    ------
    OutputError
        Naming the file.
    """
    page = folder / PAGE
    if page.is_symlink() or page.is_file():
        other: str | None = PAGE
    else:
        own = {_LIST, *_listed(folder)}
        other = next((f"{PAGE}/{name}" for name in sorted(_held(page)) if name not in own), None)
    if other is not None:
        raise OutputError(
            f"{folder} holds {shown_path(other)}, which no explanation has written: it stays as it is",
            hint=f"move {shown_path(other)} elsewhere, or name a folder that is empty: --out DIR",
        )


def _listed(folder: Path) -> list[str]:
    try:
        told = read_json(folder / PAGE / _LIST, _LARGEST, inside=folder)
    except (OSError, ValueError):
        return []
    names = told.get("files") if isinstance(told, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _held(page: Path) -> list[str]:
    """Name whatever lies in the folder, links as such."""
    found = []
    for place, folders, files in os.walk(page):
        links = [one for one in folders if Path(place, one).is_symlink()]
        found += [Path(place, one).relative_to(page).as_posix() for one in (*files, *links)]
    return found
