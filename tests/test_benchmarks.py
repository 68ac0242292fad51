"""The benchmarks run and print their rows; nothing here looks at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from test_run import Convolution, broden, network

TABLE = Path(__file__).parents[1] / "benchmarks/table.py"


def test_the_table_prints_every_row(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 20, seed=2)
    files = [str(TABLE), str(tmp_path / "data"), "--model", str(tmp_path / "net.onnx")]
    command = [sys.executable, *files, "--quick", "--preset", "raw"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for row in (
        "start-up, kernels cached",
        "dissection / bare loop",
        "medians in seconds          thresholds",
        "intersections differ by",
        "labels changed",
        "run MiB",
    ):
        assert row in done.stdout


def test_groups_are_compared(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 20, seed=2)
    script = Path(__file__).parents[1] / "benchmarks/groups.py"
    command = [sys.executable, str(script), str(tmp_path / "net.onnx"), str(tmp_path / "data")]
    command += ["--groups", "prefix:1", "--groups", "image", "--quick", "--preset", "raw"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    shown = [row for row in rows if row[:1] in (["image"], ["prefix:1"])]
    assert [row[:2] for row in shown] == [
        [drawn, by] for drawn in ("image", "prefix:1") for by in ("image", "prefix:1", "image")
    ] or len(shown) >= 4
    assert all(row[-1].endswith("%") for row in shown)
