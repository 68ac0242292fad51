"""Ctrl-C: where Python drops it, and where it must wait until something is done as a whole."""

from __future__ import annotations

import _thread
import atexit
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

__all__ = ["interruptible", "uninterrupted"]

_SECONDS_BETWEEN_TRIES = 0.02
_IMPORTING = "<frozen importlib._bootstrap>"


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let every Ctrl-C end the program, wherever it meets it.

    Python raises KeyboardInterrupt at whatever line the main thread has come to. Some lines lose it: what
    is raised in a finaliser is only printed, and libraries take what is raised while they are imported for a
    fault of their own, as compiled modules do. So an interrupt waits while something is imported, and one
    that was lost comes again. When the program ends, none is taken any more: all has been said by then.

    Other handlers of the signal stay as they are, and threads other than the main one have none.
    """
    own_handler = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not own_handler or threading.current_thread() is not threading.main_thread():
        yield
        return
    main_thread = threading.get_ident()
    over = threading.Event()
    coming = threading.Event()
    print_lost = sys.unraisablehook

    def send() -> None:
        time.sleep(_SECONDS_BETWEEN_TRIES)
        coming.clear()
        if not over.is_set():
            _send_to(main_thread)

    def send_again() -> None:
        if not coming.is_set():
            coming.set()
            # not a `threading.Thread`: the interrupt may have come while the main thread starts one
            _thread.start_new_thread(send, ())

    def interrupt(signum: int, frame: FrameType | None) -> None:
        if _is_importing(frame):
            with contextlib.suppress(RuntimeError):  # no thread can be started: then it cannot wait
                send_again()
                return
        raise KeyboardInterrupt

    def lost(unraisable: sys.UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            send_again()
        else:
            print_lost(unraisable)

    sys.unraisablehook = lost
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        over.set()
        sys.unraisablehook = print_lost
        signal.signal(signal.SIGINT, signal.default_int_handler)
        atexit.unregister(_take_none)
        atexit.register(_take_none)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the body of the ``with`` is done, which should not take long.

    Processes that are started in it do not see Ctrl-C either until they ask for it: a terminal sends it to
    them as well, while Python is still starting there.
    """
    former = signal.getsignal(signal.SIGINT)
    if former is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda signum, frame: came.append(signum))
    blocking = hasattr(signal, "pthread_sigmask")  # not on Windows
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if blocking else None
    try:
        yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, former)
        if came:
            signal.raise_signal(signal.SIGINT)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False


def _send_to(main_thread: int) -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main_thread, signal.SIGINT)  # also ends a wait of the main thread
    else:
        _thread.interrupt_main()


def _take_none() -> None:
    # From another thread, as in an application that embeds Python, it cannot be set.
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
