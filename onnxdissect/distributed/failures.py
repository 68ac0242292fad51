"""What Dask raises, in words that a user can act on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from distributed import CancelledError, KilledWorker
from distributed.comm.core import CommClosedError

from onnxdissect.errors import ClusterError

__all__ = ["explained_failures"]


@contextlib.contextmanager
def explained_failures(scheduler: str) -> Iterator[None]:
    """Turn what Dask raises in the body into errors that a user can act on.

    Parameters
    ----------
    scheduler : str
        Its address.

    Raises
    ------
    ClusterError
        If workers die again and again of the same images, or the scheduler is gone, or somebody has
        cancelled the run.
    """
    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            f"workers die of the same part of the run again and again, the last of them "
            f"{error.last_worker.address}: {error.task}",
            hint="their logs tell why; often memory is short: fewer threads or more memory for each of them",
        ) from error
    except (CancelledError, CommClosedError, TimeoutError) as error:
        raise ClusterError(
            f"the run on the cluster of {scheduler} was cancelled, or the scheduler is gone: {error}",
            hint="see whether the scheduler is up, and start the run again",
        ) from error
