"""The command line, called in this process."""

from __future__ import annotations

import sys

import pytest

from onnxdissect.cli.main import main


def run_command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["onnxdissect", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)
