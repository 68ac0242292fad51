"""Waiting for what workers compute, for as long as there are any."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from distributed import as_completed

from onnxdissect.errors import ClusterError

__all__ = ["PATIENCE_SECONDS", "results"]

PATIENCE_SECONDS = 60.0
"""How long a run waits where all workers are gone: nannies and batch systems start them again."""

_BETWEEN_LOOKS = 0.01
_BETWEEN_QUESTIONS = 0.5


def results(client: Any, futures: Sequence[Any], patience: float = PATIENCE_SECONDS) -> Iterator[Any]:
    """Give what comes of futures as it comes, and let go of each.

    Parameters
    ----------
    client : distributed.Client
    futures : sequence of distributed.Future
    patience : float
        Seconds to wait without a worker.

    Yields
    ------
    object
        Results, in any order.

    Raises
    ------
    ClusterError
        If there has been no worker for so long, or the scheduler is gone.
    """
    waiting = as_completed(futures)
    seen = asked = time.monotonic()
    while not waiting.is_empty():
        if waiting.has_ready():
            future = next(waiting)
            yield future.result()
            future.release()
            seen = time.monotonic()
            continue
        if client.status not in ("running", "connecting"):
            raise ClusterError(
                f"the connection to the scheduler is lost: the client is {client.status}",
                hint="see whether the scheduler is up, and start the run again",
            )
        now = time.monotonic()
        # the scheduler is asked, which should not be done all the time
        if now - asked > _BETWEEN_QUESTIONS:
            asked = now
            if client.scheduler_info()["workers"]:
                seen = now
        if now - seen > patience:
            raise ClusterError(
                f"the cluster has had no worker for {patience:g} seconds",
                hint=f"dask worker {client.scheduler.address}, and start the run again",
            )
        time.sleep(_BETWEEN_LOOKS)
