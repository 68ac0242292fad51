"""The folder of a report is replaced as a whole or stays as it was."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.fake_counts import FakeRun, fake_run
from support.report_pages import files_in

from onnxdissect.errors import OutputError, RunFormatError
from onnxdissect.report import build
from onnxdissect.report.pages.replacing import replacing_folder
from onnxdissect.results import Dissection, load


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []

    def start(self, phase: str, total: int) -> None:
        self.events.append((phase, total))

    def advance(self, images: int) -> None:
        self.events.append(("advance", images))

    def finish(self) -> None:
        self.events.append(("finish", None))


def test_older_report_is_replaced(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    before = files_in(tmp_path / "run")
    report = build(dissection).parent
    first = files_in(report)
    (report / "left over.txt").write_text("old")
    (tmp_path / "run/report.01234567.partial").mkdir()
    (tmp_path / "run/report.01234567.partial/index.html").write_text("interrupted")
    assert build(load(dissection.path)).parent == report
    assert files_in(report) == first
    assert files_in(tmp_path / "run") == before | {f"report/{name}" for name in first}
    assert not list((tmp_path / "run").glob("*.partial"))


def test_only_leftovers_of_the_same_folder_are_removed(tmp_path: Path) -> None:
    others = [
        "a.x.01234567.partial",
        "b.01234567.partial",
        "a.notes.partial",
        "a.partial",
        "[ab].txt.partial",
    ]
    own = ["[ab].01234567.partial", "[ab].89abcdef.older.partial"]
    for name in (*others, *own):
        (tmp_path / name).mkdir()
    for name in ("a", "[ab]"):
        with replacing_folder(tmp_path / name) as folder:
            (folder / "page").write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "a", "[ab]"])


def test_two_at_once_do_not_touch_what_the_other_fills(tmp_path: Path) -> None:
    target = tmp_path / "kept"
    with replacing_folder(target) as first:
        (first / "begun").write_text("first")
        with replacing_folder(target) as second:
            (second / "page").write_text("second")
        assert files_in(target) == {"page"}
        (first / "ended").write_text("first")
    assert files_in(target) == {"begun", "ended"}
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_a_killed_process_left_is_removed_and_what_another_one_fills_stays(tmp_path: Path) -> None:
    filling = (
        "import sys, time, pathlib\n"
        "from onnxdissect.report.pages.replacing import replacing_folder\n"
        "with replacing_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'page').write_text('theirs')\n"
        "    print('begun', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    target = tmp_path / "kept"
    command = [sys.executable, "-c", filling, str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "begun\n"
        with replacing_folder(target) as folder:
            (folder / "page").write_text("ours")
        assert (target / "page").read_text() == "ours"
        other.stdin.close()
        assert other.wait(30) == 0
    assert (target / "page").read_text() == "theirs"
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "begun\n"
        other.kill()
    assert len(list(tmp_path.iterdir())) == 3  # a folder and its lock
    with replacing_folder(target) as folder:
        (folder / "page").write_text("ours")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_an_interrupt_between_the_two_steps_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "kept"
    target.mkdir()
    (target / "page").write_text("old")
    rename = Path.rename

    def interrupted(path: Path, new: Path) -> Path:
        done = rename(path, new)
        if path == target:
            signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing_folder(target) as folder:
        (folder / "page").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (target / "page").read_text() == "new"


def test_failing_build_keeps_the_older_report(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    page = build(dissection)
    written = page.read_bytes()
    (tmp_path / "run/layers" / dissection.layers[0].slug / "tally.npz").write_bytes(b"damaged")
    with pytest.raises(RunFormatError):
        build(load(dissection.path))
    assert page.read_bytes() == written
    assert not list((tmp_path / "run").glob("*.partial"))


def test_report_cannot_be_written(tmp_path: Path) -> None:
    dissection = fake_run(units=(4,)).save(tmp_path / "run")
    dissection.counts(dissection.layers[0].name)  # stays in memory
    dissection.path = tmp_path / "run/manifest.json"
    with pytest.raises(OutputError, match="cannot write the report"):
        build(dissection)


def test_report_of_the_same_run_is_the_same(run: FakeRun, tmp_path: Path) -> None:
    def contents(dissection: Dissection) -> dict[str, bytes]:
        folder = build(dissection).parent
        return {name: (folder / name).read_bytes() for name in files_in(folder)}

    assert contents(run.save(tmp_path / "one")) == contents(run.save(tmp_path / "two"))


def test_progress_counts_units(run: FakeRun, tmp_path: Path) -> None:
    recorder = Recorder()
    build(run.save(tmp_path / "run"), progress=recorder)
    needed = {image for counts in run.counts for image in counts.top_images.ravel().tolist()}
    steps = len(needed) + 20
    assert recorder.events == [("report", steps), *[("advance", 1)] * steps, ("finish", None)]
