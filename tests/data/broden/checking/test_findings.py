"""What a check finds: doubles, files that no row lists, rare concepts, grey maps; a bad file is one error."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.commands import called
from support.datasets import (
    GREY,
    PALETTE,
    RGB,
    Damage,
    Quirks,
    encoded,
    label_png,
    random_broden,
    street,
    write_broden,
)

from onnxdissect.data import check_dataset, check_folder, open_data, open_dataset


def found(folder: Path, text: str, min_images: int = 10) -> list[tuple[str, int | None, str]]:
    problems = check_folder(folder, min_images=min_images).problems
    return [(p.file, p.row, p.message) for p in problems if text in p.message]


def test_images_of_the_same_pixels_are_told_of_whatever_their_files_are(damage: Damage) -> None:
    images = damage.folder / "images"
    pixels = cv2.imread(str(images / "a" / "one.jpg"))
    assert pixels is not None
    cv2.imwrite(str(images / "a" / "two.png"), pixels)
    shutil.copy(images / "a" / "one.jpg", images / "three.jpg")
    assert found(damage.folder, "same pixels") == [
        (
            "a/two.png",
            3,
            "the image has the same pixels as a/one.jpg (line 2), which is of the split 'train'",
        ),
        ("three.jpg", 4, "the image has the same pixels as a/one.jpg (line 2)"),
    ]
    # one pixel is enough to be another
    pixels[3, 4, 1] ^= 1
    cv2.imwrite(str(images / "a" / "two.png"), pixels)
    assert [file for file, *_ in found(damage.folder, "same pixels")] == ["three.jpg"]


def test_images_of_another_shape_are_others(damage: Damage) -> None:
    images = damage.folder / "images"
    for name, shape in (("a/two.png", (8, 18)), ("three.jpg", (16, 9))):
        (images / name).write_bytes(encoded(np.zeros((*shape, 3), np.uint8), Path(name).suffix))
    assert not found(damage.folder, "same pixels")


def test_an_image_listed_twice_is_no_double_of_itself(damage: Damage) -> None:
    index = damage.folder / "index.csv"
    index.write_text(index.read_text() + "a/one.jpg,val,24,24,6,8,,,300\n")
    assert found(damage.folder, "same pixels") == []
    assert found(damage.folder, "listed 2 times") == [
        ("index.csv", 5, "the image a/one.jpg is listed 2 times, and counts as often")
    ]


def test_files_that_no_row_lists(damage: Damage) -> None:
    images = damage.folder / "images"
    (images / "notes.txt").write_text("notes")
    (images / "b" / "deep").mkdir(parents=True)
    (images / "b" / "deep" / "forgotten.jpg").write_bytes(b"\xff\xd8")
    for name in ("a/one_object_1.png", "a/two_part_2_old.png", "a/four_object.png"):
        (images / name).write_bytes(b"")
    if hasattr(os, "mkfifo"):
        os.mkfifo(images / "pipe")
    expected = [
        ("a/four_object.png", None, "no row of index.csv lists this file"),
        (
            "a/one_object_1.png",
            None,
            "no row of index.csv lists this label map, by its name one of a/one.jpg",
        ),
        (
            "a/two_part_2_old.png",
            None,
            "no row of index.csv lists this label map, by its name one of a/two.png",
        ),
        ("b/deep/forgotten.jpg", None, "no row of index.csv lists this file"),
        ("notes.txt", None, "no row of index.csv lists this file"),
        ("pipe", None, "no row of index.csv lists this, which is a named pipe"),
    ]
    assert found(damage.folder, "no row of") == [one for one in expected if (images / one[0]).exists()]
    assert check_folder(damage.folder).ok, "they stop no run"


def test_files_of_rows_that_cannot_be_read_and_of_other_splits_are_listed(damage: Damage) -> None:
    damage.replace("index.csv", "train,24,24,6,8", "train,24,x,6,8")
    assert found(damage.folder, "no row of") == []
    whole = open_dataset(write_broden(damage.folder.parent / "other", street()))
    val = check_dataset(whole.subset(split="val"))
    assert not [p for p in val.problems if "no row of" in p.message]


def test_paths_are_compared_as_they_are_meant(damage: Damage) -> None:
    damage.replace("index.csv", "three.jpg", "./a/..//three.jpg".replace("/..", ""))
    (damage.folder / "images" / "a" / "three.jpg").write_bytes(
        (damage.folder / "images" / "three.jpg").read_bytes()
    )
    (damage.folder / "images" / "three.jpg").unlink()
    damage.replace("index.csv", "a/two.png", "a\\two.png")
    assert check_folder(damage.folder).ok
    assert found(damage.folder, "no row of") == []


@pytest.mark.skipif(sys.platform == "win32", reason="links are a privilege there")
def test_links_are_looked_behind_inside_the_folder(damage: Damage, tmp_path: Path) -> None:
    images = damage.folder / "images"
    (images / "a").rename(damage.folder / "real")
    (images / "a").symlink_to("../real")
    (images / "again").symlink_to("a")
    (images / "round").symlink_to(".")
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "x.jpg").write_bytes(b"x")
    (images / "out").symlink_to(tmp_path / "away")
    assert check_folder(damage.folder).ok
    assert found(damage.folder, "no row of") == []
    (damage.folder / "real" / "left.jpg").write_bytes(b"x")
    ((file, _, _),) = found(damage.folder, "no row of")
    assert file in ("a/left.jpg", "again/left.jpg")
    # where links may lead anywhere, what lies behind them belongs to the data set
    problems = check_dataset(open_data(f"linked:{damage.folder}")).problems  # type: ignore[arg-type]
    assert [p.file for p in problems if "no row of" in p.message][-1] == "out/x.jpg"


def test_so_many_are_named_and_the_others_counted(damage: Damage) -> None:
    for i in range(1003):
        (damage.folder / "images" / f"x{i:04}").write_bytes(b"")
    told = found(damage.folder, "no row of")
    assert len(told) == 1001 and told[999][0] == "x0999"
    assert told[-1] == ("index.csv", None, "3 more files in images/ that no row of index.csv lists")


def test_concepts_in_few_images(damage: Damage) -> None:
    metal, night = "label 2 ('metal') is in 2 images", "label 300 ('night') is in 2 images"
    road = "label 1 ('road') is in 2 images"
    messages = [message for _, _, message in found(damage.folder, "fewer than")]
    assert messages == [f"{road}, fewer than 10", f"{metal}, fewer than 10", f"{night}, fewer than 10"]
    assert not found(damage.folder, "fewer than", min_images=2)
    damage.truncate("three.jpg")
    assert not found(damage.folder, "fewer than"), "of what cannot be read nothing is known"
    done = called(damage.folder, "data", "check", ".", "--min-images", "-1")
    assert done.returncode == 2 and "--min-images 10" in done.stderr


@pytest.mark.parametrize(("colours", "words"), [(GREY, "stored as grey"), (PALETTE, "stored as palettes")])
def test_label_maps_that_somebody_may_have_meant_otherwise(damage: Damage, colours: int, words: str) -> None:
    # numbers above 255 do not fit 8 bits of grey
    maps = np.array([[0, 1], [2, 1]]).repeat(3, axis=0).repeat(4, axis=1)
    for name in ("a/one_object_0.png", "a/two_object_1.png"):
        (damage.folder / "images" / name).write_bytes(label_png(maps, colours))
    assert check_folder(damage.folder).ok
    ((file, row, message),) = found(damage.folder, "stored as")
    assert (file, row) == ("index.csv", None)
    assert message.startswith(f"2 label maps {words}") and "such as a/one_object_0.png" in message


def test_plain_colours_are_not_told_of(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "d", random_broden(seed=4), Quirks(colours=RGB))
    assert not found(folder, "stored as")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder_there(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(target: str) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return replace


BAD: dict[str, Callable[[Path], object]] = {
    "truncated png": lambda path: path.write_bytes(path.read_bytes()[:60]),
    "zero bytes": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
    "wrong size": lambda path: path.write_bytes(label_png(np.ones((5, 8), int))),
    "unknown number": lambda path: path.write_bytes(label_png(np.full((6, 8), 7))),
    "a palette of colours": lambda path: path.write_bytes(label_png(np.full((6, 8), 128 * 257), PALETTE)),
    "no png": lambda path: path.write_bytes(b"GIF89a" + bytes(20)),
    "a folder": folder_there,
    "a named pipe": pipe,
    "a link out": link("/etc/passwd"),
    "a link to nothing": link("nothing"),
}
SAID = {
    "truncated png": "is truncated",
    "zero bytes": "is an empty file",
    "missing": "is missing",
    "wrong size": "is 5x8; by its sh and sw it should be 6x8",
    "unknown number": "holds the label number 7; label.csv has no such label",
    "a palette of colours": "holds the label number 32896",
    "no png": "is not a PNG file",
    "a folder": "a folder, and only regular files",
    "a named pipe": "a named pipe, and only regular files",
    "a link out": "leads out of",
    "a link to nothing": "is missing",
}


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links of Unix")
@pytest.mark.parametrize("case", BAD)
def test_each_bad_label_map_is_one_error(damage: Damage, case: str) -> None:
    BAD[case](damage.folder / "images" / "a" / "two_object_0.png")
    done = called(damage.folder, "data", "check", ".", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1 and report["errors"] == 1
    (error,) = [p for p in report["problems"] if p["level"] == "error"]
    assert (error["file"], error["row"]) == ("a/two_object_0.png", 3)
    assert SAID[case] in error["message"]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links of Unix")
@pytest.mark.parametrize("case", ["truncated png", "zero bytes", "missing", "a named pipe", "a link out"])
def test_each_bad_image_is_one_error(damage: Damage, case: str) -> None:
    BAD[case](damage.folder / "images" / "a" / "one.jpg")
    (error,) = [p for p in check_folder(damage.folder).problems if p.level == "error"]
    assert (error.file, error.row) == ("a/one.jpg", 2)
    assert SAID[case] in error.message
