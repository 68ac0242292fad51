"""Many images, prepared some at a time, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.progress import Progress

__all__ = ["prepared_batches"]

_BATCH_BYTES = 32 * 2**20
_MOST = 32


def prepared_batches(
    read: Callable[[int], NDArray[np.generic]], count: int, layer_bytes: int, progress: Progress, phase: str
) -> Iterator[tuple[slice, NDArray[np.generic]]]:
    """Read images one after another, and give them in batches.

    Parameters
    ----------
    read : callable
        Takes the position of an image, gives it prepared: a batch of one.
    count : int
        How many there are.
    layer_bytes : int
        What the layer takes that is computed of one image.
    progress : Progress
    phase : str
        What it is told that is done.

    Yields
    ------
    (slice, ndarray)
        Positions, and the images there: as many as take 32 MiB, themselves or their layer, but not more
        than 32.
    """
    progress.start(phase, count)
    first = 0
    while first < count:
        batch = [read(first)]
        size = min(_MOST, _BATCH_BYTES // max(batch[0].nbytes, layer_bytes, 1))
        last = min(first + max(size, 1), count)
        batch += [read(i) for i in range(first + 1, last)]
        yield slice(first, last), np.concatenate(batch)
        progress.advance(last - first)
        first = last
    progress.finish()
