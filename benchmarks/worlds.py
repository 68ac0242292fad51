"""What the benchmarks measure against: the bare loop, the old tools' algorithm, and repeated data sets."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from draws import link_images, read_index, write_folder
from numpy.typing import NDArray

from onnxdissect.data import Dataset
from onnxdissect.data.annotation import Annotation
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.model import Preparer, Session

# Images a lane takes at a time.
_BLOCK = 8


def repeat(source: Path, target: Path, images: int) -> str:
    """A Broden folder of so many images: the rows of another one, over and over, on the same files."""
    header, rows = read_index(source)
    chosen = [rows[i % len(rows)] for i in range(images)]
    return link_images(source, write_folder(source, target, header, chosen))


def prepared(dataset: Dataset, preparer: Preparer, batch: int, threads: int) -> Iterator[NDArray[np.generic]]:
    """Batches of decoded and preprocessed images; decoded ahead if there are threads for it."""

    def fill(start: int) -> NDArray[np.generic]:
        return _prepare(dataset, preparer, start, min(start + batch, len(dataset)))

    starts = range(0, len(dataset), batch)
    if threads == 0:
        yield from map(fill, starts)
    else:
        yield from ahead(fill, starts, workers=threads, depth=threads + 1)


def bare_loop(dataset: Dataset, preparer: Preparer, session: Session, batch: int, threads: int) -> None:
    """Decode, preprocess, run the cut graph, drop the result: nothing can be faster than this."""
    for inputs in prepared(dataset, preparer, batch, threads):
        session(inputs)


def bare_lanes(dataset: Dataset, preparer: Preparer, session: Session, batch: int, lanes: int) -> None:
    """The same in as many lanes as given, each with images and inference of its own."""
    work = partial(_bare_block, dataset, preparer, session, batch)
    starts = range(0, len(dataset), max(batch, _BLOCK))
    blocks = ahead(work, starts, workers=lanes, depth=lanes + 1)
    deque(blocks, maxlen=0)


def _bare_block(dataset: Dataset, preparer: Preparer, session: Session, batch: int, start: int) -> None:
    for first in range(start, min(start + max(batch, _BLOCK), len(dataset)), batch):
        stop = min(first + batch, len(dataset))
        session(_prepare(dataset, preparer, first, stop))


def _prepare(dataset: Dataset, preparer: Preparer, start: int, stop: int) -> NDArray[np.generic]:
    inputs = np.empty((stop - start, *preparer.shape), preparer.dtype)
    for i in range(start, stop):
        preparer(dataset.read_image(i), inputs[i - start])
    return inputs


def lite_quantile(activations: NDArray[np.float32], quantile: float) -> NDArray[np.floating[Any]]:
    """Thresholds as the old tools take them: a percentile over every activation at once."""
    return np.percentile(activations, 100 * (1 - quantile), axis=(0, 2, 3))


def lite_tally(
    activations: NDArray[np.float32],
    thresholds: NDArray[np.floating[Any]],
    annotations: Sequence[Annotation],
    category_of: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """What the old tools count: intersections, mask pixels, and mask pixels by category.

    Each map that exceeds its threshold is upsampled; the labels under its mask are counted, and summed into
    categories, of which those that overlap the mask are given its pixels.

    Returns
    -------
    intersection : ndarray of int64, shape (units, concepts)
    pixels : ndarray of int64, shape (units,)
    overlap : ndarray of int64, shape (units, categories)
    """
    units, concepts = activations.shape[1], category_of.size
    counts = np.zeros((units, concepts + 1), np.int64)
    pixels = np.zeros(units, np.int64)
    in_category = np.zeros((concepts + 1, int(category_of.max()) + 1), np.int64)
    in_category[np.arange(concepts) + 1, category_of] = 1
    overlap = np.zeros((units, in_category.shape[1]), np.int64)
    for i, annotation in enumerate(annotations):
        sh, sw = annotation.grid
        for unit in range(units):
            map_ = activations[i, unit]
            if map_.max() > thresholds[unit]:
                mask = cv2.resize(map_, (sw, sh), interpolation=cv2.INTER_LINEAR) > thresholds[unit]
                y, x = np.nonzero(mask)
                found = np.bincount(annotation.planes[:, y, x].ravel(), minlength=concepts + 1)
                found[0] = 0
                found[annotation.image_labels + 1] = y.size
                counts[unit] += found
                pixels[unit] += y.size
                overlap[unit] += y.size * (found @ in_category > 0)
    return counts[:, 1:], pixels, overlap
