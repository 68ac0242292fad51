"""What a long run tells about itself."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress"]


class Progress(Protocol):
    """What a long run tells about itself; the command line draws it, a program may ignore it."""

    def start(self, phase: str, total: int) -> None:
        """Begin a phase over so many images."""

    def advance(self, images: int) -> None:
        """So many more images are done."""

    def finish(self) -> None:
        """End the phase."""
