"""Clocks that stand still or are set back, as on machines without a battery: nothing waits for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.small_runs import Convolution, broden, network

# Read by Python before anything else.
CLOCKS = """
import time
began = time.time()
calls = iter(range(10**9))
"""
STILL = "monotonic, counter = time.monotonic(), time.perf_counter()\ntime.time = lambda: began\n"
STILL += "time.monotonic = lambda: monotonic\ntime.perf_counter = lambda: counter\n"
BACK = "time.time = lambda: began - 3600 * next(calls)\n"


@pytest.mark.parametrize("clock", [STILL, BACK], ids=["still", "back"])
def test_a_run_ends_whatever_the_clock_says(tmp_path: Path, clock: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(CLOCKS + clock)
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 12, seed=2)
    run = tmp_path / "run"
    words = ["run", tmp_path / "net.onnx", "--data", tmp_path / "data", "--preset", "raw", "--out", run]
    words += ["--quantile", "0.1", "--bootstrap", "20", "--null", "0"]
    command = [sys.executable, "-m", "onnxdissect", *map(str, words)]
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((run / "manifest.json").read_text())["status"] == "complete"
    assert (run / "report" / "index.html").is_file()
