"""Finding the folder of a data set, or what may have been meant."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from onnxdissect.data.links import folder_spec
from onnxdissect.errors import DataNotFoundError, nearest, shown
from onnxdissect.storage.regular_files import is_file, is_folder

__all__ = ["require_index"]

_LONGEST = 1000  # characters of a path in a message
_LAYOUT = (
    "a Broden folder holds index.csv, label.csv, category.csv and images/; onnxdissect data import makes one "
    "of other formats, and of plain images with a segmenter"
)


def require_index(folder: Path, index: str = "index.csv", *, follow_links: bool = False) -> None:
    """Make sure that a folder holds an index, whatever that is: who reads it looks further.

    Parameters
    ----------
    folder : Path
        What was given as a data set.
    index : str
        Name of the table; another than index.csv was written by a check.
    follow_links : bool
        Whether its links may lead out of it.

    Raises
    ------
    DataNotFoundError
        If it does not, with what may have been meant: a sibling of like name, or a folder inside.
    """
    if os.path.lexists(folder / index):
        return
    if index != "index.csv" and os.path.lexists(folder / "index.csv"):
        spec = shlex.quote(folder_spec(folder, follow_links=follow_links))
        raise DataNotFoundError(
            f"{folder} has no {index}", hint=f"onnxdissect data check {spec} --fix writes one if need be"
        )
    if is_file(folder):
        hint = f"--data {shlex.quote(str(folder.parent))}" if folder.name == "index.csv" else _LAYOUT
        raise DataNotFoundError(f"{folder} is a file; a data set is a folder", hint=hint)
    if not is_folder(folder):
        siblings = _folders(folder.absolute().parent)
        raise DataNotFoundError(
            f"there is no folder {folder if len(str(folder)) < _LONGEST else shown(str(folder))}",
            candidates=[str(folder.with_name(name)) for name in nearest(folder.name, siblings)],
            hint=_LAYOUT,
        )
    around = [folder / name for name in _folders(folder)] + [folder.absolute().parent]
    holders = [str(place) for place in around if is_file(place / "index.csv")]
    raise DataNotFoundError(
        f"{folder} is no Broden folder: it holds no index.csv",
        candidates=holders,
        hint=f"--data {shlex.quote(holders[0])}" if holders else _LAYOUT,
    )


def _folders(parent: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in parent.iterdir() if entry.is_dir())
    except OSError:
        return []
