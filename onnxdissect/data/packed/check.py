"""Whether a packed file is what was packed: every byte of it, and whatever it stands for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from onnxdissect.data.annotation import Annotation
from onnxdissect.data.broden.check import DatasetReport, Problem
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.data.decoding.pixels import decode_image
from onnxdissect.data.packed.dataset import PackedDataset
from onnxdissect.data.packed.layout import PREAMBLE
from onnxdissect.data.sources import Advance
from onnxdissect.errors import DataError, ParameterError
from onnxdissect.storage.memory import explained_memory

__all__ = ["check_packed"]


class _Checked(NamedTuple):
    """An image that was looked at."""

    problems: list[Problem]
    body: list[bytes | memoryview]
    """What of the body is first read with it."""


@explained_memory()
def check_packed(
    dataset: PackedDataset, *, workers: int = 2, progress: Advance | None = None
) -> DatasetReport:
    """Read a packed file whole, decode every image and annotation, and collect what is wrong.

    Errors are whatever would stop a run, and bytes that are not those which were packed. What may be wrong
    with the data as such, `onnxdissect.data.check_folder` tells of the folder.

    Parameters
    ----------
    dataset : PackedDataset
        A whole file.
    workers : int
        Threads.
    progress : callable, optional
        Called with (images done, images).

    Returns
    -------
    DatasetReport
    """
    if workers < 1:
        raise ParameterError(f"the number of workers must be 1 or more, not {workers}")
    found: list[Problem] = []
    new = _new_images(dataset)
    digest = hashlib.blake2b(digest_size=32)
    checked = ahead(
        lambda i: _check_image(dataset, i, new=new[i]),
        range(len(dataset)),
        workers=workers,
        depth=8 * workers,
    )
    for done, image in enumerate(checked, 1):
        found += image.problems
        for part in image.body:
            digest.update(part)
        if progress is not None:
            progress(done, len(dataset))
    if not _is_full(dataset, new):
        message = "the file holds bytes that belong to no image, or images that overlap"
        found.append(Problem("error", dataset.place, None, message))
    elif digest.hexdigest() != dataset.header.digest:
        message = "the hash of all images and labels is not the one that the file was packed with"
        found.append(Problem("error", dataset.place, None, message))
    return DatasetReport(dataset.name, len(dataset), tuple(found))


def _new_images(dataset: PackedDataset) -> list[bool]:
    """Tell of each image whether its file is not that of one before it."""
    seen: set[int] = set()
    new = []
    for offset in dataset.records["image"].tolist():
        new.append(offset not in seen)
        seen.add(offset)
    return new


def _is_full(dataset: PackedDataset, new: list[bool]) -> bool:
    """Whether the records tell of every byte of the body, in its order, and of none twice."""
    end = PREAMBLE.size
    for is_new, record in zip(new, dataset.records, strict=True):
        image, image_bytes, _, planes, planes_bytes, _ = record.item()
        if is_new:
            if image != end:
                return False
            end += image_bytes
        if planes != end:
            return False
        end += planes_bytes
    return end == dataset.header.end


def _check_image(dataset: PackedDataset, i: int, *, new: bool) -> _Checked:
    entry = dataset.entries[i]
    problems: list[Problem] = []
    body: list[bytes | memoryview] = []
    try:
        file = dataset.read_image_file(i)
        if new:
            body.append(file)
        height, width = decode_image(file, entry.image).shape[:2]
    except DataError as error:
        problems.append(Problem("error", entry.image, entry.line, error.message))
    else:
        if (height, width) != entry.size:
            ih, iw = entry.size
            message = f"the image is {height}x{width}; by its ih and iw it should be {ih}x{iw}"
            problems.append(Problem("warning", entry.image, entry.line, message))
    try:
        planes = dataset.read_planes(i)
        body.append(planes)
        annotation = dataset.decode_annotation(i, planes)
    except DataError as error:
        problems.append(Problem("error", entry.image, entry.line, error.message))
    else:
        problems += (Problem("error", entry.image, entry.line, said) for said in _faults(annotation))
    if not (entry.maps or entry.image_labels):
        message = "the image has no annotation at all"
        problems.append(Problem("warning", entry.image, entry.line, message))
    return _Checked(problems, body)


def _faults(annotation: Annotation) -> Iterator[str]:
    """Say what of an annotation would be counted twice; no packed folder has any of it."""
    planes, labels = annotation.planes, annotation.image_labels
    if not planes.any(axis=(1, 2)).all():
        yield "a plane of its labels holds none"
    if any(((one == other) & (one > 0)).any() for one, other in combinations(planes, 2)):
        yield "its labels hold a concept twice in one pixel"
    if labels.size and np.isin(planes, labels + 1).any():
        yield "its labels hold a concept in pixels which the image as a whole has"
