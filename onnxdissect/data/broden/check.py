"""Every problem of a data set at once, where a run would stop at the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.annotation import annotate
from onnxdissect.data.broden.index import IndexProblem
from onnxdissect.data.broden.reader import BrodenDataset, read_folder
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.data.neighbours import alike, thumbnail
from onnxdissect.data.sources import Advance
from onnxdissect.errors import DataError, ParameterError
from onnxdissect.storage.memory import explained_memory

__all__ = ["DatasetReport", "Problem", "check_dataset", "check_folder"]

# So many look like their neighbours before it is worth a warning.
_FEWEST_ALIKE = 5
_SHARE_ALIKE = 0.05

"""Told how many images are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a data set, or suspicious.

    Attributes
    ----------
    level : str
        ``"error"``: a run over these images would stop here; ``"warning"``: it would not.
    file : str
        A table, or the path of an image or label map inside the images folder.
    row : int or None
        Line of index.csv that lists it, or of the table itself.
    message : str
        One sentence.
    """

    level: str
    file: str
    row: int | None
    message: str


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """What a check found.

    Attributes
    ----------
    name : str
        The data set.
    images : int
        How many were looked at.
    problems : tuple of Problem
        In the order of the index, then of label.csv.
    """

    name: str
    images: int
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> int:
        """How many problems are errors."""
        return sum(problem.level == "error" for problem in self.problems)

    @property
    def ok(self) -> bool:
        """No errors; there may be warnings."""
        return self.errors == 0

    def to_json(self) -> dict[str, object]:
        """As JSON values.

        Returns
        -------
        dict
        """
        return asdict(self) | {"errors": self.errors, "ok": self.ok}


@explained_memory()
def check_folder(
    folder: str | Path, *, groups: str | None = None, workers: int = 2, progress: Advance | None = None
) -> DatasetReport:
    """Check a folder: its index row by row, then every image and label map that a readable row lists.

    Parameters
    ----------
    folder : str or Path
        Holds index.csv.
    groups : str, optional
        As for `onnxdissect.data.open_dataset`.
    workers : int
        Threads.
    progress : callable, optional
        Called with (images done, images).

    Returns
    -------
    DatasetReport

    Raises
    ------
    DataNotFoundError
        If the folder does not exist or holds no index.csv.
    DataFormatError
        If a table is malformed as a whole, so that nothing can be checked against it.
    ParameterError
        If there is no such column to group images by.
    """
    dataset, problems = read_folder(Path(folder), groups)
    return _check(dataset, problems, workers, progress)


def check_dataset(
    dataset: BrodenDataset, *, workers: int = 2, progress: Advance | None = None
) -> DatasetReport:
    """Decode every image and label map of a data set and collect what is wrong.

    Errors are whatever would stop a run. Warnings are: images listed twice, images whose size is not the
    index's ih and iw, images without any annotation, concepts that no pixel holds, and images that look
    like their neighbours, if they are many and in no group with them.

    Parameters
    ----------
    dataset : BrodenDataset
    workers : int
        Threads.
    progress : callable, optional
        Called with (images done, images).

    Returns
    -------
    DatasetReport
    """
    return _check(dataset, (), workers, progress)


def _check(
    dataset: BrodenDataset, rows: tuple[IndexProblem, ...], workers: int, progress: Advance | None
) -> DatasetReport:
    if workers < 1:
        raise ParameterError(f"the number of workers must be 1 or more, not {workers}")
    found = [Problem("error", "index.csv", row.line, row.message) for row in rows]
    if not dataset.entries:
        found.append(Problem("error", "index.csv", None, "the index lists no image that can be read"))
    found += _listed_twice(dataset)
    held = np.zeros(len(dataset.vocabulary.concepts), np.bool_)
    checked = ahead(
        lambda i: _check_image(dataset, i), range(len(dataset)), workers=workers, depth=16 * workers
    )
    thumbnails: list[NDArray[np.uint8] | None] = []
    for done, (problems, truth, small) in enumerate(checked, 1):
        found += problems
        thumbnails.append(small)
        held |= truth > 0
        if progress is not None:
            progress(done, len(dataset))
    found += _neighbours(dataset, thumbnails)
    found.sort(key=lambda problem: problem.row or 0)
    # Where files could not be read, nothing can be said of what they might hold.
    if not any(problem.level == "error" for problem in found):
        found += [
            Problem("warning", "label.csv", None, f"no pixel holds label {concept.number} ({concept.name!r})")
            for concept in dataset.vocabulary.concepts
            if not held[concept.index]
        ]
    return DatasetReport(dataset.name, len(dataset), tuple(found))


def _listed_twice(dataset: BrodenDataset) -> Iterator[Problem]:
    times = Counter(entry.image for entry in dataset.entries)
    seen: set[str] = set()
    for entry in dataset.entries:
        if entry.image in seen:
            message = f"the image {entry.image} is listed {times[entry.image]} times, and counts as often"
            yield Problem("warning", "index.csv", entry.line, message)
        seen.add(entry.image)


def _neighbours(dataset: BrodenDataset, thumbnails: Sequence[NDArray[np.uint8] | None]) -> Iterator[Problem]:
    pairs = alike([entry.image for entry in dataset.entries], thumbnails, dataset.groups())
    if len(pairs) < max(_FEWEST_ALIKE, _SHARE_ALIKE * len(dataset)):
        return
    after, before = (dataset.entries[i].image for i in pairs[0])
    message = (
        f"{len(pairs)} of {len(dataset)} images look like the one before them by name, such as {after} like "
        f"{before}: if they are of one film or scene, intervals and p-values hold only if it is named: "
        f"a column group in index.csv, or --groups"
    )
    yield Problem("warning", "index.csv", None, message)


def _check_image(
    dataset: BrodenDataset, i: int
) -> tuple[list[Problem], NDArray[np.int64], NDArray[np.uint8] | None]:
    entry = dataset.entries[i]
    found: list[Problem] = []
    small = None
    try:
        image = dataset.read_image(i)
        height, width = image.shape[:2]
        small = thumbnail(image)
    except DataError as error:
        found.append(Problem("error", entry.image, entry.line, error.message))
    else:
        if (height, width) != entry.size:
            ih, iw = entry.size
            message = f"the image is {height}x{width}; by its ih and iw it should be {ih}x{iw}"
            found.append(Problem("warning", entry.image, entry.line, message))
    maps = []
    for path in entry.maps:
        try:
            maps.append(dataset.read_label_map(i, path))
        except DataError as error:
            found.append(Problem("error", path, entry.line, error.message))
    if not (entry.maps or entry.image_labels):
        found.append(Problem("warning", entry.image, entry.line, "the image has no annotation at all"))
    image_labels = dataset.concepts_of(entry.image_labels)
    return found, annotate(entry.grid, maps, image_labels).truth(len(dataset.vocabulary.concepts)), small
