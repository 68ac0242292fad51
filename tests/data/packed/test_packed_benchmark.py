"""The benchmark runs and prints a row for each step; nothing here looks at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.small_runs import broden

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "packed.py"


def test_labels_and_images_are_told_side_by_side(tmp_path: Path) -> None:
    broden(tmp_path / "data", 6, seed=2)
    command = [sys.executable, str(BENCHMARK), str(tmp_path / "data"), "--rounds", "2", "--images", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    first, *rows = done.stdout.splitlines()
    assert first.startswith(f"{tmp_path / 'data'}: 6 images, labels ")
    assert [row.split()[0] for row in rows] == ["opening", "labels", "images", "both"]
    for row in rows:
        words = row.split()
        folder, packed, ratio = (float(words[place]) for place in (2, 5, 7))
        assert min(folder, packed, ratio) > 0
