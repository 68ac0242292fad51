"""A pass divided into chunks: among processes, out of order, killed, merged in a tree."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from onnxdissect.core.progress import Silent
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.pass_state import PassState
from onnxdissect.model import Layer
from onnxdissect.pipeline.execution.executor import LocalExecutor, PassTask, cut
from onnxdissect.pipeline.options import RunOptions
from onnxdissect.pipeline.prepare import prepare
from onnxdissect.pipeline.request import open_request
from onnxdissect.pipeline.run import run


@dataclass
class SpawnedProcesses:
    """Runs chunks of `size` images in two processes at a time, begun anew after one of them was killed.

    Attributes
    ----------
    folder : Path
        Where states are left.
    size : int
        Images of a chunk.
    died : list of int
        Exit codes of the processes that did not end well.
    left : list of int
        How many chunks were left to do each time that processes were started.
    """

    folder: Path
    size: int
    seconds: Mapping[str, float] = field(default_factory=dict)
    died: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    def run(self, task: PassTask, images: ImageRanges) -> Iterator[PassState]:
        chunks = list(cut(images, self.size, task.prepared.plan.block))
        # Neighbours never meet before the last merges.
        chunks = chunks[1::2][::-1] + chunks[::2]
        request = task.prepared.request
        killed_after = 1
        while todo := [chunk for chunk in chunks if not self._path(chunk).exists()]:
            self.left.append(len(todo))
            context = multiprocessing.get_context("spawn")
            workers = [
                context.Process(
                    target=_work,
                    args=(request.options, request.layers, todo[i::2], self.folder, i, killed_after),
                )
                for i in range(2)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(timeout=300)
                self.died += [worker.exitcode or 0] * (worker.exitcode != 0)
            killed_after = -1
        states: list[PassState] = [pickle.loads(self._path(chunk).read_bytes()) for chunk in chunks]
        yield tree(states)

    def _path(self, chunk: tuple[int, int]) -> Path:
        return self.folder / f"{chunk[0]}-{chunk[1]}.pickle"


def tree(states: Sequence[PassState]) -> PassState:
    """Merge neighbours, and what comes of it again, until one is left."""
    while len(states) > 1:
        for one, other in zip(states[::2], states[1::2], strict=False):
            one.merge(other)
        states = states[::2]
    return states[0]


def _work(
    options: RunOptions,
    layers: Sequence[Layer],
    chunks: Sequence[tuple[int, int]],
    folder: Path,
    number: int,
    killed_after: int,
) -> None:
    request = open_request(options, Silent())
    prepared = prepare(replace(request, layers=layers), lambda message: None)
    if number == 0:  # all of this one's spools go to disk
        prepared = replace(prepared, plan=replace(prepared.plan, spool_bytes=1))
    for done, (start, stop) in enumerate(chunks):
        work = folder / f"work-{start}-{number}"
        work.mkdir(exist_ok=True)
        task = PassTask(prepared, PassState(prepared.plan, work), Silent())
        (state,) = LocalExecutor().run(task, ImageRanges.of((start, stop)))
        if number == 1 and done == killed_after:
            os.kill(os.getpid(), signal.SIGKILL)
        partial = folder / f"{start}.partial"
        partial.write_bytes(pickle.dumps(state))
        partial.rename(folder / f"{start}-{stop}.pickle")


@dataclass
class Chunks:
    """Runs chunks of 8 images, each into a state of its own, and gives back what `given` makes of them."""

    folder: Path
    given: Callable[[list[PassState]], Iterator[object]]
    seconds: Mapping[str, float] = field(default_factory=dict)
    asked: list[ImageRanges] = field(default_factory=list)

    def run(self, task: PassTask, images: ImageRanges) -> Iterator[PassState]:
        self.asked.append(images)
        yield from self.given(states_of(task, images, self.folder))  # type: ignore[misc]


def states_of(task: PassTask, images: ImageRanges, folder: Path) -> list[PassState]:
    states = []
    for chunk in cut(images, 8, task.prepared.plan.block):
        own = Path(tempfile.mkdtemp(dir=folder))
        one = PassTask(task.prepared, PassState(task.prepared.plan, own), Silent())
        states += list(LocalExecutor().run(one, ImageRanges.of(chunk)))
    return states


def run_and_die(options: RunOptions, folder: Path) -> None:
    """Kill this process once two chunks have been given back."""

    def given(states: list[PassState]) -> Iterator[PassState]:
        yield from states[:2]
        os.kill(os.getpid(), signal.SIGKILL)

    run(options, executor=Chunks(folder, given))
