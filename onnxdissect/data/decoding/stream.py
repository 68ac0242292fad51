"""Batches of prepared images with their annotations, decoded ahead of their use."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import DTypeLike, NDArray

from onnxdissect.data.annotation import Annotation
from onnxdissect.data.dataset import Dataset
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.errors import ParameterError

__all__ = ["Batch", "Prepare", "batches"]

Prepare = Callable[[NDArray[np.uint8], NDArray[np.generic]], None]
"""From an RGB image (h, w, 3) to what the network takes, written to the second argument."""

# Batches that are decoded while one is being consumed: one that is ready, and one in the making.
_AHEAD = 2


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Consecutive images of a data set.

    Attributes
    ----------
    start : int
        Position of the first image.
    inputs : ndarray, shape (images, ...)
        Prepared images. The consumer's own: never written to again.
    annotations : tuple of Annotation
        One per image.
    """

    start: int
    inputs: NDArray[np.generic]
    annotations: tuple[Annotation, ...]


def batches(
    dataset: Dataset,
    prepare: Prepare,
    *,
    shape: Sequence[int],
    dtype: DTypeLike,
    batch_size: int,
    workers: int,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[Batch]:
    """Decode images and annotations in worker threads, a few batches ahead, and yield them in order.

    What is yielded does not depend on the number of workers. The threads end when the iterator is exhausted,
    closed, or raises; images not yet begun are dropped then. OpenCV and zlib decode outside Python's lock, so
    threads do run side by side; OpenCV's own thread setting is left alone, as decoding makes no use of it.

    Parameters
    ----------
    dataset : Dataset
    prepare : callable
        Writes an RGB image to its place in a batch; called from several threads at once.
    shape : sequence of int
        Shape of one prepared image.
    dtype : dtype
        Type of the prepared images.
    batch_size : int
        Images per batch; the last may be shorter.
    workers : int
        Threads.
    start, stop : int
        Only the images from `start` up to `stop`, by default to the last.

    Returns
    -------
    iterator of Batch

    Raises
    ------
    ParameterError
        If a number is out of range.
    DataError
        While iterating: whatever is wrong with an image or a label map, that of the earliest image first;
        the batches before it have been yielded.
    """
    last = len(dataset) if stop is None else stop
    if batch_size < 1:
        raise ParameterError(f"the batch size must be 1 or more, not {batch_size}")
    if workers < 1:
        raise ParameterError(f"the number of workers must be 1 or more, not {workers}")
    if not 0 <= start <= last <= len(dataset):
        raise ParameterError(f"images {start} to {last} were asked for; there are {len(dataset)}")
    # Where batches are small, more of them are decoded ahead, so that all workers have something to do.
    depth = max(_AHEAD * batch_size, 2 * workers)
    return _stream(
        dataset, prepare, tuple(shape), np.dtype(dtype), range(start, last), batch_size, workers, depth
    )


def _stream(
    dataset: Dataset,
    prepare: Prepare,
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    images: range,
    batch_size: int,
    workers: int,
    depth: int,
) -> Iterator[Batch]:
    def places() -> Iterator[tuple[int, NDArray[np.generic], int]]:
        # A batch is allocated when its first image is begun, so no more are held than are worked on.
        for first in images[::batch_size]:
            count = min(batch_size, images.stop - first)
            inputs = np.empty((count, *shape), dtype)
            for slot in range(count):
                yield first + slot, inputs, slot

    def decode(place: tuple[int, NDArray[np.generic], int]) -> tuple[NDArray[np.generic], Annotation]:
        i, inputs, slot = place
        prepare(dataset.read_image(i), inputs[slot])
        return inputs, dataset.read_annotation(i)

    decoded = ahead(decode, places(), workers=workers, depth=depth)
    with contextlib.closing(decoded):
        for first in images[::batch_size]:
            done = list(islice(decoded, batch_size))
            yield Batch(first, done[0][0], tuple(annotation for _, annotation in done))
