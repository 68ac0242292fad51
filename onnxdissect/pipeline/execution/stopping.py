"""Stopping between two batches, where nothing is half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = ["stop_request"]


@contextlib.contextmanager
def stop_request() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a request to stop between two batches; a second one is not waited for."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set
        return
    former = signal.getsignal(signal.SIGINT)

    def request(signum: int, frame: FrameType | None) -> None:
        requested.set()
        signal.signal(signal.SIGINT, former)

    signal.signal(signal.SIGINT, request)
    try:
        yield requested.is_set
    finally:
        signal.signal(signal.SIGINT, former)
