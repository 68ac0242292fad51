"""Data sets that are hostile by their structure are refused or read: no bug, no hang, bounded memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="bounds on memory, and special files")
def test_seeds_of_every_kind() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/fuzz.py"), "data", "--inputs", "60"],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    counted = done.stdout.splitlines()[-1]
    assert " refused (DataFormatError)" in counted
    assert " refused (ImageFileError)" in counted
    assert " read" in counted
