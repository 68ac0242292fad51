"""The folder of a comparison: which files are its own, and whether it may be replaced."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from onnxdissect.errors import OutputError, shown_path
from onnxdissect.experiments.comparison.formats.tables import TABLES
from onnxdissect.storage.files import held_names
from onnxdissect.storage.json_file import read_json

__all__ = [
    "FILES",
    "LARGEST",
    "RESULT",
    "TEXT",
    "comparison_files",
    "expect_comparison",
    "expect_outside",
    "expect_replaceable",
]

RESULT, TEXT = "comparison.json", "comparison.md"
"""What is read back, and what people read."""
LARGEST = 2**29
"""Bytes of a file that is read."""
FILES = "files.json"
"""In the folder of the page: names of all files there and of the figures, as paths in the comparison."""

_PAGE = "page"
_SHOWN = (_PAGE, "figures")
# That every version has.
_KEYS = frozenset(("format_version", "layers", "pairs"))
_ELSEWHERE = "name a folder that is empty or not there yet: --out DIR"


def comparison_files(folder: Path) -> tuple[Path, ...]:
    """Name the files that a result is written to.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    tuple of Path
        A table each, the text, and last the document that is read back.
    """
    return (*(folder / f"{table}.csv" for table in TABLES), folder / TEXT, folder / RESULT)


def expect_comparison(folder: Path) -> None:
    """Refuse a folder that holds anything but a comparison, and a file that is called like one.

    Parameters
    ----------
    folder : Path
        Need not exist.

    Raises
    ------
    OutputError
        If it is no folder, or something else lies in it.
    """
    held = held_names(folder, "a comparison is")
    own = {path.name for path in comparison_files(folder)} | {"index.html", *_SHOWN}
    other = [name for name in held if name not in own]
    if other or (held and RESULT not in held):
        raise OutputError(
            f"{folder} holds {shown_path((other or held)[0])}, and is no comparison: it stays as it is",
            hint=_ELSEWHERE,
        )
    if RESULT in held and not _is_comparison(folder):
        raise OutputError(
            f"{folder} holds a {RESULT} that is no comparison of runs: it stays as it is", hint=_ELSEWHERE
        )


def expect_replaceable(folder: Path) -> None:
    """Refuse to put a comparison in the place of what holds anything that no comparison has written.

    Parameters
    ----------
    folder : Path
        Need not exist.

    Raises
    ------
    OutputError
        As `expect_comparison`, and if files lie between those of the page and the figures, of which the
        folder goes as a whole.
    """
    expect_comparison(folder)
    written = _listed(folder)
    other = next((name for name in _held_inside(folder) if name not in written), None)
    if other is not None:
        raise OutputError(
            f"{folder} holds {shown_path(other)}, which no comparison has written: it stays as it is",
            hint=f"move {shown_path(other)} elsewhere, or {_ELSEWHERE}",
        )


def expect_outside(folder: Path, runs: Iterable[str | Path]) -> None:
    """Refuse a folder inside a run directory: runs stay as they are, and their pages replace each other.

    Parameters
    ----------
    folder : Path
        Need not exist.
    runs : iterable of (str or Path)
        Run directories.

    Raises
    ------
    OutputError
        Naming the run that it would lie in.
    """
    place = Path(os.path.realpath(folder))
    for run in runs:
        if place.is_relative_to(os.path.realpath(run)):
            raise OutputError(
                f"{shown_path(folder)} lies in the run {shown_path(run)}, and comparing changes no run",
                hint="name a folder beside the runs: --out DIR",
            )


def _is_comparison(folder: Path) -> bool:
    """Tell what was written here, by whatever version, from another program's file of the same name."""
    try:
        document = read_json(folder / RESULT, LARGEST, inside=folder)
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.keys() >= _KEYS


def _listed(folder: Path) -> frozenset[str]:
    """Read the names of what is part of page and figures; none where there is no page."""
    try:
        told = read_json(folder / _PAGE / FILES, LARGEST, inside=folder)
    except (OSError, ValueError):
        told = None
    names = told.get("files") if isinstance(told, dict) else None
    own = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return frozenset((f"{_PAGE}/{FILES}", *own))


def _held_inside(folder: Path) -> Iterator[str]:
    """Name whatever lies in the folders of page and figures, links as such."""
    for name in _SHOWN:
        if (folder / name).is_symlink() or (folder / name).is_file():
            yield name
            continue
        for place, folders, files in os.walk(folder / name):
            links = [one for one in folders if Path(place, one).is_symlink()]
            for one in sorted((*files, *links)):
                yield Path(place, one).relative_to(folder).as_posix()
