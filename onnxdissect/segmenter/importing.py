"""What a segmenter makes of plain images, to be written in the Broden layout and kept."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data import LabelEntry
from onnxdissect.data.importers.imported import ImageAnnotations, ImportedData, ImportedImage
from onnxdissect.segmenter.dataset import SPLIT, SegmenterDataset, open_dataset
from onnxdissect.segmenter.spec import SegmenterSpec

__all__ = ["read_segmenter"]


def read_segmenter(spec: SegmenterSpec) -> ImportedData:
    """Open plain images and the segmenter that labels them. No image is labelled yet.

    Parameters
    ----------
    spec : SegmenterSpec

    Returns
    -------
    ImportedData
        With the label numbers that the same SPEC has when images are labelled as they are dissected.

    Raises
    ------
    OnnxDissectError
        As `onnxdissect.segmenter.dataset.open_dataset`.
    """
    dataset = open_dataset(spec)
    vocabulary = dataset.vocabulary
    categories = np.zeros(len(vocabulary.concepts) + 1, np.int64)
    categories[1:] = vocabulary.category_of + 1
    return ImportedData(
        categories=vocabulary.categories,
        labels=tuple(LabelEntry(one.number, one.name, one.categories) for one in vocabulary.concepts),
        images=[
            ImportedImage(
                name,
                dataset.images.path(name),
                partial(_annotations, dataset, categories, i),
                SPLIT,
                spread=True,
            )
            for i, name in enumerate(dataset.names)
        ],
        upright=True,
        parts=dataset.about.from_,
    )


def _annotations(
    dataset: SegmenterDataset, category_of: NDArray[np.int64], i: int, size: tuple[int, int]
) -> ImageAnnotations:
    """Divide the label maps of an image by the categories of their labels."""
    found: dict[str, list[NDArray[np.integer] | int]] = {}
    for label_map in dataset.read_maps(i):
        of_pixels = category_of[label_map]
        for at, category in enumerate(dataset.vocabulary.categories, 1):
            # also without a label: the map tells the label grid
            found.setdefault(category, []).append(np.where(of_pixels == at, label_map, 0))
    return found
