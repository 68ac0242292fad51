"""Where a file lies in a repository."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

__all__ = ["location_uri", "path_within"]


def path_within(file: Path, root: Path) -> str:
    """Give a file's path from the root of a repository.

    Links are not followed: a model may be stored elsewhere and still belong to the repository.

    Parameters
    ----------
    file, root : Path

    Returns
    -------
    str
        With slashes; empty if the file lies outside.
    """
    inner, outer = (Path(os.path.normpath(path.absolute())) for path in (file, root))
    return inner.relative_to(outer).as_posix() if inner.is_relative_to(outer) else ""


def location_uri(file: Path, root: Path) -> dict[str, str]:
    """Give a file's location as SARIF has it.

    Parameters
    ----------
    file, root : Path

    Returns
    -------
    dict of str to str
        ``uri``, relative to the root and marked so with ``uriBaseId`` if the file lies in it.
    """
    relative = path_within(file, root)
    if not relative:
        return {"uri": Path(os.path.normpath(file.absolute())).as_uri()}
    return {"uri": quote(relative.encode("utf-8", "surrogateescape")), "uriBaseId": "%SRCROOT%"}
