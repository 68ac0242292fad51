"""The coverage of differences is measured and printed; whether it is good is for its reader."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.small_runs import Convolution, broden, network

SCRIPT = Path(__file__).parents[2] / "benchmarks/differences.py"


def test_the_coverage_of_differences_is_printed(tmp_path: Path) -> None:
    for seed, name in enumerate(("net.onnx", "other.onnx")):
        network(tmp_path / name, [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=seed)
    broden(tmp_path / "data", 30, seed=2)
    done = subprocess.run(
        [
            *(sys.executable, str(SCRIPT), str(tmp_path / "net.onnx"), str(tmp_path / "other.onnx")),
            *(str(tmp_path / "data"), "--worlds", "2", "--nulls", "2", "--images", "20", "--preset", "raw"),
            *("--basis", "rotation:seed=0", "--bootstrap", "60", "--quantile", "0.1"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rates = re.findall(r"^(networks|bases): .+, (unique|share) +(.+)$", done.stdout, re.M)
    assert {name for name, _, _ in rates} == {"networks", "bases"}
    for _, _, row in rates:
        below, inside, above, rejected = (float(one) for one in re.findall(r"([\d.]+)%", row))
        assert abs(below + inside + above - 100) < 0.2 and 0 <= rejected <= 100
    assert "pairs, by category" in done.stdout
    rates = re.findall(r"^\d+ of (unique|share|by category) +(.+)$", done.stdout, re.M)
    assert [kind for kind, _ in rates][:1] == ["unique"] and {"share"} <= {kind for kind, _ in rates}
    for _, row in rates:
        shares = [float(one) for one in re.findall(r"([\d.]+)%", row)]
        assert (
            len(shares) == 5
            and shares == sorted(shares, reverse=True)
            and 0 <= shares[-1] <= shares[0] <= 100
        )
