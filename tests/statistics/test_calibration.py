"""The calibration runs and prints its figures; whether they are good is for its reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.small_runs import Convolution, broden, network

SCRIPT = Path(__file__).parents[2] / "benchmarks/calibration.py"


def test_the_calibration_prints_its_figures(tmp_path: Path) -> None:
    for seed, name in enumerate(("net.onnx", "other.onnx")):
        network(tmp_path / name, [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=seed)
    broden(tmp_path / "data", 30, seed=2)
    done = subprocess.run(
        [
            *(sys.executable, str(SCRIPT), str(tmp_path / "net.onnx"), str(tmp_path / "other.onnx")),
            *(str(tmp_path / "data"), "--worlds", "2", "--images", "20", "--preset", "raw"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for row in (
        "95 % intervals of the IoU",
        "unique detectors",
        "p-values of 2 worlds",
        "Kolmogorov-Smirnov",
    ):
        assert row in done.stdout
