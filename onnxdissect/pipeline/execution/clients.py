"""The executor that belongs to a client of a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import EntryPoint
from typing import Any

from onnxdissect.errors import ParameterError
from onnxdissect.pipeline.execution.executor import Executor
from onnxdissect.wording import described

__all__ = ["executor_of"]

GROUP = "onnxdissect.executors"
# By the module that the client's class is of: its library may be missing here.
_OWN = (EntryPoint("distributed", "onnxdissect.distributed.executor:DaskExecutor", GROUP),)


def executor_of(client: object) -> AbstractContextManager[Executor | None]:
    """Give the executor that runs the network where a client leads.

    Parameters
    ----------
    client : object
        A ``distributed.Client``, an executor, or None for the workers of this process.

    Returns
    -------
    context manager of Executor or None
        Lets go of everything on the cluster when it is left.

    Raises
    ------
    ParameterError
        If it is something else.
    """
    if client is None:
        return contextlib.nullcontext()
    homes = {kind.__module__.partition(".")[0] for kind in type(client).__mro__}
    for entry in _OWN:
        if entry.name in homes:
            make: Callable[[Any], AbstractContextManager[Executor]] = entry.load()
            return make(client)
    if hasattr(client, "run") and hasattr(client, "seconds"):
        given: Any = client
        return contextlib.nullcontext(given)
    raise ParameterError(
        f"client of dissect takes a client of a Dask cluster, not {described(client)}",
        hint='from distributed import Client; onnxdissect.dissect(..., client=Client("tcp://..."))',
    )
