"""Work ahead of its consumer ends with it: no thread goes on after an interrupt."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest

from onnxdissect.data.decoding.ahead import ahead


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("onnxdissect-data")]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("started", [1, 2, 3])
def test_an_interrupt_while_threads_are_started_leaves_none(
    monkeypatch: pytest.MonkeyPatch, started: int
) -> None:
    start = threading.Thread.start
    begun: list[threading.Thread] = []

    def start_and_interrupt(thread: threading.Thread) -> None:
        start(thread)
        begun.append(thread)
        if len(begun) == started:
            signal.raise_signal(signal.SIGINT)

    def slowly(item: int) -> int:
        time.sleep(0.05)
        return item

    monkeypatch.setattr(threading.Thread, "start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(ahead(slowly, range(100), workers=3, depth=12))
    assert len(begun) >= started
    assert threads() == []


def test_results_come_in_order_and_the_first_error_after_those_before_it() -> None:
    def divided(item: int) -> float:
        return 12 / item

    found = ahead(divided, [3, 4, 0, 6], workers=4, depth=4)
    assert [next(found), next(found)] == [4.0, 3.0]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert threads() == []
