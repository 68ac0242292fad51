"""What is asked of the workers of a cluster before anything is given to them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from onnxdissect.distributed.versions import decisive_versions, differing_versions
from onnxdissect.errors import ClusterError, listed, shown_path

__all__ = ["WorkerFacts", "ask_workers", "expect_paths", "expect_versions"]


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What a worker told.

    Attributes
    ----------
    versions : dict of str to str
        See `onnxdissect.distributed.versions.decisive_versions`.
    missing : tuple of str
        Which of the paths asked about it does not see.
    """

    versions: dict[str, str]
    missing: tuple[str, ...]


def ask_workers(client: Any, paths: Sequence[str]) -> dict[str, WorkerFacts]:
    """Ask all workers what they have.

    Parameters
    ----------
    client : distributed.Client
    paths : sequence of str
        Files and folders, absolute.

    Returns
    -------
    dict of str to WorkerFacts
        By the worker's address.

    Raises
    ------
    ClusterError
        If there is no worker, or one cannot answer, which is told.
    """
    found: dict[str, Any] = client.run(partial(_facts, paths), on_error="return")
    if not found:
        raise ClusterError(
            f"the scheduler at {client.scheduler.address} has no workers",
            hint=f"dask worker {client.scheduler.address}",
        )
    for address, told in found.items():
        if not isinstance(told, WorkerFacts):
            raise ClusterError(
                f"the worker {address} cannot run onnxdissect: {type(told).__name__}: {told}",
                hint="install there what is installed here, in the same versions",
            )
    return found


def expect_versions(workers: Mapping[str, WorkerFacts]) -> None:
    """Refuse workers that would compute something else, or something that cannot be told.

    Parameters
    ----------
    workers : mapping of str to WorkerFacts
        By address.

    Raises
    ------
    ClusterError
        Naming the first such worker, and both versions of everything that differs.
    """
    here = decisive_versions()
    for address, told in workers.items():
        difference = differing_versions(here, told.versions)
        if difference:
            raise ClusterError(
                f"the worker {address} has other versions: {difference}",
                hint="install there what is installed here, in the same versions",
            )


def expect_paths(workers: Mapping[str, WorkerFacts], paths: Sequence[str]) -> None:
    """Refuse paths that not every worker sees.

    Parameters
    ----------
    workers : mapping of str to WorkerFacts
        By address.
    paths : sequence of str
        Some of those that they were asked about.

    Raises
    ------
    ClusterError
        Naming the workers and the path.
    """
    for path in paths:
        blind = [address for address, told in workers.items() if path in told.missing]
        if blind:
            raise ClusterError(
                f"{shown_path(path)} is there for this process, but not for {len(blind)} of "
                f"{len(workers)} workers: {listed(blind)}",
                hint="put it on a file system that all of them see under the same path, or copy it there",
            )


def _facts(paths: Sequence[str]) -> WorkerFacts:
    return WorkerFacts(decisive_versions(), tuple(path for path in paths if not os.path.exists(path)))  # noqa: PTH110
