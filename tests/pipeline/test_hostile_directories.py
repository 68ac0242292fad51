"""What lies in a run directory before a run may be a trap: nothing outside it is read, emptied or removed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.small_runs import Convolution, broden, contents, dissect, network

from onnxdissect.core.state.pass_state import STATE_FILE
from onnxdissect.errors import ImageFileError, OutputError
from onnxdissect.pipeline.run_directory import claim_directory
from onnxdissect.results import FORMAT_VERSION

IDENTITY: dict[str, Any] = {"model": {"sha256": "1"}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    manifest = {"format_version": FORMAT_VERSION, "status": "running", **IDENTITY}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("name", ["work", "layers", "report", "layers/relu0"])
def test_folders_that_are_links_are_refused(run: Path, name: str) -> None:
    mine = run.parent / "mine"
    mine.mkdir()
    for kept in ("notes.txt", "tally.npz", "state.npz"):
        (mine / kept).write_text("mine")
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).symlink_to(mine)
    with pytest.raises(OutputError, match="is a link, and a run writes only into its own directory"):
        claim_directory(run, IDENTITY, fresh=True).work().__enter__()
    assert sorted(path.name for path in mine.iterdir()) == ["notes.txt", "state.npz", "tally.npz"]


def test_a_lock_that_is_a_link_is_not_emptied(run: Path) -> None:
    (run.parent / "mine").write_text("mine")
    (run / "work").mkdir()
    (run / "work" / "lock").symlink_to(run.parent / "mine")
    with pytest.raises(OutputError, match="cannot be locked: it is no file"):
        claim_directory(run, IDENTITY, fresh=True).work().__enter__()
    assert (run.parent / "mine").read_text() == "mine"


@pytest.mark.parametrize("name", ["units.csv", "work/spool-000000.bin", "layers/relu0/tally.npz"])
def test_a_folder_in_a_files_place_is_named(run: Path, name: str) -> None:
    (run / name).mkdir(parents=True)
    with pytest.raises(OutputError, match="is in the way and cannot be removed"):
        claim_directory(run, IDENTITY, fresh=True).work().__enter__()


@pytest.mark.parametrize("content", ["[" * 100_000, '{"format_version": 1e400}', "7" * 5000, '"\\ud800"'])
def test_a_manifest_that_is_none_is_no_run(run: Path, content: str) -> None:
    (run / "manifest.json").write_text(content)
    with pytest.raises(OutputError, match=r"not ours|cannot be used as a run directory"):
        claim_directory(run, IDENTITY, fresh=False)


def test_a_manifest_that_never_ends_is_not_read(run: Path) -> None:
    (run / "manifest.json").unlink()
    os.mkfifo(run / "manifest.json")
    with pytest.raises(OutputError, match="named pipe"):
        claim_directory(run, IDENTITY, fresh=False)


class Vanishing:
    """Removes a file once some images are in."""

    def __init__(self, file: Path) -> None:
        self.file, self.done = file, 0

    def start(self, phase: str, total: int) -> None: ...
    def finish(self) -> None: ...

    def advance(self, images: int) -> None:
        self.done += images
        if self.done == 12:
            self.file.unlink()


def test_a_saved_pass_that_lies_is_not_taken_up(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 40, seed=2)
    expected = contents(dissect(tmp_path, batch_size=2, out=tmp_path / "whole").path)
    state = tmp_path / "run" / "work" / STATE_FILE
    last = tmp_path / "data" / "images" / "33.png"
    picture = last.read_bytes()
    options: dict[str, Any] = {"batch_size": 2, "workers": 1, "save_every": 0}
    lies: dict[str, Any] = {
        "images": np.array([[0, 10**9]]),
        "segments": np.array([[-1, -1]]),
        "truth": np.zeros(10**5, np.int64),
        "0.places": np.array([10**12]),
        "0.floors": np.full(4, 2**40),
        "0.top_slots": np.full((4, 15), 10**9),
        "0.top_images": np.full((4, 15), -7),
        "0.samples": np.zeros((1, 1), np.float32),
    }
    for name, lie in lies.items():
        with pytest.raises(ImageFileError):
            dissect(tmp_path, **options, progress=Vanishing(last), fresh=True)
        last.write_bytes(picture)
        with np.load(state) as archive:
            saved = dict(archive)
        assert saved[name].dtype == lie.dtype
        np.savez(state, **saved | {name: lie})
        said: list[str] = []
        done = dissect(tmp_path, **options, notify=said.append)
        assert any("cannot be taken up" in line for line in said), (name, said)
        assert contents(done.path) == expected
