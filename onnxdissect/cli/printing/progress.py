"""Progress of long commands: bars on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

if TYPE_CHECKING:
    from onnxdissect.core.progress import Progress

__all__ = ["Announced", "BarProgress", "LineProgress", "open_progress"]

_TITLES = {
    "data": "making the data set",
    "tiny": "drawing the data set tiny",
    "import": "importing",
    "unpack": "unpacking",
    "counting": "counting concepts",
    "joining": "joining",
    "moments": "mean and covariance",
    "pass": "decoding and inference",
    "tally": "tally",
    "masks": "keeping masks",
    "report": "report",
    "page": "page",
    "check": "checking images",
    "rotations": "resampling rotated layers",
    "comparison": "resampling compared layers",
    "matching": "matching units",
    "reference": "averaging reference images",
    "features": "pooling labelled images",
    "explanations": "explaining images",
    "predictions": "explaining predictions",
    "examples": "masks of examples",
    "photos": "photographs",
    "ablation units": "removing single units",
    "ablation sets": "removing sets of units",
}
_NOUNS = {
    "report": "images and units",
    "rotations": "layers",
    "comparison": "layers",
    "page": "layers",
    "matching": "shuffles",
    "unpack": "files",
}
_SECONDS_BETWEEN_LINES = 5.0


class _Rate(ProgressColumn):
    """Images per second and time left."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed if task.finished else task.speed
        left = "" if task.finished or task.time_remaining is None else f"  {_clock(task.time_remaining)} left"
        return Text(f"{rate:,.0f} {task.fields['noun']}/s{left}" if rate else "")


class BarProgress:
    """Bars on a terminal, one per phase."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            console=console,
        )
        self._task: TaskID | None = None

    def start(self, phase: str, total: int) -> None:
        """Begin a bar."""
        self._bars.start()
        self._task = self._bars.add_task(
            _TITLES.get(phase, phase), total=total, noun=_NOUNS.get(phase, "images")
        )

    def advance(self, images: int) -> None:
        """Count images as done."""
        assert self._task is not None
        self._bars.advance(self._task, images)

    def finish(self) -> None:
        """End the phase; its bar stays on the screen."""
        self.close()

    def close(self) -> None:
        """Stop updating the terminal."""
        self._bars.stop()


class LineProgress:
    """Plain lines, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = self._noun = ""
        self._total = self._done = 0
        self._began = self._said = 0.0

    def start(self, phase: str, total: int) -> None:
        """Begin a phase."""
        self._phase, self._total, self._done = _TITLES.get(phase, phase), total, 0
        self._noun = _NOUNS.get(phase, "images")
        self._began = self._said = time.monotonic()

    def advance(self, images: int) -> None:
        """Count images as done; print a line every few seconds."""
        self._done += images
        now = time.monotonic()
        if now - self._said >= _SECONDS_BETWEEN_LINES and self._done < self._total:
            self._said = now
            rate = self._done / (now - self._began)
            left = (self._total - self._done) / rate if rate else 0.0
            self._say(
                f"{self._done}/{self._total} {self._noun}, {rate:,.0f} {self._noun}/s, {_clock(left)} left"
            )

    def finish(self) -> None:
        """End the phase, and print how long it took."""
        seconds = time.monotonic() - self._began
        rate = self._done / seconds if seconds else 0.0
        self._say(f"{self._done} {self._noun} in {seconds:.1f} s, {rate:,.0f} {self._noun}/s")

    def close(self) -> None:
        """Do nothing: a terminal is not used."""

    def _say(self, text: str) -> None:
        self._console.print(f"{self._phase}: {text}", markup=False)


class Announced:
    """A progress that says as well when a phase begins.

    Parameters
    ----------
    progress : Progress
    phase : str
    begins : callable
        Called each time.
    """

    def __init__(self, progress: Progress, phase: str, begins: Callable[[], None]) -> None:
        self._phase, self._begins = phase, begins
        self._start = progress.start
        self.advance, self.finish = progress.advance, progress.finish

    def start(self, phase: str, total: int) -> None:
        """Begin a phase."""
        if phase == self._phase:
            self._begins()
        self._start(phase, total)


def open_progress(console: Console) -> BarProgress | LineProgress:
    """Choose bars on a terminal, lines elsewhere.

    Parameters
    ----------
    console : Console
        The console of stderr.

    Returns
    -------
    BarProgress or LineProgress
    """
    return BarProgress(console) if console.is_terminal else LineProgress(console)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
