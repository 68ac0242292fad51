"""Who runs the network over the images: an interface, and the workers of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from typing import Protocol

from onnxdissect.core.progress import Progress
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.intake import Intake
from onnxdissect.core.state.pass_state import STATE_FORMAT, PassState
from onnxdissect.data import batches
from onnxdissect.data.decoding.stream import Batch, PendingBatch, pending_batches
from onnxdissect.pipeline.execution.image_pass import run_pass
from onnxdissect.pipeline.execution.stopping import stop_request
from onnxdissect.pipeline.prepare import Prepared

__all__ = ["Executor", "LocalExecutor", "PassTask", "cut", "pass_tag"]


@dataclass(frozen=True, slots=True, eq=False)
class PassTask:
    """What an executor works on.

    Attributes
    ----------
    prepared : Prepared
        What is run. It holds a session, which cannot leave its process; another process makes one of its
        own from ``prepared.request.options``, with `onnxdissect.pipeline.request.open_request` and
        `onnxdissect.pipeline.prepare.prepare`; where there are bases, with ``prepared.request.layers`` in
        place of the layers of the request that it opens.
    state : PassState
        What has been gathered so far.
    progress : Progress
    """

    prepared: Prepared
    state: PassState
    progress: Progress


class Executor(Protocol):
    """Runs the network over images and gives back what was gathered."""

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds spent in what, for the manifest; known after the pass, and empty if nobody measured."""

    def run(self, task: PassTask, images: ImageRanges) -> Iterator[PassState]:
        """Run the network over images.

        Parameters
        ----------
        task : PassTask
        images : ImageRanges
            Those that ``task.state`` lacks. They may be divided, see `cut`, and taken in any order.

        Yields
        ------
        PassState
            Each of other images, all of these together; or ``task.state`` itself, when images have been
            added to it. An executor that yields other states leaves ``task.state`` alone: they are merged
            into it as they come, and it is saved from time to time and when the executor fails.

        Raises
        ------
        KeyboardInterrupt
            If the pass was stopped.
        OnnxDissectError
            If an image or its labels cannot be read, or an activation is NaN or infinite.
        """


def cut(images: ImageRanges, size: int, block: int) -> Iterator[tuple[int, int]]:
    """Cut images into chunks, between the batches that a pass over all images would have.

    A network may give other bits for an image in a batch of another size, so the batches must be the same
    however a pass is divided.

    Parameters
    ----------
    images : ImageRanges
    size : int
        Images of a chunk, rounded up to whole blocks.
    block : int
        ``Plan.block``.

    Yields
    ------
    (int, int)
        First image, and the one after the last; ascending.
    """
    size = -(-size // block) * block
    for start, stop in images.ranges:
        edges = [start, *range((start // size + 1) * size, stop, size), stop]
        yield from pairwise(edges)


def pass_tag(prepared: Prepared) -> dict[str, str | int]:
    """Name what must be the same for an interrupted pass to go on with the same bits.

    Parameters
    ----------
    prepared : Prepared

    Returns
    -------
    dict of str to (str or int)
    """
    return {
        "state": STATE_FORMAT,
        "provider": prepared.session.provider,
        "batch_size": prepared.batch_size,
    }


class LocalExecutor:
    """The workers of this process, side by side; they add to the state of the task.

    Attributes
    ----------
    seconds : mapping of str to float
        What `run_pass` gave.

    Parameters
    ----------
    stopped : callable, optional
        Asked after every batch; once it says yes, the pass ends as at Ctrl-C.
    """

    def __init__(self, stopped: Callable[[], bool] | None = None) -> None:
        self.seconds: Mapping[str, float] = {}
        self._stopped = stopped

    def run(self, task: PassTask, images: ImageRanges) -> Iterator[PassState]:
        """Run the network over images, and save the state from time to time; see `Executor.run`."""
        prepared = task.prepared
        streams = (_stream(prepared, start, stop) for start, stop in images.ranges)
        intake = Intake(task.state)
        own = self._stopped
        with stop_request(prepared.session.stop) as stopped:
            self.seconds = run_pass(
                intake,
                chain.from_iterable(streams),
                prepared.session,
                prepared.request.dataset.image_name,
                task.progress,
                workers=prepared.workers,
                batch_size=prepared.batch_size,
                tag=pass_tag(prepared),
                save_every=prepared.request.options.execution.save_every,
                stopped=stopped if own is None else lambda: stopped() or own(),
            )
        yield intake.gathered()


def _stream(prepared: Prepared, start: int, stop: int) -> Iterator[Batch | PendingBatch]:
    """Batches of some images; where the workers share a processor with the network, they decode them."""
    preparer = prepared.preparer
    divide = (
        pending_batches if prepared.session.provider == "cpu" else partial(batches, workers=prepared.decoders)
    )
    return divide(
        prepared.request.dataset,
        preparer,
        shape=preparer.shape,
        dtype=preparer.dtype,
        batch_size=prepared.plan.block,
        start=start,
        stop=stop,
    )
