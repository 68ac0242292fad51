"""The images that an explanation refers to: those of its run, or others that are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data import Dataset
from onnxdissect.data.labelled_images import LabelledImages, image_files, labelled_images
from onnxdissect.data.opening import open_data, recorded_spec
from onnxdissect.data.packed.opening import is_packed
from onnxdissect.errors import DataError, DataNotFoundError, RunMismatchError, shown_path
from onnxdissect.experiments.class_scores.picture import read_picture
from onnxdissect.results import Dissection
from onnxdissect.storage.regular_files import is_file, is_folder

__all__ = ["ReferenceImages", "reference_images", "reference_labels"]

_HINT = "--reference names others: a folder with one folder a class, a .csv, or a data set"

Source = str | Path | Dataset
"""A SPEC, a folder, a CSV file, or a data set."""


@dataclass(frozen=True, slots=True)
class ReferenceImages:
    """Images that need no class.

    Attributes
    ----------
    name : str
        What they are called in sentences.
    count : int
        How many there are.
    read : callable
        Takes the position of an image, gives its pixels: (height, width, 3), uint8, RGB.
    """

    name: str
    count: int
    read: Callable[[int], NDArray[np.uint8]]


def reference_images(run: Dissection, source: Source | None) -> ReferenceImages:
    """Find images to average over.

    Parameters
    ----------
    run : Dissection
        Whose images they are by default.
    source : str, Path or Dataset, optional
        A folder with images at any depth, a CSV file with the columns ``image`` and ``class``, or a data set;
        all images are taken, whatever they show.

    Returns
    -------
    ReferenceImages

    Raises
    ------
    DataError
        If there is no such thing, or the run's images are not to be had.
    RunMismatchError
        If they are others now.
    """
    if source is None:
        return _of_dataset(_own_data(run))
    path = Path(source) if isinstance(source, str | Path) else None
    if path is not None and is_folder(path) and not is_file(path / "index.csv"):
        files = image_files(path)
        return ReferenceImages(shown_path(path), len(files), lambda i: read_picture(files[i]))
    if path is not None and is_file(path) and not is_packed(path):
        found = labelled_images(path)
        return ReferenceImages(shown_path(found.source), len(found), found.read)
    return _of_dataset(open_data(source))


def reference_labels(run: Dissection, source: Source | None) -> LabelledImages:
    """Find images whose classes are known.

    Parameters
    ----------
    run : Dissection
        Whose images they are by default, if its data set has scenes.
    source : str, Path or Dataset, optional
        As `labelled_images` takes it.

    Returns
    -------
    LabelledImages

    Raises
    ------
    DataError
        If there is no such thing, the run's images are not to be had, or none has a class.
    RunMismatchError
        If the run's images are others now.
    """
    if source is not None:
        return labelled_images(source)
    data = _own_data(run)
    try:
        return labelled_images(data)
    except DataError as error:
        raise type(error)(error.message, candidates=error.candidates, hint=_HINT) from error


def _of_dataset(data: Dataset) -> ReferenceImages:
    return ReferenceImages(data.name, len(data), data.read_image)


def _own_data(run: Dissection) -> Dataset:
    """Open the images that a run was made on."""
    record = run.manifest.get("data")
    record = record if isinstance(record, dict) else {}
    spec = recorded_spec(record)
    if spec is None:
        raise DataNotFoundError(
            f"the images of the run {shown_path(run.path)} were in memory and lie nowhere", hint=_HINT
        )
    groups = record.get("groups")
    try:
        data = open_data(spec, groups=None if groups is None else str(groups))
    except DataNotFoundError as error:
        raise DataNotFoundError(
            f"the images of the run {shown_path(run.path)} are no longer there: {error.message}", hint=_HINT
        ) from error
    data = data.subset(split=record.get("split"), limit=record.get("limit"))
    if data.fingerprint != record.get("fingerprint"):
        raise RunMismatchError(
            f"{data.name} has the fingerprint {data.fingerprint[:12]}, the images of the run "
            f"{shown_path(run.path)} had {str(record.get('fingerprint'))[:12]}",
            hint=_HINT,
        )
    return data
