"""L_c(x) of the images on show: where the annotators saw what a unit is labelled with."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from onnxdissect.data.broden.reader import Dataset, open_dataset
from onnxdissect.errors import DataError, ParameterError
from onnxdissect.report.data.facts import section
from onnxdissect.report.data.photos import image_folder
from onnxdissect.report.data.rle import text_of_mask

if TYPE_CHECKING:
    from onnxdissect.report.data.previous_report import PreviousReport
    from onnxdissect.results import Dissection

__all__ = ["Shown", "gather_annotations", "wanted_annotations"]

Shown = tuple[int, int]
"""An image of the run and the number of a concept."""


def wanted_annotations(dissection: Dissection) -> set[Shown]:
    """Find which concept is to be shown in which image: each unit's label in its top images.

    Parameters
    ----------
    dissection : Dissection

    Returns
    -------
    set of (int, int)
        Image of the run, number of the concept.
    """
    wanted: set[Shown] = set()
    for info in dissection.layers:
        top_images = dissection.counts(info.name).top_images.tolist()
        for labels in dissection.scores(info.name).concept.tolist():
            for images, concept in zip(top_images, labels, strict=True):
                if concept >= 0:
                    number = dissection.concepts[concept].number
                    wanted.update((image, number) for image in images)
    return wanted


def gather_annotations(
    dissection: Dissection, wanted: Collection[Shown], previous: PreviousReport | None
) -> dict[Shown, str]:
    """Collect annotations, from an earlier report where it has them, otherwise from the data set.

    Parameters
    ----------
    dissection : Dissection
    wanted : collection of (int, int)
        Image of the run, number of the concept.
    previous : PreviousReport or None
        The report that is about to be replaced.

    Returns
    -------
    dict of (int, int) to str
        Texts of masks on the label grids; what can be read nowhere is left out, as is all of a data set that
        has changed so much that its tables no longer fit.
    """
    found = (
        {key: previous.annotations[key] for key in wanted if key in previous.annotations} if previous else {}
    )
    missing: dict[int, list[int]] = defaultdict(list)
    for image, number in sorted(set(wanted) - found.keys()):
        missing[image].append(number)
    folder, _ = image_folder(dissection)
    if not missing or folder is None:
        return found
    try:
        grouped_by = section(dissection.manifest, "data").get("groups")
        # Another column is no reason to refuse the folder.
        dataset = open_dataset(folder, groups=None if grouped_by is None else str(grouped_by))
    except (DataError, ParameterError):
        return found
    places = {entry.image: place for place, entry in enumerate(dataset.entries)}

    def read(image: int) -> list[tuple[Shown, str]]:
        info = dissection.images[image]
        place = places.get(info.name)
        if place is None or dataset.grid(place) != info.grid:
            return []
        try:
            return [((image, number), text) for number, text in _texts(dataset, place, missing[image])]
        except DataError:
            return []

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for texts in pool.map(read, missing):
            found.update(texts)
    return found


def _texts(dataset: Dataset, place: int, numbers: Iterable[int]) -> Iterator[tuple[int, str]]:
    annotation = dataset.read_annotation(place)
    for number in numbers:
        for concept in dataset.concepts_of([number]):
            covered = (annotation.planes == concept + 1).any(axis=0)
            if concept in annotation.image_labels:
                covered = np.ones(annotation.grid, np.bool_)
            yield number, text_of_mask(covered)
