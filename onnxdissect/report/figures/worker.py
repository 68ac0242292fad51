"""A process that draws the figures of a report: ``python -m onnxdissect.report.figures.worker``.

It reads from standard input what `onnxdissect.report.figures.beside` has written there for it. It is a
program of its own, since `multiprocessing` would import the caller's main script again, which runs it unless
it is guarded.
"""

from __future__ import annotations

import pickle
import signal
import sys

from onnxdissect.report.figures.plots import draw_figures

__all__ = ["main"]


def main() -> None:
    """Draw the figures of the report that standard input holds, into the folder that it names."""
    # Ctrl-C reaches every process of the terminal. Only the parent reacts to it, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    report, folder = pickle.load(sys.stdin.buffer)
    draw_figures(report, folder)


if __name__ == "__main__":
    main()
