"""What a process may use of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from onnxdissect.machine import cores, worker_command

CHILD = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "


def test_there_is_a_core() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no process to cores")
def test_a_process_bound_to_one_core_has_one() -> None:
    script = CHILD + "from onnxdissect.machine import cores; print(cores())"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "1"


WORKER = "onnxdissect.tiny.worker"


def test_a_worker_runs_this_package_and_nothing_of_the_folder_it_is_started_in(tmp_path: Path) -> None:
    found = worker_command("onnxdissect.machine")
    assert found is not None
    (tmp_path / "typing.py").write_text("raise SystemExit('imported from the folder')")
    program = "import onnxdissect, os, typing; print(onnxdissect.__file__, os.environ['ONNXDISSECT_WORKER'])"
    command = [*found.command[:-2], "-c", program]
    done = subprocess.run(
        command, env=found.environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    package = Path(__file__).parents[1] / "onnxdissect"
    assert done.stdout.split() == [str(package / "__init__.py"), "1"]
    assert subprocess.run([*found.command], env=found.environment, check=False).returncode == 0


def test_a_worker_starts_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    found = worker_command(WORKER)
    assert found is not None
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    assert worker_command(WORKER) is None


def test_a_frozen_application_starts_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert worker_command(WORKER) is None


@pytest.mark.parametrize("name", ["app", "python-app", "mypython", "pythonista", "onnxdissect", ""])
def test_an_application_that_is_not_called_python_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    link = tmp_path / name
    if name:
        link.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(link) if name else "")
    assert worker_command(WORKER) is None


@pytest.mark.parametrize("name", ["python", "python3", "python3.13t", "pypy3.11", "python_d"])
def test_the_running_python_is_started_whatever_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    link = tmp_path / name
    link.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(link))
    found = worker_command(WORKER)
    assert found is not None
    assert found.command == [str(link), "-m", WORKER]


@pytest.mark.skipif(not Path("/proc/self/exe").exists(), reason="the system does not tell what runs")
@pytest.mark.parametrize("other", ["another program", "nothing"])
def test_a_python_that_is_not_the_running_one_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """As where an application embeds Python, which then names one that it has found somewhere."""
    program = tmp_path / "python3"
    if other == "another program":
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    assert worker_command(WORKER) is None
