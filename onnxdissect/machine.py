"""What this process may use of the machine."""

from __future__ import annotations

import os

__all__ = ["cores"]


def cores() -> int:
    """Count the processor cores that this process may run on.

    Fewer than the machine has where it is bound to some of them: by ``taskset``, a batch system, or a
    container with a set of cores of its own.

    Returns
    -------
    int
        At least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
