"""`data import folders`: images of classes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.commands import Called, called
from support.importing import index_rows, pixels_by_name
from support.masked import photograph, save_photograph
from support.samples import folders


def import_folders(place: Path, *options: object) -> Called:
    return called(place, "data", "import", "folders", "out", "--images", "places", *options)


def test_the_folder_is_the_class_of_the_whole_image(tmp_path: Path) -> None:
    folders.make(tmp_path)
    done = import_folders(tmp_path)
    assert done.returncode == 0, done.stderr
    assert pixels_by_name(tmp_path / "out") == {"beach-s": 2 * 24 * 32, "forest path-s": 3 * 24 * 32}
    assert [row["image"] for row in index_rows(tmp_path / "out")] == [
        f"{name}/{file}" for name, files in folders.IMAGES.items() for file in files
    ]
    assert called(tmp_path, "data", "check", "out").returncode == 0


def test_another_category_and_a_size(tmp_path: Path) -> None:
    folders.make(tmp_path)
    assert import_folders(tmp_path, "--category", "texture", "--size", "8").returncode == 0
    assert pixels_by_name(tmp_path / "out") == {"beach": 2 * 16, "forest path": 3 * 16}
    assert {(row["ih"], row["sh"], row["texture"] != "") for row in index_rows(tmp_path / "out")} == {
        ("8", "4", True)
    }
    done = called(tmp_path, "data", "import", "folders", "other", "--images", "places", "--category", "a/b")
    assert done.returncode == 2 and "'a/b' cannot be a category's name" in done.stderr


def test_folders_of_splits_beside_others_are_classes_and_that_is_told(tmp_path: Path) -> None:
    for seed, name in enumerate(("train/1.png", "bus/1.png")):
        save_photograph(tmp_path / "places" / name, photograph(seed))
    done = import_folders(tmp_path)
    assert "note: taken for classes, as not all folders are called like splits: train;" in done.stdout
    assert set(pixels_by_name(tmp_path / "out")) == {"bus-s", "train-s"}


def test_folders_of_splits_hold_those_of_classes(tmp_path: Path) -> None:
    for seed, name in enumerate(("train/a/1.png", "Validation/a/1.png", "train/b/1.png")):
        save_photograph(tmp_path / "places" / name, photograph(seed))
    done = import_folders(tmp_path)
    assert "note: folders of splits, which hold those of classes: Validation, train" in done.stdout
    rows = {row["image"]: row["split"] for row in index_rows(tmp_path / "out")}
    assert rows == {"train/a/1.png": "train", "train/b/1.png": "train", "Validation/a/1.png": "val"}
    assert set(pixels_by_name(tmp_path / "out")) == {"a-s", "b-s"}


def test_what_lies_in_no_class_is_told(tmp_path: Path) -> None:
    folders.make(tmp_path)
    save_photograph(tmp_path / "places" / "loose.jpg", photograph(9))
    done = import_folders(tmp_path)
    assert "note: left out, in no folder of a class: 1 image, 'loose.jpg'" in done.stdout
    assert len(index_rows(tmp_path / "out")) == 5


def test_nothing_to_import(tmp_path: Path) -> None:
    for make, said in (
        (lambda: None, "there is no folder places"),
        ((tmp_path / "places").mkdir, "places, given by --images, holds no file that ends in"),
        (
            lambda: save_photograph(tmp_path / "places" / "loose.jpg", photograph(9)),
            "places holds no image in a folder of a class",
        ),
    ):
        make()
        done = import_folders(tmp_path)
        assert (done.returncode, done.stdout) == (2, "") and said in done.stderr
        assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.path.normcase("A") == "a", reason="capitals are small letters here")
def test_classes_that_differ_by_capitals_alone(tmp_path: Path) -> None:
    for seed, name in enumerate(("Dog/1.png", "dog/2.png")):
        save_photograph(tmp_path / "places" / name, photograph(seed))
    done = import_folders(tmp_path)
    assert done.returncode == 2 and "'Dog' and 'dog' are classes that differ by capitals alone" in done.stderr
