"""Progress of a download: a bar on a terminal, lines elsewhere, and what is said in between."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from onnxdissect.cli.printing import transfer
from onnxdissect.cli.printing.transfer import TransferProgress

MIB = 1 << 20


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_lines_tell_bytes_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, text = Clock(), io.StringIO()
    monkeypatch.setattr(transfer, "time", clock)
    progress = TransferProgress(Console(file=text, width=140))
    for seconds, done in ((0, 10), (3, 12), (3, 22), (3, 25)):
        clock.now += seconds
        progress(done * MIB, 100 * MIB)
    progress.say("[red] it starts over")
    progress(0, None)
    clock.now += 6
    progress(3 * MIB, None)
    progress.close()
    progress.close()
    assert text.getvalue().splitlines() == [
        "downloading: 22.0 MiB of 100.0 MiB, 2.0 MiB/s",
        "[red] it starts over",
        "downloading: 3.0 MiB, 512.0 KiB/s",
        "downloading: 3.0 MiB in 6.0 s",
    ]


def test_nothing_that_came_is_nothing_said() -> None:
    text = io.StringIO()
    TransferProgress(Console(file=text)).close()
    assert not text.getvalue()


def test_a_terminal_has_a_bar() -> None:
    text = io.StringIO()
    progress = TransferProgress(Console(file=text, force_terminal=True, width=140))
    progress(MIB, 4 * MIB)
    progress.say("the connection ended")
    progress(4 * MIB, 4 * MIB)
    progress.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue())
    assert "downloading" in shown and "4.0/4.0 MiB" in shown and "the connection ended" in shown
