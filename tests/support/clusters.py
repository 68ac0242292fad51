"""Runs on real Dask clusters: processes of this machine, killed when a test says so."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.small_runs import Convolution, broden, network

OPTIONS: dict[str, Any] = {
    "layers": "all",
    "quantiles": (0.1, 0.02),
    "preset": "raw",
    "batch_size": 2,
    "bootstrap": 50,
    "null": 3,
}


def small_inputs(folder: Path, images: int = 38) -> tuple[Path, Path]:
    convolutions = [
        Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1)),
        Convolution(3, (3, 3), (1, 1), (1, 1, 1, 1)),
    ]
    network(folder / "net.onnx", convolutions, pool=False, seed=1)
    broden(folder / "data", images, seed=2)
    return folder / "net.onnx", folder / "data"


@contextmanager
def cluster(workers: int, **options: Any) -> Iterator[Any]:
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            **options,
        ) as made,
        distributed.Client(made) as client,
    ):
        yield client


def pids(client: Any) -> dict[str, int]:
    found: dict[str, int] = client.run(os.getpid, on_error="ignore")
    return found


def kill_one(client: Any, draw: random.Random) -> None:
    alive = sorted(pids(client).values())
    if alive:
        os.kill(draw.choice(alive), signal.SIGKILL)


class Killing:
    """A progress that does something at the start of phases and in the midst of them."""

    def __init__(self, act: Callable[[str], None], every: int = 0) -> None:
        self._act = act
        self._every = every
        self._advanced = 0
        self.phases: list[str] = []
        self._phase = ""

    def start(self, phase: str, total: int) -> None:
        self._phase, self._advanced = phase, 0
        self.phases.append(phase)
        self._act(phase)

    def advance(self, images: int) -> None:
        self._advanced += images > 0
        if self._every and self._advanced and self._advanced % self._every == 0:
            self._act(self._phase)

    def finish(self) -> None:
        pass


def left_on(client: Any, *, plugins: bool = True) -> dict[str, list[str]]:
    """What of runs is on the workers: results, files, plugins."""

    def held(dask_worker: Any) -> list[str]:
        folder = Path(dask_worker.local_directory)
        return [
            *map(str, dask_worker.data),
            *(path.name for path in folder.glob("onnxdissect-*") if "model" not in path.name),
            *(name for name in dask_worker.plugins if plugins and name.startswith("onnxdissect")),
        ]

    found: dict[str, list[str]] = client.run(held)
    return found


def nothing_left(client: Any, seconds: float = 20.0, *, plugins: bool = True) -> bool:
    """Wait for workers to let go; tasks that run look for it between two batches."""
    until = time.monotonic() + seconds
    while any(left_on(client, plugins=plugins).values()) or any(client.processing().values()):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True
