from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.fuzz import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_input_is_refused_or_understood(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "support.fuzz", kind, "0", "120"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert ", 0 neither" in done.stdout
    assert ": 0 results" not in done.stdout or kind == "png"  # checksums see all damage to a PNG
