"""A process that draws the figures of a report: ``python -m onnxdissect.report.figures.worker PARENT``.

It reads from standard input what `onnxdissect.report.figures.beside` has written there for it. It is a
program of its own, since `multiprocessing` would import the caller's main script again, which runs it unless
it is guarded.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

from onnxdissect.report.figures.plots import draw_figures

__all__ = ["main"]

# Seconds between two looks whether the report is still being written.
_LOOK = 0.2


def main(parent: int) -> None:
    """Draw the figures of the report in the file that standard input names, into the folder that it says.

    What drawing takes is imported before there is such a name. Without one, there is nothing to draw.

    Parameters
    ----------
    parent : int
        Number of the process that writes the report. When it is gone, so is the use of the figures.
    """
    # Ctrl-C reaches every process of the terminal. Only the parent reacts to it, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.name == "posix":  # elsewhere a process keeps the number of a parent that has ended
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    for module in ("figure", *(f"backends.backend_{form}" for form in ("svg", "pdf", "agg"))):
        import_module(f"matplotlib.{module}")
    given = sys.stdin.buffer.readline().removesuffix(b"\n")
    if given:
        path = Path(os.fsdecode(given))
        content = path.read_bytes()
        path.unlink()
        draw_figures(*pickle.loads(content))


def _end_with(parent: int) -> None:
    """End this process when its parent has ended, also where that was killed and could end nobody."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
