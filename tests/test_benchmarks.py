"""The benchmarks run and print their rows; nothing here looks at a time."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

from naive import statistics as naive_statistics
from support.small_runs import Convolution, broden, network

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TABLE = BENCHMARKS / "table.py"


def test_the_table_prints_every_row(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 20, seed=2)
    files = [str(TABLE), str(tmp_path / "data"), "--model", str(tmp_path / "net.onnx")]
    command = [sys.executable, *files, "--quick", "--preset", "raw"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for row in (
        "second run with its report, s",
        "reading the run again, s",
        "outside the network",
        "start-up, kernels cached",
        "dissection / bare loop",
        "medians in seconds          thresholds",
        "intersections differ by",
        "labels changed",
        "run MiB",
    ):
        assert row in done.stdout


def test_the_cost_outside_the_network_is_told_by_step(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 20, seed=2)
    files = [str(BENCHMARKS / "host.py"), str(tmp_path / "net.onnx"), str(tmp_path / "data")]
    command = [sys.executable, *files, "--images", "64", "--preset", "raw"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "64 images, 1 layers" in done.stdout
    *steps, outside, everything = [line for line in done.stdout.splitlines() if line[-1:].isdigit()]
    columns = {row[:38].strip(): row[38:].split() for row in [*steps, outside, everything]}
    # A function that is no longer called where the table looks for it would leave its step at nothing. Calls
    # tell it, seconds do not: the processor clock of some systems ticks every ten milliseconds only.
    seldom = {"pass: state saved", "pass: spool", "tally: per image"}
    assert {step for step, row in columns.items() if int(row[-1]) == 0} <= seldom
    spent = {step: float(row[0]) for step, row in columns.items()}
    network_took = spent["pass: network"]
    # each of the three is rounded to three digits
    assert abs(spent["outside the network"] + network_took - spent["all"]) < 0.0016


DRAWN = """
import sys
from onnxdissect.tiny import generate
generate.IMAGES = 16
sys.path.insert(0, sys.argv[1])
from options import common
from draws import read_index
print(len(read_index(common("").parse_args(["net.onnx", "tiny"]).data)[1]))
"""


def test_the_drawn_data_set_may_be_named(tmp_path: Path) -> None:
    """Benchmarks read the tables of a data set themselves, for which they need its folder."""
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(tmp_path),
        "WIN_PD_OVERRIDE_LOCAL_APPDATA": str(tmp_path),
    }
    command = [sys.executable, "-c", DRAWN, str(BENCHMARKS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "16\n", done.stderr


def test_groups_are_compared(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 20, seed=2)
    script = Path(__file__).parents[1] / "benchmarks/groups.py"
    command = [sys.executable, str(script), str(tmp_path / "net.onnx"), str(tmp_path / "data")]
    command += ["--groups", "prefix:1", "--layer", "relu0", "--quick", "--preset", "raw"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    # What parts are drawn by, and what they are resampled by.
    shown = [line.split() for line in done.stdout.splitlines() if line.endswith("%")]
    assert [row[0] for row in shown] == ["image"] * 2 + ["prefix:1"] * 2
    assert [row[1] for row in shown] == ["image", "prefix:1"] * 2


def test_the_scan_over_offsets_prints_a_row_per_layer(tmp_path: Path) -> None:
    chain = [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1)), Convolution(4, (3, 3), (1, 1), (1, 1, 1, 1))]
    network(tmp_path / "net.onnx", chain, pool=False, seed=1)
    broden(tmp_path / "data", 24, seed=2)
    files = [str(BENCHMARKS / "offsets.py"), str(tmp_path / "net.onnx"), str(tmp_path / "data")]
    asked = [
        "--layer",
        "relu0",
        "--layer",
        "relu1",
        "--preset",
        "raw",
        "--stability",
        "0",
        "--quantile",
        "0.1",
    ]
    command = [sys.executable, *files, *asked, "--steps", "2", "--curve"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("relu")]
    assert {row[0] for row in rows} == {"relu1", "relu2"}
    for row in rows:
        # nothing on the scan is better than its peak, and theory is on the scan
        assert float(row[4]) >= 1
    assert done.stdout.count("+0.00:1.00") == 2


def test_places_prints_a_row_per_network(tmp_path: Path) -> None:
    chain = [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1)), Convolution(4, (3, 3), (1, 1), (1, 1, 1, 1))]
    network(tmp_path / "net.onnx", chain, pool=False, seed=1)
    command = [sys.executable, str(BENCHMARKS / "places.py"), str(tmp_path / "net.onnx"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    row = done.stdout.splitlines()[1].split()
    assert row[0] == "net" and int(row[1]) == int(row[2]) > 0
    assert all(abs(float(cells)) < 1 for cells in row[3:5])


def test_families_print_a_row_for_each_padding() -> None:
    command = [sys.executable, str(BENCHMARKS / "families.py"), "ViT", "DeepLab, corners", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if " positive " in line]
    assert [row[-7] for row in rows] == ["positive"] * 4
    for row in rows:
        assert all(abs(float(cells)) < 0.5 for cells in row[-3:-1])
    assert done.stdout.count(": no place") == 2


def test_replication_tells_what_comes_out_again(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 24, seed=2)
    files = [str(BENCHMARKS / "replication.py"), str(tmp_path / "net.onnx"), str(tmp_path / "data")]
    units = tmp_path / "units.csv"
    command = [sys.executable, *files, "--quick", "--preset", "raw", "--units", str(units)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 splits into 12 and 12 images" in done.stdout
    for row in ("IoU above the threshold", "reliable", "lower end of the interval", "p-value"):
        assert row in done.stdout
    with units.open(newline="", encoding="utf-8") as file:
        told = list(csv.DictReader(file))
    # Every unit with a label of either half, and what is called reliable is.
    assert told and {unit["half"] for unit in told} <= {"0", "1"} and len(told) <= 12
    for half in "01":
        of_half = [unit for unit in told if unit["half"] == half]
        known = [(float(u["iou"]), float(u["low"]), float(u["high"]), float(u["stability"])) for u in of_half]
        assert [u["reliable"] for u in of_half] == list(map(str, naive_statistics.reliable(known, 0.04)))


def test_rotations_are_set_against_runs_of_one_each(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 12, seed=2)
    files = [str(BENCHMARKS / "rotations.py"), str(tmp_path / "net.onnx"), str(tmp_path / "data")]
    command = [sys.executable, *files, "--preset", "raw", "--rounds", "1", "--alphas", "3", "--alone", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "relu0: 4 units of 6x6, 3 rotations, 12 images" in done.stdout
    rows = {
        line[:34].strip(): [float(cell) for cell in line[34:].split()]
        for line in done.stdout.splitlines()[3:]
    }
    assert list(rows)[:3] == ["bare loop", "run of the layer alone", "run with 3 rotations"]
    assert rows["bare loop"][1] == rows["bare loop"][3] == 1
    assert all(cell > 0 for cell in rows["3 runs with one rotation each"])


def test_matching_finds_what_was_drawn_and_prints_a_row_per_size() -> None:
    command = [sys.executable, str(BENCHMARKS / "matching.py"), "--units", "20", "30", "--images", "400"]
    done = subprocess.run(
        [*command, "--share", "0.2", "--draws", "2"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [[float(cell) for cell in line.split()] for line in done.stdout.splitlines()[2:]]
    assert [row[:2] for row in rows] == [[20, 0.2], [30, 0.2]]
    for row in rows:
        *seconds, shuffles, _, score, chance, found = row[2:]
        assert all(spent >= 0 for spent in seconds)
        assert shuffles == 100
        assert 0 < chance < score / 2
        assert found == 1


def test_reading_prints_a_row_per_size(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 20, seed=2)
    files = [str(BENCHMARKS / "reading.py"), str(tmp_path / "net.onnx"), str(tmp_path / "data")]
    command = [sys.executable, *files, "--images", "20", "50", "--preset", "raw", "--layer", "relu0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ["20", "50"]
    # photographs are those of top images; reading takes some time, and none of it is missing
    assert all(0 < int(row[1]) <= int(row[0]) and all(float(s) >= 0 for s in row[2:]) for row in rows)
    assert all(len(row) == 6 and float(row[4]) > 0 for row in rows)


def test_the_table_of_stages_runs_or_says_what_is_missing() -> None:
    command = [sys.executable, str(BENCHMARKS / "stages.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 equal" in done.stdout or "not installed" in done.stdout


def test_removing_units_is_told_beside_the_network_alone() -> None:
    small = ["--images", "3", "--units", "6", "--classes", "4", "--grid", "2", "--tail", "deep"]
    command = [sys.executable, str(BENCHMARKS / "ablation.py"), *small]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    first, everywhere, silent = done.stdout.splitlines()
    assert first == "3 images, 6 units of 2 x 2, deep tail"
    # once as they are, and once without each unit
    assert everywhere.startswith("no unit silent") and everywhere.endswith("tails 21 of 18")
    assert silent.startswith("units silent in 67% of images")
