"""The executor that runs the network on the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.pass_state import PassState
from onnxdissect.data import installed_sources
from onnxdissect.distributed.cluster_spool import ClusterSpool
from onnxdissect.distributed.failures import explained_failures
from onnxdissect.distributed.opened_run import OpenedRun, RunToOpen
from onnxdissect.distributed.parts import pass_part, state_of
from onnxdissect.distributed.versions import decisive_versions
from onnxdissect.distributed.waiting import results
from onnxdissect.distributed.workers import ask_workers, expect_paths, expect_versions
from onnxdissect.model.reading.external_data import external_tensors
from onnxdissect.pipeline.execution.executor import PassTask, cut
from onnxdissect.pipeline.options import RunOptions
from onnxdissect.pipeline.prepare import Prepared

__all__ = ["DaskExecutor", "part_size"]

# Parts that a thread of the cluster gets in the course of a run: with one each, the slowest would be waited
# for, and small parts keep more of early images. The scheduler holds a few tasks for each.
_PARTS_PER_THREAD = 4
_MOST_PARTS = 4096


class DaskExecutor:
    """Runs the network on a cluster; what each part gathered stays with its worker, which counts it.

    A context manager: when it is left, no task and no file of the run remains on the cluster.

    Parameters
    ----------
    client : distributed.Client
        It is left open.

    Attributes
    ----------
    seconds : mapping of str to float
        Empty: workers do not tell.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._token = uuid.uuid4().hex
        self._name = f"onnxdissect-{self._token}"
        self._parts: dict[int, Any] = {}
        self._spool: ClusterSpool | None = None
        self._registered = False
        self.seconds: Mapping[str, float] = {}

    def __enter__(self) -> DaskExecutor:
        return self

    def __exit__(self, *exception: object) -> None:
        self._release()

    def run(self, task: PassTask, images: ImageRanges) -> Iterator[PassState]:
        """Run the network over images, and leave the spool where it was made; see `Executor.run`.

        Raises
        ------
        ClusterError
            If workers cannot take part, die again and again, or the scheduler is gone.
        """
        client, state, progress = self._client, task.state, task.progress
        with explained_failures(client.scheduler.address):
            self._release()
            self._registered = True
            client.register_plugin(OpenedRun(self._to_open(task.prepared)), name=self._name)
            threads = sum(client.nthreads().values())
            size = part_size(len(images), threads)
            stops = dict(cut(images, size, task.prepared.plan.block))
            self._parts = {
                start: client.submit(
                    pass_part, self._name, start, stop, key=(f"onnxdissect-pass-{self._token}", start)
                )
                for start, stop in stops.items()
            }
            self._spool = ClusterSpool(client, self._token, self._parts, state.spool)
            progress.start("pass", state.plan.images)
            progress.advance(len(state.images))
            gathered = [
                client.submit(state_of, part, key=(f"onnxdissect-gather-{self._token}", start))
                for start, part in self._parts.items()
            ]
            more: PassState
            for more in results(client, gathered):
                state.merge(more)
                progress.advance(len(more.images))
            progress.finish()
            state.elsewhere = self._spool
        yield state

    def _to_open(self, prepared: Prepared) -> RunToOpen:
        """Say what workers open, once all of them have told that they can."""
        options = _everywhere(prepared)
        network = prepared.request.network
        model = str(options.model)
        others = [path for path in (options.data, *options.reading.custom_ops) if _is_path(path)]
        paths = [model, *map(str, others)]
        workers = ask_workers(self._client, paths)
        expect_versions(workers)
        expect_paths(workers, paths[1:])
        content = None
        if any(model in told.missing for told in workers.values()):
            if any(True for _ in external_tensors(network.model)):
                expect_paths(workers, [model])
            content = options.model.read_bytes()
        return RunToOpen(
            options,
            replace(
                options.execution,
                provider=prepared.session.provider,
                batch_size=prepared.batch_size,
                save_every=float("inf"),
            ),
            prepared.request.layers,
            prepared.plan,
            decisive_versions(),
            network.sha256,
            content,
        )

    def _release(self) -> None:
        parts, self._parts = list(self._parts.values()), {}
        if self._spool is not None:
            self._spool.forget()
            self._spool = None
        # where the scheduler is gone there is nothing left to release
        with contextlib.suppress(Exception):
            if parts:
                self._client.cancel(parts, force=True)
            if self._registered:
                self._client.unregister_worker_plugin(self._name)
        self._registered = False


def part_size(images: int, threads: int) -> int:
    """Choose how many images a part has: the larger the job, the larger the parts, not the more.

    Parameters
    ----------
    images : int
        Of the run.
    threads : int
        Of all workers.

    Returns
    -------
    int
    """
    parts = min(_MOST_PARTS, _PARTS_PER_THREAD * max(1, threads))
    return max(1, -(-images // parts))


def _everywhere(prepared: Prepared) -> RunOptions:
    """Word what is asked for so that it means the same in any folder."""
    options = prepared.request.options
    data = options.data
    if isinstance(data, str | Path):
        sources = installed_sources()
        spec = str(data)
        named = sources.find(spec) is not None
        data = sources.absolute(spec) if named or not os.path.lexists(spec) else str(Path(spec).absolute())
    reading = options.reading
    return replace(
        options,
        model=options.model.absolute(),
        data=data,
        reading=replace(reading, custom_ops=[str(Path(path).absolute()) for path in reading.custom_ops]),
    )


def _is_path(given: object) -> bool:
    return isinstance(given, str | Path) and os.path.isabs(given) and os.path.lexists(given)  # noqa: PTH117
