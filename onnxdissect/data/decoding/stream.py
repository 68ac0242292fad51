"""Batches of prepared images with their annotations, decoded ahead of their use or by whoever uses them.

Where the network runs on the processor, decoding ahead gains nothing: all cores have something to do anyway,
and handing images over costs time and cache. So a worker there decodes its own, see `pending_batches`. Where
the network runs on a device, threads of their own decode for it, see `batches`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import DTypeLike, NDArray

from onnxdissect.data.annotation import Annotation
from onnxdissect.data.dataset import Dataset
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.errors import ParameterError

__all__ = ["Batch", "PendingBatch", "Prepare", "batches", "pending_batches"]

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
        Prepared images. The consumer's own: not written to before `release` is called.
    annotations : tuple of Annotation
        One per image.
    release : callable
        Gives the memory of `inputs` back, once, for images to come: the system would have to clear that of a
        new array. Whoever goes on using `inputs` does not call it.
    """

    start: int
    inputs: NDArray[np.generic]
    annotations: tuple[Annotation, ...]
    release: Callable[[], None] = lambda: None

    def read(self) -> Batch:
        """Give this batch: it has been decoded. See `PendingBatch.read`."""
        return self


@dataclass(frozen=True, slots=True, eq=False)
class PendingBatch:
    """Consecutive images of a data set, not yet decoded.

    Attributes
    ----------
    images : range
        Their positions.
    decode : callable
        Decodes so many images, and gives them as a batch.
    """

    images: range
    decode: Callable[[range], Batch]

    def read(self) -> Batch:
        """Decode the images, in the calling thread.

        Returns
        -------
        Batch

        Raises
        ------
        DataError
            Whatever is wrong with an image or a label map, that of the earliest image first.
        """
        return self.decode(self.images)


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
    images = _span(dataset, batch_size, start, stop)
    if workers < 1:
        raise ParameterError(f"the number of workers must be 1 or more, not {workers}")
    # Where batches are small, more of them are decoded ahead, so that all workers have something to do. Where
    # they are large, a worker takes several images at a time: handing one over costs a tenth of decoding it.
    depth = max(_AHEAD * batch_size, 2 * workers)
    piece = min(batch_size, depth // (2 * workers))
    buffers = _Buffers((batch_size, *shape), np.dtype(dtype))
    return _stream(partial(_fill, dataset, prepare), buffers, images, piece, workers, depth)


def pending_batches(
    dataset: Dataset,
    prepare: Prepare,
    *,
    shape: Sequence[int],
    dtype: DTypeLike,
    batch_size: int,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[PendingBatch]:
    """Divide images into batches that are decoded by whoever works on them; several may do so at once.

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
    start, stop : int
        Only the images from `start` up to `stop`, by default to the last.

    Returns
    -------
    iterator of PendingBatch
        They give the batches that `batches` gives.

    Raises
    ------
    ParameterError
        If a number is out of range.
    """
    images = _span(dataset, batch_size, start, stop)
    buffers = _Buffers((batch_size, *shape), np.dtype(dtype))

    def decode(some: range) -> Batch:
        buffer = buffers.take()
        annotations = _fill(dataset, prepare, buffer, 0, some)
        return buffers.batch(some.start, buffer, annotations)

    return (PendingBatch(images[at : at + batch_size], decode) for at in range(0, len(images), batch_size))


def _span(dataset: Dataset, batch_size: int, start: int, stop: int | None) -> range:
    last = len(dataset) if stop is None else stop
    if batch_size < 1:
        raise ParameterError(f"the batch size must be 1 or more, not {batch_size}")
    if not 0 <= start <= last <= len(dataset):
        raise ParameterError(f"images {start} to {last} were asked for; there are {len(dataset)}")
    return range(start, last)


def _fill(
    dataset: Dataset, prepare: Prepare, buffer: NDArray[np.generic], slot: int, images: range
) -> list[Annotation]:
    """Decode consecutive images to their places, and their annotations."""
    annotations = []
    for place, i in enumerate(images, slot):
        prepare(dataset.read_image(i), buffer[place])
        annotations.append(dataset.read_annotation(i))
    return annotations


class _Buffers:
    """Arrays for batches, those that were given back before new ones; used by several threads at once."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
        self.batch_size = shape[0]
        self._shape = shape
        self._dtype = dtype
        # Lists are changed at their end by one thread at a time.
        self._spare: list[NDArray[np.generic]] = []

    def take(self) -> NDArray[np.generic]:
        try:
            return self._spare.pop()
        except IndexError:
            return np.empty(self._shape, self._dtype)

    def batch(self, start: int, buffer: NDArray[np.generic], annotations: Sequence[Annotation]) -> Batch:
        release = partial(self._spare.append, buffer)
        return Batch(start, buffer[: len(annotations)], tuple(annotations), release)


def _stream(
    fill: Callable[[NDArray[np.generic], int, range], list[Annotation]],
    buffers: _Buffers,
    images: range,
    piece: int,
    workers: int,
    depth: int,
) -> Iterator[Batch]:
    batch_size = buffers.batch_size
    starts = images[::batch_size]
    pieces = -(-batch_size // piece)

    def places() -> Iterator[tuple[NDArray[np.generic], int, range]]:
        # A batch is given memory when its first images are begun, so no more is held than is worked on.
        for first in starts:
            buffer = buffers.take()
            stop = min(first + batch_size, images.stop)
            for begin in range(first, stop, piece):
                yield buffer, begin - first, range(begin, min(begin + piece, stop))

    def decode(
        place: tuple[NDArray[np.generic], int, range],
    ) -> tuple[NDArray[np.generic], list[Annotation]]:
        return place[0], fill(*place)

    decoded = ahead(decode, places(), workers=workers, depth=max(_AHEAD * pieces, depth // piece))
    with contextlib.closing(decoded):
        for first in starts:
            count = min(batch_size, images.stop - first)
            annotations: list[Annotation] = []
            while len(annotations) < count:
                buffer, some = next(decoded)
                annotations += some
            yield buffers.batch(first, buffer, annotations)
