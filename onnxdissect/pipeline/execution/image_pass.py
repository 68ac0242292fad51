"""The pass: the network is run once over every image (paper section 3.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.progress import Progress
from onnxdissect.core.state.intake import Intake
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.data.decoding.stream import Batch, PendingBatch
from onnxdissect.errors import DataError, ModelRuntimeError

__all__ = ["run_pass"]


def run_pass(
    intake: Intake,
    batches: Iterable[Batch | PendingBatch],
    forward: Callable[[NDArray[np.generic]], Sequence[NDArray[np.float32]]],
    image_name: Callable[[int], str],
    progress: Progress,
    *,
    workers: int,
    batch_size: int,
    tag: Mapping[str, str | int],
    save_every: float,
    stopped: Callable[[], bool],
) -> dict[str, float]:
    """Run the network once over the images that a state has not seen yet.

    Several workers do the same side by side: each runs the network on a few images and takes in their
    activations while these are still in the cache of its core. What is gathered does not depend on how many
    workers there are.

    Parameters
    ----------
    intake : Intake
        Of the state that is gone on from.
    batches : iterable of Batch or PendingBatch
        Images that the state has not seen yet; a worker works on one of these at a time, and decodes it if
        that has not been done.
    forward : callable
        From some images to the activations of the plan's layers, each of shape (n, units, h, w). Called by
        all workers at once.
    image_name : callable
        Name of an image, for messages.
    progress : Progress
        Told of every batch.
    workers : int
        How many workers.
    batch_size : int
        How many images the network is given at once.
    tag : mapping
        Saved with the state.
    save_every : float
        Seconds between two saves of the state.
    stopped : callable
        Asked after every batch; once it says yes, the state is saved and the pass ends.

    Returns
    -------
    dict of str to float
        Seconds that a worker spent on average decoding images or waiting for them, in inference, and in
        kernels and spooling.

    Raises
    ------
    KeyboardInterrupt
        If the pass was stopped.
    NonFiniteError
        If an activation is NaN or infinite, naming layer, unit and image.
    DataError
        If an image or its labels cannot be read; what was done before is saved.
    """
    spent = {"inference": 0.0, "spool": 0.0}
    spent_lock = Lock()

    def work(given: Batch | PendingBatch) -> int | DataError:
        try:
            batch = given.read()
        except DataError as error:
            # The others finish what they have begun, and the state is saved.
            return error
        began = time.perf_counter()
        inference = 0.0

        def activations() -> Iterator[Sequence[NDArray[np.float32]]]:
            nonlocal inference
            for at in range(0, len(batch.annotations), batch_size):
                entered = time.perf_counter()
                values = forward(batch.inputs[at : at + batch_size])
                inference += time.perf_counter() - entered
                yield values

        intake.take(batch.start, activations(), batch.annotations, image_name)
        batch.release()
        with spent_lock:
            spent["inference"] += inference
            spent["spool"] += time.perf_counter() - began - inference
        return len(batch.annotations)

    feed = _Feed(batches)
    progress.start("pass", intake.total)
    progress.advance(len(intake.images))
    began = saved = time.perf_counter()
    while not feed.exhausted:
        # A state can be saved when no worker is in the middle of something: the feed stops, and goes on.
        feed.paused = False
        try:
            for done in ahead(work, feed, workers=workers, depth=workers + 1):
                if isinstance(done, DataError):
                    feed.fail(done)
                    continue
                progress.advance(done)
                if stopped() or time.perf_counter() - saved > save_every:
                    feed.paused = True
        except ModelRuntimeError as error:
            if stopped():
                # the network was made to stop in the middle of a batch: what was saved before counts
                raise KeyboardInterrupt from error
            raise
        if feed.paused or (feed.error and intake.images):
            intake.save(tag)
            saved = time.perf_counter()
        if stopped():
            raise KeyboardInterrupt
        if feed.error:
            raise feed.error
    progress.finish()
    seconds = {phase: total_ / workers for phase, total_ in spent.items()}
    waited = time.perf_counter() - began - sum(seconds.values())
    return {"decode": max(0.0, waited)} | seconds


class _Feed:
    """Batches handed out until told to pause; a fault in the data ends them, and is kept for later."""

    def __init__(self, batches: Iterable[Batch | PendingBatch]) -> None:
        self._batches = iter(batches)
        self.paused = False
        self.exhausted = False
        self.error: DataError | None = None

    def fail(self, error: DataError) -> None:
        """End the feed with an error, unless it had one: that of the earliest images is told of first."""
        self.error = self.error or error

    def __iter__(self) -> Iterator[Batch | PendingBatch]:
        while not self.paused and not self.error:
            try:
                batch = next(self._batches)
            except StopIteration:
                self.exhausted = True
                return
            except DataError as error:
                self.fail(error)
                return
            yield batch
