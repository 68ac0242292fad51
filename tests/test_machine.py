"""What a process may use of the machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from onnxdissect.machine import cores

CHILD = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "


def test_there_is_a_core() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no process to cores")
def test_a_process_bound_to_one_core_has_one() -> None:
    script = CHILD + "from onnxdissect.machine import cores; print(cores())"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "1"
