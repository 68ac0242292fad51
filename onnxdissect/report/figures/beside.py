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

__all__ = ["FigureProcess", "drawing_figures"]

# Seconds for the figures once all else is written. A machine that needs more draws them a second time.
_PATIENCE = 60


class FigureProcess:
    """A process that draws the figures of one report; it ends with the body of the ``with``.

    Starting it and importing matplotlib take as long as drawing small figures does, so it may be started
    before there is a report to draw. On a machine of one core there is none, nor in an application that
    cannot start Python: then figures are drawn where the rest is.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._given: Path | None = None

    def start(self) -> None:
        """Start it, where that is possible and has not been done."""
        if self._process is None and cores() > 1:
            with uninterrupted():
                self._process = self._started()

    def draw(self, report: Report, folder: Path) -> None:
        """Have it draw figures; what keeps it from doing so is known when it has ended.

        Parameters
        ----------
        report : Report
        folder : Path
            Folder of the report.
        """
        if self._process is None:
            return
        assert self._process.stdin is not None
        # It may still be importing, and would not empty a pipe: it is given a file, and removes it.
        with contextlib.suppress(OSError):
            with uninterrupted():
                handle, name = tempfile.mkstemp(prefix="onnxdissect-")
                self._given = Path(name)
            with os.fdopen(handle, "wb") as file:
                pickle.dump((report, folder.resolve()), file)
            self._process.stdin.write(os.fsencode(name) + b"\n")
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def has_drawn(self) -> bool:
        """Wait for it, but not for ever; whether it has drawn all."""
        if self._process is None:
            return False
        try:
            return self._process.wait(_PATIENCE) == 0
        except subprocess.TimeoutExpired:
            return False

    def __enter__(self) -> FigureProcess:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        with uninterrupted():
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                if self._process.stdin is not None:
                    with contextlib.suppress(OSError):
                        self._process.stdin.close()
                self._process = None
            if self._given is not None:
                with contextlib.suppress(OSError):
                    self._given.unlink()
                self._given = None

    @staticmethod
    def _started() -> subprocess.Popen[bytes] | None:
        found = worker_command(f"{__package__}.worker")
        if found is None:
            return None
        with contextlib.suppress(OSError):
            return subprocess.Popen(
                [*found.command, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=found.environment,
            )
        return None


@contextlib.contextmanager
def drawing_figures(
    report: Report, folder: Path, *, apart: bool, process: FigureProcess | None = None
) -> Iterator[None]:
    """Write every figure of a report while the body of the ``with`` runs, or after it: the same files.

    Parameters
    ----------
    report : Report
    folder : Path
        Folder of the report.
    apart : bool
        Whether the body has so much to do that a process of its own is worth its start.
    process : FigureProcess, optional
        One that was started before and has drawn nothing yet: with it, none has to be worth its start.
    """
    with process or FigureProcess() as drawing:
        if apart:
            drawing.start()
        drawing.draw(report, folder)
        yield
        drawn = drawing.has_drawn()
    if not drawn:
        # Whatever stopped the process stops this one too, and is said here; or it was only the process.
        shutil.rmtree(folder / FIGURES, ignore_errors=True)
        draw_figures(report, folder)
