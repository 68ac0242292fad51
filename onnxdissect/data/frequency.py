"""Whether any concept is frequent enough to become a label."""

from __future__ import annotations

import numpy as np

from onnxdissect.data.dataset import Dataset
from onnxdissect.errors import ParameterError

__all__ = ["check_frequent"]


def check_frequent(dataset: Dataset, min_images: int) -> None:
    """Refuse a ``min_images`` that no concept reaches, before the network is run for nothing.

    Annotations are read until one concept has been found in as many images as are asked for. Where no concept
    is, all annotations are read.

    Parameters
    ----------
    dataset : Dataset
        What is to be dissected.
    min_images : int
        Concepts held by fewer images are no candidates; 1 leaves out none.

    Raises
    ------
    ParameterError
        If no concept is held by so many images. It says what the commonest is held by.
    ImageFileError
        If a label map cannot be read.
    DataFormatError
        If one holds a number that label.csv does not list.
    """
    if min_images <= 1:
        return
    concepts = dataset.vocabulary.concepts
    held = np.zeros(len(concepts), np.int64)
    for i in range(len(dataset)):
        held += dataset.read_annotation(i).truth(len(concepts)) > 0
        if held.max(initial=0) >= min_images:
            return
    most = int(held.max(initial=0))
    if not most:
        raise ParameterError(
            f"no concept is held by {min_images:,} images, nor by any of the {len(dataset):,}: the data has "
            "no annotation",
            hint=f"onnxdissect data check {dataset.source.get('folder', dataset.name)}",
        )
    raise ParameterError(
        f"no concept is held by {min_images:,} of the {len(dataset):,} images, so that there can be no "
        f"label: the commonest, {concepts[int(held.argmax())].name!r}, is held by {most:,}",
        hint=f"--min-images {most} at most",
    )
