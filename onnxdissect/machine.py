"""What this process may use of the machine: its cores, and processes beside it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["WorkerCommand", "cores", "worker_command"]

# Set in a worker's environment, and in that of whatever it starts.
_MARK = "ONNXDISSECT_WORKER"
_PYTHON = re.compile(r"(python|pypy)[0-9.]*(t|d|w|_d|-dbg|-intel64|-arm64)*(\.exe)?", re.IGNORECASE)


class WorkerCommand(NamedTuple):
    """How a process that runs a module of this package is started.

    Attributes
    ----------
    command : list of str
        The interpreter and the module; arguments follow.
    environment : dict of str to str
    """

    command: list[str]
    environment: dict[str, str]


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


def worker_command(module: str) -> WorkerCommand | None:
    """Say how to start a process that runs a module of this package, where that is safe.

    In an application that was frozen, or that embeds Python, `sys.executable` is the application. It would
    start a second time, come to the same place, and start a third time.

    Parameters
    ----------
    module : str
        Its full name.

    Returns
    -------
    Worker or None
        None where the work has to be done in this process.
    """
    if _MARK in os.environ or getattr(sys, "frozen", False) or not _is_python(sys.executable):
        return None
    # The package's own place goes first, so that the process runs this very code also where it is not
    # installed. Nothing of the folder that the command is typed in is imported.
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", _MARK: "1"}
    return WorkerCommand([sys.executable, "-m", module], environment)


def _is_python(executable: str | None) -> bool:
    """Whether a file is called as Python is, and is the one that runs here as far as the system tells."""
    if not executable or not _PYTHON.fullmatch(Path(executable).name):
        return False
    running = Path("/proc/self/exe")  # only Linux has it
    try:
        return not running.exists() or running.samefile(executable)
    except OSError:
        return False
