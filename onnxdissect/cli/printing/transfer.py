"""Progress of downloads, in bytes: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from onnxdissect.storage.disk import size_text

__all__ = ["TransferProgress"]

_SECONDS_BETWEEN_LINES = 5.0
_TITLE = "downloading"


class TransferProgress:
    """Shows how many bytes have come.

    Parameters
    ----------
    console : Console
        The console of stderr.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._began = self._said = 0.0
        self._first = self._done = 0

    def __call__(self, done: int, total: int | None) -> None:
        """Tell how far it is; fewer bytes than before where it starts over."""
        if self._console.is_terminal:
            self._draw(done, total)
            return
        now = time.monotonic()
        if not self._began or done < self._done:
            self._began = self._said = now
            self._first = done
        self._done = done
        if now - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = now
            rate = (done - self._first) / (now - self._began)
            self._say(f"{_of(done, total)}, {size_text(int(rate))}/s")

    def say(self, text: str) -> None:
        """Print a sentence, above the bar where there is one."""
        self._console.print(text, markup=False)

    def close(self) -> None:
        """End it: the bar stays on the screen; elsewhere what came is said, if anything did."""
        if self._bar is not None:
            self._bar.stop()
        elif self._began and self._done:
            self._say(f"{size_text(self._done)} in {time.monotonic() - self._began:.1f} s")
            self._began = 0.0

    def _draw(self, done: int, total: int | None) -> None:
        if self._bar is None or self._task is None:
            columns = (TextColumn("{task.description:<28}"), BarColumn(), DownloadColumn(binary_units=True))
            self._bar = Progress(
                *columns, TransferSpeedColumn(), TimeRemainingColumn(), console=self._console
            )
            self._bar.start()
            self._task = self._bar.add_task(_TITLE, total=total)
        self._bar.update(self._task, completed=done, total=total)

    def _say(self, text: str) -> None:
        self._console.print(f"{_TITLE}: {text}", markup=False)


def _of(done: int, total: int | None) -> str:
    return size_text(done) if total is None else f"{size_text(done)} of {size_text(total)}"
