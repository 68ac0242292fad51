"""From what ``--scheduler`` is given to the client of a cluster."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from multiprocessing import resource_tracker
from typing import Any

from onnxdissect.distributed.dask_library import import_distributed
from onnxdissect.errors import ClusterError, ParameterError, shown
from onnxdissect.interrupts import uninterrupted
from onnxdissect.machine import cores

__all__ = ["CONNECT_SECONDS", "connected"]

CONNECT_SECONDS = 10.0
"""How long a scheduler is waited for."""

_LOCAL = re.compile(r"local(?::(?P<workers>[0-9]{1,4}))?")
_ADDRESS = re.compile(r"[a-z]+://\S+")


@contextlib.contextmanager
def connected(scheduler: str, timeout: float = CONNECT_SECONDS) -> Iterator[Any]:
    """Connect to a scheduler, or start one with workers of this machine.

    Parameters
    ----------
    scheduler : str
        An address, such as ``tcp://host:8786``, or ``local:N`` for N processes of one thread each; ``local``
        for one per core. Certificates for ``tls://`` are those of Dask's own configuration.
    timeout : float
        Seconds to wait for a scheduler and its first worker.

    Yields
    ------
    distributed.Client

    Raises
    ------
    InstallationError
        If Dask's distributed is not installed.
    ParameterError
        If it is neither.
    ClusterError
        If nothing answers there in time, or nothing that this process is let talk to, or it has no worker.
    """
    local = _LOCAL.fullmatch(scheduler)
    workers = cores() if local is None or local["workers"] is None else int(local["workers"])
    if (local is None and not _ADDRESS.fullmatch(scheduler)) or workers < 1:
        raise ParameterError(
            f"a scheduler is local, local:N with N of at least 1, or an address, not {shown(scheduler)}",
            hint="--scheduler local:2, or --scheduler tcp://HOST:8786",
        )
    distributed = import_distributed()
    if local is None:
        with _client_of(distributed, scheduler, timeout) as client:
            yield client
        return
    if os.name == "posix":
        # beside the first process that is started Python starts this one, and lets Ctrl-C through again
        resource_tracker.ensure_running()
    # the processes must not see a Ctrl-C that this one is to act on
    with uninterrupted():
        cluster = distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
        )
    with cluster, distributed.Client(cluster) as client:
        yield client


@contextlib.contextmanager
def _client_of(distributed: Any, address: str, timeout: float) -> Iterator[Any]:
    try:
        client = distributed.Client(address, timeout=timeout)
    except Exception as error:
        # Dask raises errors of many kinds: of the system, of TLS, of its own, for addresses of no protocol.
        raise ClusterError(
            f"no scheduler can be reached at {address} within {timeout:g} seconds: {_reason(error)}",
            hint="dask scheduler starts one, and prints its address; certificates of a tls:// one are given "
            "in Dask's configuration, distributed.comm.tls",
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=timeout)
        except TimeoutError as error:
            raise ClusterError(
                f"the scheduler at {address} has had no worker for {timeout:g} seconds",
                hint=f"dask worker {address}",
            ) from error
        yield client


def _reason(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return shown(str(error) or type(error).__name__, 200)
