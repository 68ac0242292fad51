"""Links of a data set are followed inside its folder; out of it only where ``linked:DIR`` asks for it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import run_command
from support.datasets import Damage, street, write_broden

from onnxdissect.data import check_folder, open_data, open_dataset
from onnxdissect.errors import DataError, DataFormatError, ImageFileError, ParameterError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links are a privilege there")


def table(folder: Path, beside: Path) -> None:
    shutil.move(folder / "label.csv", beside)
    (folder / "label.csv").symlink_to(beside / "label.csv")


def index(folder: Path, beside: Path) -> None:
    shutil.move(folder / "index.csv", beside)
    (folder / "index.csv").symlink_to(beside / "index.csv")


def images(folder: Path, beside: Path) -> None:
    shutil.move(folder / "images", beside)
    (folder / "images").symlink_to(beside / "images")


def folder_of_images(folder: Path, beside: Path) -> None:
    shutil.move(folder / "images" / "a", beside)
    (folder / "images" / "a").symlink_to(beside / "a")


def photograph(folder: Path, beside: Path) -> None:
    shutil.move(folder / "images" / "a" / "one.jpg", beside)
    (folder / "images" / "a" / "one.jpg").symlink_to(beside / "one.jpg")


def label_map(folder: Path, beside: Path) -> None:
    shutil.move(folder / "images" / "a" / "one_object_0.png", beside)
    (folder / "images" / "a" / "one_object_0.png").symlink_to(beside / "one_object_0.png")


def read_all(spec: str | Path) -> int:
    dataset = open_data(spec)
    for i in range(len(dataset)):
        dataset.read_image(i)
        dataset.read_annotation(i)
    return len(dataset)


@pytest.mark.parametrize("lead_out", [table, index, images, folder_of_images, photograph, label_map])
def test_links_out_of_the_folder_are_refused_unless_asked_for(
    damage: Damage, tmp_path: Path, lead_out: Callable[[Path, Path], None]
) -> None:
    was = open_dataset(damage.folder).fingerprint
    beside = tmp_path / "beside"
    beside.mkdir()
    lead_out(damage.folder, beside)
    with pytest.raises(DataError, match=f"leads out of {damage.folder}, to {beside}") as caught:
        read_all(damage.folder)
    spec = f"linked:{damage.folder}"
    assert f"--data {spec}" in str(caught.value.hint)
    with pytest.raises(DataError, match="leads out of"):
        assert open_dataset(damage.folder).fingerprint
    if lead_out not in (table, index):
        assert any("leads out of" in problem.message for problem in check_folder(damage.folder).problems)
    assert read_all(spec) == 3
    assert open_data(spec).fingerprint == was
    assert open_data(spec).source == {"spec": spec}


def test_links_inside_the_folder_are_followed(damage: Damage) -> None:
    images = damage.folder / "images"
    (images / "a" / "one.jpg").rename(damage.folder / "blob")
    (images / "a" / "one.jpg").symlink_to("../../blob")
    (damage.folder / "tables").mkdir()
    (damage.folder / "label.csv").rename(damage.folder / "tables" / "label.csv")
    (damage.folder / "label.csv").symlink_to("tables/label.csv")
    (images / "a").rename(images / "b")
    (images / "a").symlink_to("b")
    assert read_all(damage.folder) == 3
    assert open_dataset(damage.folder).fingerprint


def test_the_folder_may_be_a_link_itself(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "real", street())
    (tmp_path / "alias").symlink_to(folder)
    assert read_all(tmp_path / "alias") == 3


@pytest.mark.parametrize("name", ["one.jpg", "one_object_0.png"])
def test_files_that_never_end_or_never_come(damage: Damage, name: str) -> None:
    path = damage.folder / "images" / "a" / name
    for words in ("a named pipe", "a device", "a folder", "symbolic links"):
        path.unlink()
        if words == "a named pipe":
            os.mkfifo(path)
        elif words == "a folder":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero" if words == "a device" else path.name)
        with pytest.raises(ImageFileError, match=words):
            read_all(f"linked:{damage.folder}")
        with pytest.raises(ImageFileError, match=words):
            assert open_data(f"linked:{damage.folder}").fingerprint
        if words == "a folder":
            path.rmdir()
            path.touch()


def test_a_link_to_nothing_is_a_missing_file(damage: Damage) -> None:
    (damage.folder / "images" / "three.jpg").unlink()
    (damage.folder / "images" / "three.jpg").symlink_to("nowhere")
    with pytest.raises(ImageFileError, match="is missing"):
        read_all(damage.folder)
    (damage.folder / "c_scene.csv").unlink()
    (damage.folder / "c_scene.csv").symlink_to("nowhere")
    with pytest.raises(DataFormatError, match=r"has no c_scene\.csv"):
        open_dataset(damage.folder)


def test_linked_needs_a_folder() -> None:
    with pytest.raises(ParameterError, match="linked opens a folder, and none was given"):
        open_data("linked")
    with pytest.raises(DataError, match="there is no folder"):
        open_data("linked:nowhere")


def test_commands_take_linked_folders(
    damage: Damage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "beside").mkdir()
    images(damage.folder, tmp_path / "beside")
    assert run_command(monkeypatch, "data", "check", damage.folder, "--json") == 1
    assert "leads out of" in json.loads(capsys.readouterr().out)["problems"][0]["message"]
    assert run_command(monkeypatch, "data", "check", f"linked:{damage.folder}", "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 3
