"""Ctrl-C reaches the program wherever it comes: real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.small_runs import Convolution, broden, dissect, network

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

# Python imports this first. It sends the signal while the named module is being imported.
_AT_IMPORT = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            del sys.meta_path[0]
            signal.raise_signal(signal.SIGINT)
        return None

sys.meta_path.insert(0, Finder())
"""
_LIMIT = 60


def interrupted_at_import(tmp_path: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "sitecustomize.py").write_text(_AT_IMPORT)
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    return subprocess.run(
        [sys.executable, "-m", "onnxdissect", *arguments],
        env={**os.environ, "PYTHONPATH": path, "INTERRUPT_AT": module},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=_LIMIT,
    )


@pytest.mark.parametrize(
    "module",
    [
        *("onnxdissect.cli", "onnxdissect.errors", "difflib", "onnxdissect.interrupts"),
        *("typer", "onnxdissect.cli.check", "onnx", "onnxruntime", "cv2", "numba"),
    ],
)
def test_an_interrupted_import_ends_the_program_with_one_line(tmp_path: Path, module: str) -> None:
    # none of these imports is of a package that is broken
    model = Path(__file__).parents[1] / "models" / "tiny_scenes.onnx"
    done = interrupted_at_import(tmp_path, module, "run", str(model), "--out", str(tmp_path / "run"))
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.startswith("interrupted") and done.stderr.count("\n") == 1


def test_the_exit_code_is_ours_whatever_was_interrupted(tmp_path: Path) -> None:
    # what an interrupt leaves in Python that came while text was run as code, as for each data class
    (tmp_path / "sitecustomize.py").write_text("""
import sys

leave = sys.exit

def interrupted(code):
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        leave(code)

sys.exit = interrupted
""")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-m", "onnxdissect", "--version"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=_LIMIT,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_little_is_imported_before_an_interrupt_is_known() -> None:
    script = """
import sys
before = set(sys.modules)
import onnxdissect.__main__
print(sorted(set(sys.modules) - before))
"""
    done = run_script(script)
    assert done.stdout == "['onnxdissect', 'onnxdissect.__main__']\n", done.stderr


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        cwd=Path(__file__).parents[1],
    )


_LOST = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from onnxdissect.interrupts import interruptible

class Finalised:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

try:
    with interruptible():
        Finalised()
        time.sleep(20)
        print("went on")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_that_a_finaliser_loses_comes_again() -> None:
    done = run_script(_LOST)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


_HELD = """
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from onnxdissect.interrupts import uninterrupted

try:
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        blocked = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
        print(subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True).stdout.strip())
    print("went on")
except KeyboardInterrupt:
    print("then interrupted")
print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


def test_an_interrupt_is_held_back_and_hidden_from_processes_that_start_meanwhile() -> None:
    done = run_script(_HELD)
    assert (done.stdout.split("\n"), done.stderr) == (["True", "then interrupted", "False", ""], "")


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2, 0.6])
def test_drawing_tiny_is_interrupted_while_its_workers_start(tmp_path: Path, delay: float) -> None:
    def terminal() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    process = subprocess.Popen(
        [sys.executable, "-m", "onnxdissect", "data", "tiny", str(tmp_path / "tiny"), "--images", "2400"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=terminal,
    )
    until = time.monotonic() + _LIMIT
    while not list(tmp_path.iterdir()) and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(delay)
    # as a terminal does: to every process of the group
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=_LIMIT)
    assert (process.returncode, stdout, stderr) == (130, "", "interrupted\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.4])
def test_an_interrupted_report_leaves_the_older_one_and_nothing_beside(tmp_path: Path, delay: float) -> None:
    network(tmp_path / "net.onnx", [Convolution(30, (3, 3), (1, 1), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 12, seed=2)
    run = dissect(tmp_path, layers=["relu0"], quantiles=[0.1]).path
    (run / "report").mkdir()
    (run / "report" / "index.html").write_text("an older report")
    before = sorted(run.rglob("*"))
    process = subprocess.Popen(
        [sys.executable, "-m", "onnxdissect", "report", str(run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    until = time.monotonic() + _LIMIT
    while not list(run.glob("report.*.partial")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=_LIMIT)
    if process.returncode == 0 and delay:  # it was faster
        assert not list(run.glob("*.partial"))
        return
    assert (process.returncode, stdout) == (130, "")
    assert "interrupted" in stderr and "Traceback" not in stderr
    assert sorted(run.rglob("*")) == before
    assert (run / "report" / "index.html").read_text() == "an older report"
