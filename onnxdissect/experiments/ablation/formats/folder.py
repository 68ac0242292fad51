"""The folder of an ablation: which files in it are its own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxdissect.errors import OutputError, shown_path
from onnxdissect.storage.files import held_names
from onnxdissect.storage.json_file import read_json
from onnxdissect.storage.regular_files import is_folder

__all__ = [
    "ARRAYS",
    "FIGURES",
    "INDEX",
    "LARGEST",
    "PAGE",
    "RESULT",
    "WORK",
    "expect_ablation_folder",
    "expect_apart",
    "former_request",
    "remove_result",
]

RESULT = "ablation.json"
ARRAYS = "ablation.npz"
WORK = "work"
INDEX, PAGE = "index.html", "page"
"""The page, and the folder that it reads."""
FIGURES = ("accuracy", "needs")
"""Names of figures, without their endings."""

LARGEST = 2**29
"""Bytes that ``ablation.json`` may have."""

_FIGURE_FILES = frozenset(f"{name}.{form}" for name in FIGURES for form in ("png", "svg"))
_KEPT = re.compile(r"request\.json|lock|(units|sets)-[0-9]{8,}\.npz")
# what a page is made of, and what a killed writer of one leaves beside it
_OF_PAGE = frozenset(("report.css", "shared.js", "ablation.css", "ablation.js", "data/units.js"))
_LEFT = re.compile(rf"{PAGE}\.[0-9a-f]{{8}}(\.older|\.lock)?\.partial")
_ELSEWHERE = "name a folder that is empty or not there yet: --out DIR"


def expect_ablation_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but an ablation, finished or begun.

    Parameters
    ----------
    folder : Path
        Need not exist.

    Raises
    ------
    OutputError
        If it is no folder, or something else lies in it.
    """
    held = [name for name in held_names(folder, "an ablation is") if not _LEFT.fullmatch(name)]
    if not held:
        return
    own = {RESULT, ARRAYS, WORK, INDEX, PAGE, *_FIGURE_FILES}
    other = [name for name in held if name not in own]
    if other or not (RESULT in held or WORK in held):
        raise OutputError(
            f"{folder} holds {shown_path((other or held)[0])}, no ablation: it stays as it is",
            hint=_ELSEWHERE,
        )
    if (folder / WORK).is_symlink() or (WORK in held and not (folder / WORK).is_dir()):
        raise OutputError(f"{folder / WORK} is no folder of an ablation: it stays as it is", hint=_ELSEWHERE)
    strange = [one for one in held_names(folder / WORK, "an ablation is") if not _KEPT.fullmatch(one)]
    _expect_none(folder / WORK, strange)
    _expect_none(folder / PAGE, [one for one in _files_below(folder / PAGE) if one not in _OF_PAGE])
    if RESULT in held and former_request(folder / RESULT) is None:
        raise OutputError(
            f"{folder} holds a {RESULT} that is no ablation of units: it stays as it is", hint=_ELSEWHERE
        )


def _expect_none(folder: Path, strange: Sequence[str]) -> None:
    if strange:
        raise OutputError(
            f"{folder} holds {shown_path(strange[0])}, which no ablation has written: it stays as it is",
            hint=_ELSEWHERE,
        )


def _files_below(folder: Path) -> list[str]:
    """Name the files of a page, links as such."""
    if folder.is_symlink() or folder.is_file():
        return ["a link" if folder.is_symlink() else "a file"]
    found = []
    for place, folders, files in os.walk(folder):
        links = [one for one in folders if Path(place, one).is_symlink()]
        found += [Path(place, one).relative_to(folder).as_posix() for one in (*files, *links)]
    return sorted(found)


def expect_apart(folder: Path, run: object, images: object) -> None:
    """Refuse a folder inside the run or among the images: neither is changed by removing units.

    Parameters
    ----------
    folder : Path
        Need not exist.
    run, images : object
        Of each its path, or what lies at one; others are no folders.

    Raises
    ------
    OutputError
        Naming the folder that it would lie in.
    """
    place = Path(os.path.realpath(folder))
    for said, held in (("run", getattr(run, "path", run)), ("images", images)):
        # figures in a folder of images would be taken for images of a class
        inside = isinstance(held, str | Path) and is_folder(Path(held))
        if inside and place.is_relative_to(os.path.realpath(str(held))):
            raise OutputError(
                f"{shown_path(folder)} lies in the {said} {shown_path(held)}, which removing units does not "
                "change",
                hint="name a folder elsewhere: --out DIR",
            )


def former_request(path: Path) -> Mapping[str, Any] | None:
    """Read what an ablation was asked for.

    Parameters
    ----------
    path : Path
        ``ablation.json``, or what is kept of one that is not finished.

    Returns
    -------
    mapping or None
        None where there is none, or the file says nothing of the kind.
    """
    try:
        told = read_json(path, LARGEST, inside=path.parent)
    except (OSError, ValueError):
        return None
    if isinstance(told, dict) and path.name == RESULT:
        told = told.get("request")
    return told if isinstance(told, dict) and "model" in told else None


def remove_result(folder: Path) -> None:
    """Remove a former result, so that nothing is taken for the one that is being made.

    Parameters
    ----------
    folder : Path
        Of an ablation.

    Raises
    ------
    OutputError
        If a file cannot be removed.
    """
    # the page first: it reads what lies beside it
    for name in (INDEX, *sorted((RESULT, ARRAYS, *_FIGURE_FILES))):
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"{folder / name} is in the way and cannot be removed: {error.strerror or error}",
                hint="remove it, or write elsewhere with --out DIR",
            ) from error
