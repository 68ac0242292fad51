"""What a long run tells about itself."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "Progress", "Silent"]


class Progress(Protocol):
    """What a long run tells about itself; the command line draws it, a program may ignore it."""

    def start(self, phase: str, total: int) -> None:
        """Begin a phase over so many images."""

    def advance(self, images: int) -> None:
        """So many more images are done."""

    def finish(self) -> None:
        """End the phase."""


class Silent:
    """Tells nobody."""

    def start(self, phase: str, total: int) -> None:
        """Pass over the beginning of a phase."""

    def advance(self, images: int) -> None:
        """Pass over what is done."""

    def finish(self) -> None:
        """Pass over the end of a phase."""


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
