"""Every problem of a data set at once, where a run would stop at the first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.checking.concepts import FEWEST_IMAGES, rare_concepts
from onnxdissect.data.broden.checking.doubles import listed_twice, same_pixels
from onnxdissect.data.broden.checking.images import GREY, PALETTE, look_at
from onnxdissect.data.broden.checking.problems import DatasetReport, Problem
from onnxdissect.data.broden.checking.unlisted import unlisted_files
from onnxdissect.data.broden.index import IndexProblem
from onnxdissect.data.broden.reader import BrodenDataset, read_folder
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.data.neighbours import alike
from onnxdissect.data.sources import Advance
from onnxdissect.errors import ParameterError, shown_path
from onnxdissect.storage.memory import explained_memory
from onnxdissect.wording import counted

__all__ = ["DatasetReport", "Problem", "check_dataset", "check_folder"]

# So many look like their neighbours before it is worth a warning.
_FEWEST_ALIKE = 5
_SHARE_ALIKE = 0.05
# What a label map of such a kind is taken for, where somebody may have meant something else.
_READ_AS = {
    GREY: "grey, such as {}: a grey value is read as the label number, and other programs may not read it",
    PALETTE: "palettes of colours, such as {}: the colours are read as R + 256 * G, not the indices",
}


@explained_memory()
def check_folder(
    folder: str | Path,
    *,
    groups: str | None = None,
    follow_links: bool = False,
    min_images: int = FEWEST_IMAGES,
    workers: int = 2,
    progress: Advance | None = None,
) -> DatasetReport:
    """Check a folder: its index row by row, then every image and label map that a readable row lists.

    What is told of, see `check_dataset`.

    Parameters
    ----------
    folder : str or Path
        Holds index.csv.
    groups : str, optional
        As for `onnxdissect.data.open_dataset`.
    follow_links : bool
        As there.
    min_images : int
        Concepts that fewer images hold are told of.
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
        If there is no such column to group images by, or a number is out of range.
    """
    dataset, problems = read_folder(Path(folder), groups, follow_links=follow_links)
    return _check(dataset, problems, min_images, workers, progress)


@explained_memory()
def check_dataset(
    dataset: BrodenDataset,
    *,
    min_images: int = FEWEST_IMAGES,
    workers: int = 2,
    progress: Advance | None = None,
) -> DatasetReport:
    """Decode every image and label map of a data set and collect what is wrong.

    Errors are whatever would stop a run. Warnings are: images listed twice, or with the same pixels as
    another, images whose size is not the index's ih and iw, images without any annotation, images that look
    like their neighbours, if they are many and in no group with them; label maps that are stored as grey or
    with a palette; files in the images folder that no row lists; and, where all could be read, concepts that
    no pixel or few images hold.

    Parameters
    ----------
    dataset : BrodenDataset
    min_images : int
        Concepts that fewer images hold are told of.
    workers : int
        Threads.
    progress : callable, optional
        Called with (images done, images).

    Returns
    -------
    DatasetReport

    Raises
    ------
    ParameterError
        If a number is out of range.
    """
    return _check(dataset, (), min_images, workers, progress)


def _check(
    dataset: BrodenDataset,
    rows: tuple[IndexProblem, ...],
    min_images: int,
    workers: int,
    progress: Advance | None,
) -> DatasetReport:
    if workers < 1:
        raise ParameterError(f"the number of workers must be 1 or more, not {workers}")
    if min_images < 0:
        raise ParameterError(f"concepts cannot be in fewer than {min_images} images", hint="--min-images 10")
    entries, index = dataset.entries, dataset.index
    found = [Problem("error", index, row.line, row.message) for row in rows]
    if not entries:
        found.append(Problem("error", index, None, "the index lists no image that can be read"))
    found += listed_twice(entries, index)
    images = np.zeros(len(dataset.vocabulary.concepts), np.int64)
    looked_at = ahead(lambda i: look_at(dataset, i), range(len(dataset)), workers=workers, depth=16 * workers)
    thumbnails: list[NDArray[np.uint8] | None] = []
    digests: list[bytes | None] = []
    stored: dict[str, tuple[int, str]] = {}
    for done, one in enumerate(looked_at, 1):
        found += one.problems
        thumbnails.append(one.thumbnail)
        digests.append(one.digest)
        images += one.held
        for kind, paths in one.stored.items():
            count, first = stored.get(kind, (0, paths[0]))
            stored[kind] = count + len(paths), first
        if progress is not None:
            progress(done, len(dataset))
    found += same_pixels(entries, digests)
    found += _neighbours(dataset, thumbnails)
    for kind, (count, first) in stored.items():
        said = f"{counted(count, 'label map')} stored as {_READ_AS[kind].format(shown_path(first))}"
        found.append(Problem("warning", index, None, said))
    found.sort(key=lambda problem: problem.row or 0)
    complete = not any(problem.level == "error" for problem in found)
    found += unlisted_files(dataset)
    # Where files could not be read, nothing can be said of what they might hold.
    if complete:
        found += rare_concepts(dataset.vocabulary, images, min_images)
    return DatasetReport(dataset.name, len(dataset), tuple(found))


def _neighbours(dataset: BrodenDataset, thumbnails: Sequence[NDArray[np.uint8] | None]) -> list[Problem]:
    pairs = alike([entry.image for entry in dataset.entries], thumbnails, dataset.groups())
    if len(pairs) < max(_FEWEST_ALIKE, _SHARE_ALIKE * len(dataset)):
        return []
    after, before = (dataset.entries[i].image for i in pairs[0])
    message = (
        f"{len(pairs)} of {len(dataset)} images look like the one before them by name, such as {after} like "
        f"{before}: if they are of one film or scene, intervals and p-values hold only if it is named: "
        f"a column group in {dataset.index}, or --groups"
    )
    return [Problem("warning", dataset.index, None, message)]
