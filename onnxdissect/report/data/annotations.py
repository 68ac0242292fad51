"""The annotations L_c(x) that a report shows: of each unit's label c, in its top images x."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from onnxdissect.errors import DataError
from onnxdissect.machine import cores
from onnxdissect.report.data.rle import text_of_mask

if TYPE_CHECKING:
    from onnxdissect.report.data.images import RunAnnotations, RunImages
    from onnxdissect.report.data.previous_report import PreviousReport
    from onnxdissect.results import Dissection

__all__ = ["ImageConcept", "gather_annotations", "wanted_annotations"]

ImageConcept = tuple[int, int]
"""Number of an image of the run, and number of a concept."""


def wanted_annotations(dissection: Dissection) -> set[ImageConcept]:
    """Find which concept is to be shown in which image: each unit's label in its top images.

    Parameters
    ----------
    dissection : Dissection

    Returns
    -------
    set of (int, int)
        Image of the run, number of the concept; none of imported results.
    """
    if dissection.imported:
        return set()
    wanted: set[ImageConcept] = set()
    for info in dissection.layers:
        top_images = dissection.counts(info.name).top_images.tolist()
        for labels in dissection.scores(info.name).concept.tolist():
            for images, concept in zip(top_images, labels, strict=True):
                if concept >= 0:
                    number = dissection.concepts[concept].number
                    wanted.update((image, number) for image in images)
    return wanted


def gather_annotations(
    images: RunImages | None, wanted: Collection[ImageConcept], previous: PreviousReport | None
) -> dict[ImageConcept, str]:
    """Collect annotations, from an earlier report where it has them, otherwise from the data set.

    Parameters
    ----------
    images : RunImages or None
        Of the run; None if they cannot be found.
    wanted : collection of (int, int)
        Image of the run, number of the concept.
    previous : PreviousReport or None
        The report that is about to be replaced.

    Returns
    -------
    dict of (int, int) to str
        The pixels that hold the concept, as texts of `onnxdissect.report.data.rle`. Annotations that cannot
        be read are left out; all of them, if the data set's tables have changed so that they no longer fit.
    """
    found = (
        {key: previous.annotations[key] for key in wanted if key in previous.annotations} if previous else {}
    )
    missing: dict[int, list[int]] = defaultdict(list)
    for image, number in sorted(set(wanted) - found.keys()):
        missing[image].append(number)
    annotations = images.annotations() if missing and images is not None else None
    if annotations is None:
        return found

    def read(image: int) -> list[tuple[ImageConcept, str]]:
        try:
            return [((image, number), text) for number, text in _texts(annotations, image, missing[image])]
        except DataError:
            return []

    with ThreadPoolExecutor(min(cores(), 8)) as pool:
        for texts in pool.map(read, missing):
            found.update(texts)
    return found


def _texts(annotations: RunAnnotations, image: int, numbers: Iterable[int]) -> Iterator[tuple[int, str]]:
    annotation = annotations.read(image)
    if annotation is None:
        return
    lookup = annotations.vocabulary.lookup
    for number in numbers:
        # The number is the run's; the data set may have lost the concept since.
        concept = int(lookup[number]) - 1 if number < len(lookup) else -1
        if concept >= 0:
            covered = (annotation.planes == concept + 1).any(axis=0)
            if concept in annotation.image_labels:
                covered = np.ones(annotation.grid, np.bool_)
            yield number, text_of_mask(covered)
