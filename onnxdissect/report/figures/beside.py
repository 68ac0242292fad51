"""Figures drawn beside the rest of a report, by a process of its own.

Drawing them holds Python's lock nearly all the time, so that a thread would gain nothing.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from onnxdissect.machine import cores
from onnxdissect.report.data.report_data import Report
from onnxdissect.report.figures.plots import FIGURES, draw_figures

__all__ = ["drawing_figures"]


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
        core there is none.
    """
    process = _start_worker(report, folder) if apart and cores() > 1 and sys.executable else None
    try:
        yield
        drawn = process is not None and process.wait() == 0
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
    # The package's own place goes first, so that the process runs this very code also where it is not
    # installed. Nothing of the folder that the command is typed in is imported.
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    with contextlib.suppress(OSError), tempfile.TemporaryFile() as given:
        pickle.dump((report, folder.resolve()), given)
        given.seek(0)
        return subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.worker"],
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        )
    return None
