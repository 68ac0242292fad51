"""Standard streams that are closed, full, unread or of few characters: the right exit code, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.small_runs import Convolution, broden, network

ONNXDISSECT = f"{sys.executable} -m onnxdissect"
WRONG = 2


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command line of bash; with pipefail, so that its exit code is that of the command."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr
    assert b"Exception ignored" not in done.stderr, done.stderr
    assert b"bug:" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    network(folder / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(folder / "data", 3, seed=2)
    return folder


@pytest.mark.parametrize(
    ("streams", "code"),
    [
        (">&-", 0),
        ("2>&-", 0),
        (">&- 2>&-", 0),
        ("<&-", 0),
        ("2>/dev/full", 0),
        ("| true", 0),
        ("| head -c 1", 0),
        (">/dev/full", WRONG),
    ],
)
def test_what_nobody_reads_changes_nothing(world: Path, streams: str, code: int) -> None:
    done = shell(f"{ONNXDISSECT} layers {world}/net.onnx {streams}")
    assert done.returncode == code, done.stderr
    if code:
        assert b"standard output cannot be written: No space left on device" in done.stderr


@pytest.mark.parametrize("streams", [">&-", "2>&-", "2>/dev/full", "| true"])
def test_a_wrong_request_stays_one(streams: str) -> None:
    assert shell(f"{ONNXDISSECT} layers /nowhere.onnx {streams}").returncode == WRONG


def test_a_run_is_finished_without_any_stream(world: Path) -> None:
    run = world / "run"
    done = shell(
        f"{ONNXDISSECT} run {world}/net.onnx --data {world}/data --preset raw --quantile 0.1 --bootstrap 0 "
        f"--null 0 --no-report --out {run} <&- >&- 2>&-"
    )
    assert done.returncode == 0
    assert json.loads((run / "manifest.json").read_text())["status"] == "complete"
    # A stream that is closed leaves its number to the next file that is opened.
    assert all(line for line in (run / "units.csv").read_text().splitlines())


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"TERM": "", "COLUMNS": "1", "LINES": "1"},
        {"COLUMNS": "many", "FORCE_COLOR": "1"},
    ],
)
def test_names_that_a_terminal_cannot_show(world: Path, environment: dict[str, str]) -> None:
    emoji = world / "daten-\N{GRINNING FACE}"
    if not emoji.exists():
        (world / "data").rename(emoji)
        (world / "data").symlink_to(emoji)
    assert shell(f"{ONNXDISSECT} data info '{emoji}'", **environment).returncode == 0
    done = shell(f"{ONNXDISSECT} data info '{emoji}' --json", **environment)
    assert done.returncode == 0, done.stderr
    name = json.loads(done.stdout.decode(environment.get("PYTHONIOENCODING", "utf-8")))["name"]
    # In a locale of ASCII the name of a file is its bytes, one by one.
    assert name.encode("utf-8", "surrogateescape") == emoji.name.encode()
    assert shell(f"{ONNXDISSECT} layers '{emoji}'", **environment).returncode == WRONG


def test_a_run_whose_files_have_names_that_are_no_text(world: Path) -> None:
    """Its pages, tables and baselines are written, and read again."""
    folder = world / os.fsdecode(b"folder\xff")
    folder.mkdir()
    model, data, run = (folder / os.fsdecode(name + b"\xff") for name in (b"net", b"data", b"run"))
    network(model, [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    # OpenCV itself ends the process at such a name
    broden(world / "other", 3, seed=2)
    (world / "other").rename(data)
    baseline = folder / "baseline.json"
    small = "--null 0 --bootstrap 20"
    for command in (
        f"run '{model}' --data '{data}' --out '{run}' {small}",
        f"report '{run}'",
        f"check '{model}' --baseline '{run}' --data '{data}' --html '{folder}/check.html'",
        f"check --baseline '{run}' --write-baseline '{baseline}'",
        f"check '{model}' --baseline '{baseline}' --data '{data}' --json",
    ):
        done = shell(f"{ONNXDISSECT} {command}")
        assert done.returncode == 0, done.stderr
    assert "net\ufffd" in (run / "report" / "index.html").read_text(encoding="utf-8")


def test_names_that_are_no_text(world: Path) -> None:
    model = os.fsencode(world / "net-") + b"\xff.onnx"
    os.link(world / "net.onnx", model)
    quoted = os.fsdecode(model)
    done = shell(f"{ONNXDISSECT} layers '{quoted}'")
    assert done.returncode == 0, done.stderr
    assert shell(f"{ONNXDISSECT} layers '{quoted}.not'").returncode == WRONG
