from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from onnxdissect.core.state.pass_state import STATE_FILE
from onnxdissect.errors import OutputError, RunFormatError, RunMismatchError
from onnxdissect.pipeline.run_directory import claim_directory
from onnxdissect.results import FORMAT_VERSION

IDENTITY: dict[str, Any] = {
    "model": {"path": "a.onnx", "sha256": "1"},
    "data": {"folder": "/d", "fingerprint": "2"},
    "parameters": {"quantiles": (0.005,), "top": 15},
}


def finish(path: Path, identity: dict[str, Any] = IDENTITY, **changes: Any) -> None:
    path.mkdir(parents=True, exist_ok=True)
    manifest = {"format_version": FORMAT_VERSION, "status": "complete", **identity, **changes}
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_a_new_or_empty_folder_is_free(tmp_path: Path) -> None:
    assert not claim_directory(tmp_path / "new" / "run", IDENTITY, fresh=False).complete
    assert not (tmp_path / "new").exists()
    assert not claim_directory(tmp_path, IDENTITY, fresh=False).complete


def test_the_same_run_is_found_complete_wherever_its_inputs_lie_now(tmp_path: Path) -> None:
    finish(tmp_path)
    moved = IDENTITY | {"model": {"path": "elsewhere/b.onnx", "sha256": "1"}}
    assert claim_directory(tmp_path, moved, fresh=False).complete
    assert not claim_directory(tmp_path, moved, fresh=True).complete


def test_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    finish(tmp_path)
    asked = IDENTITY | {"parameters": {"quantiles": (0.01,), "top": 15}}
    with pytest.raises(RunMismatchError, match=r"parameters\.quantiles: \[0\.005\] there, \[0\.01\] asked"):
        claim_directory(tmp_path, asked, fresh=False)
    assert not claim_directory(tmp_path, asked, fresh=True).complete


def test_an_unfinished_run_without_a_state_may_be_replaced_by_any_other(tmp_path: Path) -> None:
    finish(tmp_path, status="running")
    for identity in (IDENTITY, IDENTITY | {"data": {"fingerprint": "3"}}):
        found = claim_directory(tmp_path, identity, fresh=False)
        assert not found.complete
        assert not found.unfinished


def test_an_unfinished_run_with_a_state_goes_on_or_is_refused(tmp_path: Path) -> None:
    finish(tmp_path, status="running")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / STATE_FILE).write_bytes(b"saved")
    assert claim_directory(tmp_path, IDENTITY, fresh=False).unfinished
    with pytest.raises(RunMismatchError, match=r"data\.fingerprint"):
        claim_directory(tmp_path, IDENTITY | {"data": {"fingerprint": "3"}}, fresh=False)
    assert not claim_directory(tmp_path, IDENTITY, fresh=True).unfinished


def test_work_is_kept_after_a_failure_only_with_a_state(tmp_path: Path) -> None:
    for saved in (False, True):
        with pytest.raises(KeyError), claim_directory(tmp_path, IDENTITY, fresh=True).work() as work:
            if saved:
                (work / STATE_FILE).write_bytes(b"saved")
            raise KeyError
        assert work.exists() == saved
    with claim_directory(tmp_path, IDENTITY, fresh=False).work() as work:
        assert (work / STATE_FILE).exists()
    assert not work.exists()


def test_two_processes_do_not_write_the_same_run(tmp_path: Path) -> None:
    with claim_directory(tmp_path, IDENTITY, fresh=False).work():
        script = (
            "from pathlib import Path; from onnxdissect.pipeline.run_directory import claim_directory\n"
            f"claim_directory(Path({str(tmp_path)!r}), {{}}, fresh=True).work().__enter__()"
        )
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "another process is writing the run" in other.stderr


def test_another_format_is_refused(tmp_path: Path) -> None:
    finish(tmp_path, format_version=99)
    with pytest.raises(RunFormatError, match="format 99"):
        claim_directory(tmp_path, IDENTITY, fresh=False)


@pytest.mark.parametrize("fresh", [False, True])
def test_what_is_not_a_run_is_never_touched(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.tex").write_text("ten years")
    with pytest.raises(OutputError, match="not a run directory"):
        claim_directory(tmp_path, IDENTITY, fresh=fresh)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(OutputError, match="not ours"):
        claim_directory(tmp_path, IDENTITY, fresh=fresh)
    with pytest.raises(OutputError, match="is a file"):
        claim_directory(tmp_path / "thesis.tex", IDENTITY, fresh=fresh)
    with pytest.raises(OutputError, match="is not a folder"):
        claim_directory(tmp_path / "thesis.tex" / "run", IDENTITY, fresh=fresh)


def test_work_marks_the_directory_unfinished_and_clears_only_our_files(tmp_path: Path) -> None:
    finish(tmp_path)
    (tmp_path / "layers" / "old").mkdir(parents=True)
    (tmp_path / "layers" / "old" / "tally.npz").write_text("old")
    (tmp_path / "units.csv").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    with claim_directory(tmp_path, IDENTITY, fresh=True).work() as work:
        assert json.loads((tmp_path / "manifest.json").read_text())["status"] == "running"
        assert work == tmp_path / "work"
        assert sorted(p.name for p in tmp_path.iterdir()) == ["manifest.json", "notes.txt", "work"]
    assert not work.exists()


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("left", [[], ["work/lock"], ["work/lock", "manifest.json.0123abcd.partial"]])
def test_what_a_run_leaves_that_is_killed_before_its_manifest_is_free(
    tmp_path: Path, fresh: bool, left: list[str]
) -> None:
    (tmp_path / "work").mkdir()
    for name in left:
        (tmp_path / name).write_text("")
    with claim_directory(tmp_path, IDENTITY, fresh=fresh).work():
        assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "work"]


@pytest.mark.parametrize("mine", ["work/notes.txt", "layers/notes.txt", "film.partial"])
def test_a_folder_with_files_of_others_and_no_manifest_is_not_taken(tmp_path: Path, mine: str) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / mine).parent.mkdir(exist_ok=True)
    (tmp_path / mine).write_text("mine")
    with pytest.raises(OutputError, match="not a run directory"):
        claim_directory(tmp_path, IDENTITY, fresh=True)


def test_a_disk_that_is_full_at_the_first_manifest_leaves_a_folder_that_is_taken(tmp_path: Path) -> None:
    script = (
        "import resource, signal\n"
        "from pathlib import Path; from onnxdissect.pipeline.run_directory import claim_directory\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"claimed = claim_directory(Path({str(tmp_path)!r}), {{'data': 'x' * 4000}}, fresh=False)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))\n"
        "claimed.work().__enter__()"
    )
    starved = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "OutputError: cannot write" in starved.stderr
    assert not list(tmp_path.iterdir())
    assert not claim_directory(tmp_path, IDENTITY, fresh=False).unfinished


def test_a_process_killed_while_it_writes_the_first_manifest_leaves_a_folder_that_is_taken(
    tmp_path: Path,
) -> None:
    script = (
        "import os, signal\n"
        "from pathlib import Path; from onnxdissect.pipeline.run_directory import claim_directory\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"claim_directory(Path({str(tmp_path)!r}), {{}}, fresh=False).work().__enter__()"
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -9
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == 2
    assert "manifest.json" not in left
    with claim_directory(tmp_path, IDENTITY, fresh=False).work():
        assert json.loads((tmp_path / "manifest.json").read_text())["status"] == "running"
