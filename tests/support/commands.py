"""The command line, called in this process: the same way in and out, without the imports."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from onnxdissect.cli.main import main


@dataclass(frozen=True)
class Called:
    """How a command ended, by the names that a finished process has."""

    returncode: int
    stdout: str
    stderr: str


def called(folder: Path, *words: object) -> Called:
    """Call the program in a folder, as a process with these words there would be."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["onnxdissect", *map(str, words)]),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        main()
    code = end.value.code
    return Called(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def run_command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["onnxdissect", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)
