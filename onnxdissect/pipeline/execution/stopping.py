"""Stopping between two batches, where nothing is half done; and the network, if a batch does not end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = ["stop_request"]

_GRACE = 20.0
"""Seconds for the batches at work to end, so that what they give is saved."""


@contextlib.contextmanager
def stop_request(stop_network: Callable[[], None], grace: float = _GRACE) -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C into a request to stop between two batches.

    Parameters
    ----------
    stop_network : callable
        Ends the calls of the network that are under way, whose batches are lost. Called at the second Ctrl-C,
        or where a batch has not ended some time after the first: a network may never end.
    grace : float
        That time, in seconds.

    Yields
    ------
    callable
        Says whether to stop.
    """
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set
        return
    former = signal.getsignal(signal.SIGINT)
    late = threading.Timer(grace, stop_network)
    late.daemon = True

    def request(signum: int, frame: FrameType | None) -> None:
        if requested.is_set():
            stop_network()
        else:
            requested.set()
            late.start()

    signal.signal(signal.SIGINT, request)
    try:
        yield requested.is_set
    finally:
        late.cancel()
        signal.signal(signal.SIGINT, former)
