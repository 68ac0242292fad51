"""What a worker does: a part of the pass, and whatever is asked of what that part has kept."""

from __future__ import annotations

import pickle
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from distributed import get_worker

from onnxdissect.core.progress import Silent
from onnxdissect.core.spool.spool import Chunk, Spool
from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.pass_state import PassState
from onnxdissect.distributed.opened_run import Opened
from onnxdissect.pipeline.execution.executor import LocalExecutor, PassTask

__all__ = ["Part", "chunks_of", "pass_part", "state_of", "walk_part"]

_Found = TypeVar("_Found")


class Part:
    """What a worker has gathered from some images: the spool on its disk, all else in a file beside it.

    The files go with the last reference to it. Where Dask brings it to another worker, what is in them goes
    along and stays in memory there.

    Parameters
    ----------
    state : PassState
        Of these images. Of no use afterwards.
    folder : Path
        Its own, which it was gathered in.
    opened : Opened
        Stays open for the parts that follow.
    """

    def __init__(self, state: PassState, folder: Path, opened: Opened) -> None:
        self._opened = opened
        spool = state.spool
        spool.flush([layer.thresholds.bounds for layer in state.layers])
        spool.complete()
        state.spool = Spool(folder, state.plan.spool_bytes)
        self._chunks: list[Chunk] | None = None
        self._state: bytes | None = None
        # Whoever walks over the files gets a reader of its own.
        self._spool = pickle.dumps(spool)
        self._file = folder / "state.pickle"
        self._file.write_bytes(pickle.dumps(state))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def chunks(self) -> Iterable[Chunk]:
        """All chunks of the spool, in no particular order."""
        if self._chunks is not None:
            return self._chunks
        spool: Spool = pickle.loads(self._spool)
        spool.complete()
        return spool

    def state(self) -> PassState:
        """Everything gathered but for the spool."""
        found: PassState = pickle.loads(self._pickled_state())
        return found

    def _pickled_state(self) -> bytes:
        return self._file.read_bytes() if self._state is None else self._state

    def __getstate__(self) -> tuple[list[Chunk], bytes]:
        return list(self.chunks()), self._pickled_state()

    def __setstate__(self, state: tuple[list[Chunk], bytes]) -> None:
        self._chunks, self._state = state


def pass_part(run: str, start: int, stop: int) -> Part:
    """Run the network over some images.

    Parameters
    ----------
    run : str
        Name of the `onnxdissect.distributed.opened_run.OpenedRun` on this worker.
    start, stop : int
        First image, and the one after the last.

    Returns
    -------
    Part

    Raises
    ------
    ClusterError
        If the worker cannot take part in the run.
    OnnxDissectError
        If an image or its labels cannot be read, an activation is NaN or infinite, or the disk is full.
    """
    worker = get_worker()
    opened = worker.plugins[run].opened()
    prepared = opened.prepared
    folder = Path(tempfile.mkdtemp(prefix="onnxdissect-", dir=worker.local_directory))
    try:
        task = PassTask(prepared, PassState(prepared.plan, folder), Silent())
        (state,) = LocalExecutor(_cancelled(worker)).run(task, ImageRanges.of((start, stop)))
        return Part(state, folder, opened)
    except KeyboardInterrupt:
        # a worker takes this one for its own end
        shutil.rmtree(folder, ignore_errors=True)
        raise RuntimeError("the run was cancelled") from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def state_of(part: Part) -> PassState:
    """Give everything that a part has gathered but for its spool.

    Parameters
    ----------
    part : Part

    Returns
    -------
    PassState
    """
    return part.state()


def walk_part(part: Part, work: Callable[..., _Found], *arguments: Any) -> _Found:
    """Do something with what a part has kept.

    Parameters
    ----------
    part : Part
    work : callable
        Given the chunks and the arguments.
    *arguments

    Returns
    -------
    object
        What it gave.
    """
    return work(part.chunks(), *arguments)


def chunks_of(part: Part) -> list[Chunk]:
    """Give all chunks of a part.

    Parameters
    ----------
    part : Part

    Returns
    -------
    list of Chunk
        By their images.
    """
    return sorted(part.chunks(), key=lambda chunk: chunk.start)


def _cancelled(worker: Any) -> Callable[[], bool]:
    """Ask whether nobody waits for this task any more: the client has cancelled it, or is gone."""
    key = worker.get_current_task()

    def cancelled() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    return cancelled
