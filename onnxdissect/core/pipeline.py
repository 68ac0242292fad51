"""One pass over the images, then the tally of what it kept (paper sections 3.2 and 3.3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.kernels.count import count
from onnxdissect.core.plan import Plan
from onnxdissect.core.records import Counts
from onnxdissect.core.state import Passed, PassState
from onnxdissect.core.top import TopImages
from onnxdissect.core.upsample import sampling
from onnxdissect.data.stream import Batch
from onnxdissect.errors import DataError

__all__ = ["LayerTally", "Progress", "run_pass", "tally"]


class Progress(Protocol):
    """What a long run tells about itself; the command line draws it, a program may ignore it."""

    def start(self, phase: str, total: int) -> None:
        """Begin a phase over so many images."""

    def advance(self, images: int) -> None:
        """So many more images are done."""

    def finish(self) -> None:
        """End the phase."""


@dataclass(frozen=True, slots=True)
class LayerTally:
    """Everything counted for one layer.

    Attributes
    ----------
    thresholds : ndarray of float32, shape (quantiles, units)
    counts : Counts
    top : TopImages
    """

    thresholds: NDArray[np.float32]
    counts: Counts
    top: TopImages


def run_pass(
    state: PassState,
    batches: Iterable[Batch],
    forward: Callable[[NDArray[np.generic]], Sequence[NDArray[np.float32]]],
    image_name: Callable[[int], str],
    progress: Progress,
    *,
    total: int,
    tag: Mapping[str, str | int],
    save_every: float,
    stopped: Callable[[], bool],
) -> dict[str, float]:
    """Run the network once over the images that a state has not seen yet.

    Parameters
    ----------
    state : PassState
        Taken on from where it is.
    batches : iterable of Batch
        The images from ``state.images`` on, in order.
    forward : callable
        From a batch's inputs to the activations of the plan's layers, each of shape (n, units, h, w).
    image_name : callable
        Name of an image, for messages.
    progress : Progress
        Told of every batch.
    total : int
        Images of the whole pass.
    tag : mapping
        Saved with the state.
    save_every : float
        Seconds between two saves of the state.
    stopped : callable
        Asked after every batch; once it says yes, the state is saved and the pass ends.

    Returns
    -------
    dict of str to float
        Seconds spent waiting for decoded images, in inference, and in kernels and spooling.

    Raises
    ------
    KeyboardInterrupt
        If the pass was stopped.
    NonFiniteError
        If an activation is NaN or infinite, naming layer, unit and image.
    DataError
        If an image or its labels cannot be read; what was done before is saved.
    """
    seconds = {"decode": 0.0, "inference": 0.0, "spool": 0.0}
    progress.start("pass", total)
    progress.advance(state.images)
    clock = saved = time.perf_counter()

    def lap(phase: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[phase] += now - clock
        clock = now

    try:
        for batch in batches:
            lap("decode")
            activations = forward(batch.inputs)
            lap("inference")
            state.take(activations, batch.annotations, image_name)
            if stopped():
                state.save(tag)
                raise KeyboardInterrupt
            if clock - saved > save_every:
                state.save(tag)
                saved = clock
            lap("spool")
            progress.advance(len(batch.annotations))
    except DataError:
        if state.images:
            state.save(tag)
        raise
    progress.finish()
    return seconds


def tally(plan: Plan, passed: Passed, progress: Progress) -> tuple[LayerTally, ...]:
    """Count the masks of everything a pass kept against its annotations.

    Parameters
    ----------
    plan : Plan
    passed : Passed
    progress : Progress

    Returns
    -------
    tuple of LayerTally
        One per layer of the plan.
    """
    vocabulary = plan.vocabulary
    mask_bytes = (int(plan.grids.prod(axis=1).max()) + 7) // 8
    samplings = [sampling(layer.shape, plan.grids, plan.pixels, layer.field) for layer in plan.layers]
    counts = [
        Counts.zeros(
            len(plan.quantiles),
            layer.units,
            len(vocabulary.concepts),
            len(vocabulary.categories),
            top.images.shape[1],
            mask_bytes,
        )
        for layer, top in zip(plan.layers, passed.top, strict=True)
    ]
    progress.start("tally", plan.images)
    for chunk in passed.spool:
        annotations = chunk.annotations.unpack()
        for i, records in enumerate(chunk.layers):
            ranks = passed.top[i].ranks(chunk.start + records.image_of(), records.units)
            count(
                records,
                annotations,
                ranks,
                passed.thresholds[i],
                samplings[i],
                vocabulary.category_of,
                counts[i],
                plan.threads,
            )
        progress.advance(len(annotations))
    progress.finish()
    return tuple(map(LayerTally, passed.thresholds, counts, passed.top))
