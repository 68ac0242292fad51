"""Figures drawn beside the rest of a report, by a process of its own.

Drawing them holds Python's lock nearly all the time, so that a thread would gain nothing.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from onnxdissect.interrupts import uninterrupted
from onnxdissect.machine import cores, worker_command
from onnxdissect.report.data.report_data import Report
from onnxdissect.report.figures.plots import FIGURES, draw_figures

__all__ = ["drawing_figures"]

# Seconds for the figures once all else is written. A machine that needs more draws them a second time.
_PATIENCE = 60


@contextlib.contextmanager
def drawing_figures(report: Report, folder: Path, *, apart: bool) -> Iterator[None]:
    """Write every figure of a report while the body of the ``with`` runs, or after it: the same files.

    Parameters
    ----------
    report : Report
    folder : Path
        Folder of the report.
    apart : bool
        Whether the body has so much to do that a process of its own is worth its start. On a machine of one
        core there is none, nor in an application that cannot start Python.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        if apart and cores() > 1:
            with uninterrupted():
                process = _start_worker(report, folder)
        yield
        drawn = process is not None and _has_drawn(process)
    except BaseException:
        if process is not None:
            process.kill()
            process.wait()
        raise
    if not drawn:
        # Whatever stopped the process stops this one too, and is said here; or it was only the process.
        shutil.rmtree(folder / FIGURES, ignore_errors=True)
        draw_figures(report, folder)


def _start_worker(report: Report, folder: Path) -> subprocess.Popen[bytes] | None:
    """Start the process; None where that is not possible."""
    found = worker_command(f"{__package__}.worker")
    if found is None:
        return None
    with contextlib.suppress(OSError), tempfile.TemporaryFile() as given:
        pickle.dump((report, folder.resolve()), given)
        given.seek(0)
        return subprocess.Popen(
            [*found.command, str(os.getpid())],
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=found.environment,
        )
    return None


def _has_drawn(process: subprocess.Popen[bytes]) -> bool:
    """Wait for the process, but not for ever; whether it has done all."""
    try:
        return process.wait(_PATIENCE) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
