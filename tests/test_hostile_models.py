"""Models changed where they mean something: a result or one message, in bounded memory and time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("command", "seeds"), [("layers", 30), ("run", 12)])
def test_changed_models_are_refused_or_understood(command: str, seeds: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "support.hostile_model_runs", command, "0", str(seeds)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert ", 0 wrong" in done.stdout
    assert ": 0 results" not in done.stdout
    assert " 0 refused" not in done.stdout
