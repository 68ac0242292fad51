"""An index without the rows that cannot be read, beside the original."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from onnxdissect.data.broden.checking.problems import DatasetReport
from onnxdissect.data.broden.files import CLEANED_INDEX, INDEX
from onnxdissect.data.broden.index import COLUMNS
from onnxdissect.data.broden.reader import open_dataset
from onnxdissect.data.broden.tables import read_table
from onnxdissect.errors import EmptyDataError, OutputError
from onnxdissect.storage.files import write_csv
from onnxdissect.storage.regular_files import Enclosure

__all__ = ["CleanedIndex", "DroppedRow", "clean_index", "refuse_cleaned"]


@dataclass(frozen=True, slots=True)
class DroppedRow:
    """A row that the cleaned index leaves out.

    Attributes
    ----------
    line : int
        In the original index.
    image : str
        As it is listed there.
    reason : str
        The first thing that is wrong with it.
    """

    line: int
    image: str
    reason: str


@dataclass(frozen=True, slots=True)
class CleanedIndex:
    """What became of an index.

    Attributes
    ----------
    path : Path or None
        The cleaned one; None if there was nothing to leave out, and none was written.
    images : int
        How many it lists.
    dropped : tuple of DroppedRow
        In the order of the original.
    """

    path: Path | None
    images: int
    dropped: tuple[DroppedRow, ...]

    def to_json(self) -> dict[str, object]:
        """As JSON values.

        Returns
        -------
        dict
        """
        return asdict(self) | {"path": None if self.path is None else str(self.path)}


def refuse_cleaned(folder: Path) -> None:
    """Refuse to clean a data set that was cleaned before, before it is looked at for long.

    Parameters
    ----------
    folder : Path
        The data set's.

    Raises
    ------
    OutputError
        If there is a cleaned index.
    """
    path = folder / CLEANED_INDEX
    if os.path.lexists(path):
        raise OutputError(
            f"{path} is there already, and is not overwritten", hint=f"remove {path}, or move it away"
        )


def clean_index(folder: str | Path, report: DatasetReport, *, follow_links: bool = False) -> CleanedIndex:
    """Write an index that leaves out what a check found to be unreadable, and what is listed once more.

    All other rows stay as they are, and so do all other files. `onnxdissect.data.open_data` opens the data
    set by it as ``cleaned:DIR``.

    Parameters
    ----------
    folder : str or Path
        The data set's.
    report : DatasetReport
        What the check of all of it found.
    follow_links : bool
        As for `onnxdissect.data.open_dataset`.

    Returns
    -------
    CleanedIndex

    Raises
    ------
    OutputError
        If there is a cleaned index already, or it cannot be written.
    EmptyDataError
        If no row would be left.
    """
    folder = Path(folder)
    refuse_cleaned(folder)
    inside = None if follow_links else Enclosure(folder)
    table = read_table(folder / INDEX, COLUMNS, inside=inside, uneven=True)
    reasons: dict[int, str] = {}
    for problem in report.problems:
        if problem.level == "error" and problem.row is not None:
            reasons.setdefault(problem.row, problem.message)
    seen: dict[str, int] = {}
    kept, dropped = [], []
    for line, cells in table.rows:
        image = cells[table.columns["image"]].strip()
        reason = reasons.get(line)
        if reason is None and image in seen:
            reason = f"the image is listed in line {seen[image]} already"
        if reason is None:
            seen[image] = line
            kept.append(cells)
        else:
            dropped.append(DroppedRow(line, image, reason))
    if not dropped:
        return CleanedIndex(None, len(kept), ())
    if not kept:
        raise EmptyDataError(f"no row of {folder / INDEX} can be read: there is nothing to keep")
    path = folder / CLEANED_INDEX
    names = {position: name for name, position in table.columns.items()}
    header = [names.get(position, "") for position in range(len(kept[0]))]
    write_csv(path, header, kept)
    open_dataset(folder, follow_links=follow_links, index=CLEANED_INDEX)
    return CleanedIndex(path, len(kept), tuple(dropped))
