"""What a long run tells about itself."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "CountedPhase", "Progress", "Silent"]


class Progress(Protocol):
    """What a long run tells about itself; the command line draws it, a program may ignore it."""

    def start(self, phase: str, total: int) -> None:
        """Begin a phase over so many images."""

    def advance(self, images: int) -> None:
        """So many more images are done."""

    def finish(self) -> None:
        """End the phase."""


class Silent:
    """Reports no progress."""

    def start(self, phase: str, total: int) -> None:
        """Pass over the beginning of a phase."""

    def advance(self, images: int) -> None:
        """Pass over what is done."""

    def finish(self) -> None:
        """Pass over the end of a phase."""


class CountedPhase:
    """From calls with (images done, images) to a phase of a progress, which begins with the first of them.

    Parameters
    ----------
    progress : Progress
    phase : str
        Name of the phase.
    """

    def __init__(self, progress: Progress, phase: str) -> None:
        self._progress = progress
        self._phase = phase
        self._done: int | None = None

    def __call__(self, done: int, total: int) -> None:
        """Tell how far it is.

        Parameters
        ----------
        done, total : int
        """
        if self._done is None:
            self._progress.start(self._phase, total)
            self._done = 0
        self._progress.advance(done - self._done)
        self._done = done

    def finish(self) -> None:
        """End the phase, if it ever began."""
        if self._done is not None:
            self._progress.finish()


class Clock:
    """Seconds per phase of a run.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time of each phase so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        """End a phase; the next one begins."""
        now = time.perf_counter()
        self.seconds[phase] = round(now - self._last, 3)
        self._last = now
