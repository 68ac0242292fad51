"""Folders that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxdissect.errors import OutputError
from onnxdissect.storage.new_folder import new_folder


def fill(folder: Path) -> None:
    with new_folder(folder, "the data set") as partial:
        assert not any(partial.iterdir()) and partial.parent == folder.resolve().parent
        (partial / "file").write_text("whole", encoding="utf-8")
        assert not folder.exists() or not any(folder.iterdir())


@pytest.mark.parametrize("there", [False, True])
def test_it_appears_when_it_is_whole(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "deep" / "out"
    if there:
        folder.mkdir(parents=True)
    fill(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    assert (folder / "file").read_text(encoding="utf-8") == "whole"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_nothing_is_left_of_one_that_fails(tmp_path: Path, error: BaseException) -> None:
    for place in ("out", "very/deep/out"):
        with pytest.raises(type(error)), new_folder(tmp_path / place, "the data set") as partial:
            (partial / "file").write_text("half", encoding="utf-8")
            raise error
        assert not any(tmp_path.iterdir())
    with pytest.raises(type(error)), new_folder(tmp_path / "very" / "deep" / "out", "the data set"):
        (tmp_path / "very" / "mine").touch()
        raise error
    assert [path.name for path in (tmp_path / "very").iterdir()] == ["mine"]


def test_what_came_there_meanwhile_stays(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"the data set cannot be written to .*out: it is not empty"),
        new_folder(tmp_path / "out", "the data set") as partial,
    ):
        (partial / "file").write_text("ours", encoding="utf-8")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "file").write_text("theirs", encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "file").read_text(encoding="utf-8") == "theirs"


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="that is there already, and is no folder"):
        fill(tmp_path / "out")
    with pytest.raises(OutputError, match="cannot make the folder"):
        fill(tmp_path / "out" / "deeper")
