"""Figures drawn by a process of their own are those drawn in this one, whatever happens to it."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from support.fake_counts import contents, fake_run

from onnxdissect.report.data.report_data import Report, gather_report
from onnxdissect.report.figures import beside
from onnxdissect.report.figures.beside import FigureProcess, drawing_figures
from onnxdissect.report.figures.plots import draw_figures


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return gather_report(fake_run(quantiles=(0.005, 0.01)).save(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def expected(report: Report, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The figures, drawn in this process."""
    folder = tmp_path_factory.mktemp("here")
    draw_figures(report, folder)
    return contents(folder)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started, on a machine of two cores."""
    processes: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    monkeypatch.setattr(beside, "cores", lambda: 2)
    return processes


def test_the_files_are_the_same(
    report: Report,
    expected: dict[str, bytes],
    tmp_path: Path,
    started: list[subprocess.Popen[bytes]],
) -> None:
    assert len(expected) > 6
    apart = tmp_path / "apart"
    apart.mkdir()
    with drawing_figures(report, apart, apart=True):
        (process,) = started
        assert process.wait() == 0
        assert contents(apart) == expected
    assert contents(apart) == expected


def test_small_reports_and_single_cores_start_no_process(
    report: Report, tmp_path: Path, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, apart, cores in (("small", False, 2), ("single", True, 1)):
        monkeypatch.setattr(beside, "cores", lambda cores=cores: cores)
        (tmp_path / name).mkdir()
        with drawing_figures(report, tmp_path / name, apart=apart):
            assert not contents(tmp_path / name)
        assert contents(tmp_path / name)
    assert not started


def test_a_process_that_was_started_before_draws_small_reports_too(
    report: Report,
    expected: dict[str, bytes],
    tmp_path: Path,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / "apart"
    folder.mkdir()
    process = FigureProcess()
    process.start()
    process.start()
    with drawing_figures(report, folder, apart=False, process=process):
        (worker,) = started
        assert worker.wait() == 0
        assert contents(folder)
    assert contents(folder) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["apart"]


def test_a_process_that_is_not_needed_after_all_is_ended(started: list[subprocess.Popen[bytes]]) -> None:
    with FigureProcess() as process:
        process.start()
    assert started[0].returncode == -signal.SIGKILL


@pytest.mark.parametrize("program", ["/bin/false", "/there/is/no/python", ""])
def test_without_an_interpreter_they_are_drawn_here(
    report: Report,
    expected: dict[str, bytes],
    tmp_path: Path,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    program: str,
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    folder = tmp_path / "apart"
    folder.mkdir()
    with drawing_figures(report, folder, apart=True):
        assert not started
    assert contents(folder) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="nothing stops a process there")
def test_a_process_that_does_not_end_is_not_waited_for_for_ever(
    report: Report,
    expected: dict[str, bytes],
    tmp_path: Path,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beside, "_PATIENCE", 0.5)
    folder = tmp_path / "apart"
    folder.mkdir()
    with drawing_figures(report, folder, apart=True):
        started[0].send_signal(signal.SIGSTOP)
    assert started[0].returncode == -signal.SIGKILL
    assert contents(folder) == expected


def test_a_process_that_was_ended_half_way_is_made_good(
    report: Report, expected: dict[str, bytes], tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    folder = tmp_path / "apart"
    folder.mkdir()
    with drawing_figures(report, folder, apart=True):
        started[0].kill()
        started[0].wait()
        (folder / "figures").mkdir(exist_ok=True)
        (folder / "figures" / "half.svg").write_text("<svg")
    assert contents(folder) == expected


ABANDON = """
import os, pickle, signal, sys
from pathlib import Path
from onnxdissect.report.figures.beside import FigureProcess

figures = FigureProcess()
figures.start()
with open(sys.argv[1], "rb") as file:
    figures.draw(pickle.load(file), Path(sys.argv[2]))
print(figures._process.pid, flush=True)
os.kill(os.getpid(), getattr(signal, sys.argv[3]))
"""


def runs(process: int) -> bool:
    """Whether a process runs; nobody may be there to take note of its end."""
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for as Linux shows them")
@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_a_report_that_is_killed_leaves_nobody_drawing(
    report: Report, expected: dict[str, bytes], tmp_path: Path, end: str
) -> None:
    given, folder = tmp_path / "report", tmp_path / "folder"
    given.write_bytes(pickle.dumps(report))
    folder.mkdir()
    command = [sys.executable, "-c", ABANDON, str(given), str(folder), end]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -getattr(signal, end)
    until = time.monotonic() + 100
    while runs(int(done.stdout)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not runs(int(done.stdout))
    # By itself it would have ended as well, but with all of them.
    assert len(contents(folder)) < len(expected)


def test_what_ends_the_report_ends_the_process(
    report: Report, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    with pytest.raises(KeyboardInterrupt), drawing_figures(report, tmp_path, apart=True):
        raise KeyboardInterrupt
    assert started[0].returncode is not None and started[0].returncode != 0


def test_a_folder_that_cannot_be_written_is_said(
    report: Report, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError), drawing_figures(report, missing, apart=True):
        pass
    assert started[0].returncode == 1
