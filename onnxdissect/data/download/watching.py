"""What a download is told and tells: how long it tries, and how far it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from onnxdissect.errors import ParameterError

__all__ = ["Patience", "Watch"]

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is tried.

    Attributes
    ----------
    timeout : float
        Seconds in which nothing comes, until a connection counts as lost; up to a day.
    tries : int
        Tries in a row that get no further.
    pause : float
        Seconds before the second of them; each pause is twice as long as the one before, up to 30 s.

    Raises
    ------
    ParameterError
        If one is out of its range.
    """

    timeout: float = 30.0
    tries: int = 5
    pause: float = 1.0

    def __post_init__(self) -> None:
        # systems count no further than some centuries
        if not 0 < self.timeout <= _DAY:
            raise ParameterError(
                f"a time limit is seconds above 0, up to {_DAY:,} (a day), not {self.timeout:g}",
                hint="--timeout 30",
            )
        if self.tries < 1:
            raise ParameterError(
                f"a server is tried once or more often, not {self.tries} times", hint="--tries 5"
            )
        if not (self.pause >= 0 and math.isfinite(self.pause)):
            raise ParameterError(f"a pause is seconds from 0, not {self.pause}")


def _pass_over(done: int, total: int | None) -> None:
    pass


def _say_nothing(text: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how far a download is.

    Attributes
    ----------
    bytes : callable
        Called with the bytes that have come and those in all, None where the server does not say. The first
        may become smaller, where it starts over.
    files : callable
        Called with the files that are unpacked and those in all.
    say : callable
        Called with a sentence on what makes it wait or start over.
    """

    bytes: Callable[[int, int | None], None] = _pass_over
    files: Callable[[int, int], None] = _pass_over
    say: Callable[[str], None] = _say_nothing
