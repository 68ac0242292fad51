"""Names, options and folders that nothing is written for, and what fails leaves nothing."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import called
from support.datasets import RGB, png
from support.imported_data import imported, write
from support.importing import index_rows

from onnxdissect.data import LabelEntry, open_dataset
from onnxdissect.data.importers.imported import ImportedData
from onnxdissect.data.importers.options import ImportOptions
from onnxdissect.errors import DataError, DataFormatError, EmptyDataError, OutputError, ParameterError


def test_names_that_a_table_or_a_file_system_cannot_hold(tmp_path: Path) -> None:
    names = ["a;b\\c.png", "x:y/ z .png", "dots./1.png", "e\u0301.png"]
    data = imported(tmp_path, names, {name: {"object": [1]} for name in names})
    report = write(data, tmp_path / "out")
    written = [row["image"] for row in index_rows(tmp_path / "out")]
    assert written == ["a_b_c.png", "x_y/z .png", "dots_/1.png", "\u00e9.png"]
    assert any("3 images got another name" in note and "'a;b\\\\c.png'" in note for note in report.notes)
    assert called(tmp_path, "data", "check", "out").returncode == 0


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a/X.png", "a/x.jpg"], "the images 'a/X.png' and 'a/x.jpg' would be one"),
        (["a;b.png", "a_b.png"], "the images 'a;b.png' and 'a_b.png' would be one"),
        (["\u00e9.png", "e\u0301.png"], "would be one"),
        (["x.png", "x_Object.png"], "'x_Object.png' is called as a label map of 'x.png' would be"),
        (["x_part_12.png", "x.png"], "'x_part_12.png' is called as a label map of 'x.png' would be"),
    ],
)
def test_names_that_would_be_one(tmp_path: Path, names: list[str], said: str) -> None:
    data = imported(tmp_path, names, {name: {"object": [1]} for name in names})
    with pytest.raises(DataFormatError) as caught:
        write(data, tmp_path / "out")
    assert said in caught.value.message and caught.value.hint is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 1}, "--size takes 2 to 11,585 pixels, not 1"),
        ({"size": 100_000}, "--size takes 2 to 11,585 pixels"),
        ({"aspect": "crop"}, "--aspect crop says how images and label maps are resized"),
        ({"resample": "nearest"}, "--resample nearest says how"),
        ({"size": 8, "aspect": "cropp"}, "--aspect takes stretch or crop or pad, not 'cropp'"),
        ({"size": 8, "resample": "mode"}, "--resample takes nearest or majority, not 'mode'"),
        ({"size": 8, "aspect": "pad", "link": True}, "--link leaves images as they are"),
        ({"scene": "names"}, "--scene takes folders, not 'names'"),
        ({"split_from": "names"}, "--split-from takes folders or hash, not 'names'"),
        ({"limit": 0}, "the limit must be 1 or more, not 0"),
        ({"group": "film"}, "--group takes folder, prefix:N or none, not 'film'"),
        ({"group": "prefix:x"}, "--group takes folder, prefix:N or none"),
        ({"licence": "a\nb"}, "--licence takes a line of text, not 'a\\nb'"),
        ({"workers": 0}, "the number of workers must be 1 or more, not 0"),
    ],
)
def test_options_outside_their_range_or_against_each_other(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        ImportOptions(**options)
    assert said in caught.value.message


def test_colours_and_scenes_that_a_data_set_has_already(tmp_path: Path) -> None:
    for options, category in (({"color": True}, "color"), ({"scene": "folders"}, "scene")):
        drawn = imported(tmp_path, ["1.png"], {"1.png": {category: [1]}})
        own = LabelEntry(1, "red", (category,))
        with pytest.raises(ParameterError, match=f"adds the category '{category}', and the data set has one"):
            write(ImportedData((category,), (own,), drawn.images), tmp_path / "out", **options)


def test_a_folder_with_anything_in_it_is_left_alone(tmp_path: Path) -> None:
    data = imported(tmp_path, ["1.png"], {"1.png": {"object": [1]}})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="it is not empty, and nothing was written"):
        write(data, tmp_path / "out")
    with pytest.raises(OutputError, match="that is there already, and is no folder"):
        write(data, tmp_path / "out" / "mine.txt")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    write(data, tmp_path / "link")
    assert len(open_dataset(tmp_path / "empty")) == 1
    write(data, tmp_path / "deep" / "er")
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["er"]


def claiming(side: int) -> bytes:
    """A PNG whose header claims more pixels than it has."""
    content = bytearray(png(np.zeros((4, 4, 3), np.int64), RGB, 8))
    content[16:24] = struct.pack(">II", side, side)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no image", "13.png cannot be decoded"),
        (b"", "13.png is an empty file"),
        (claiming(50_000), "13.png has 50,000 x 50,000 pixels by its header"),
        (claiming(8), "13.png cannot be decoded: it is damaged"),
    ],
)
def test_what_fails_leaves_nothing(tmp_path: Path, content: bytes, said: str) -> None:
    names = [f"{i}.png" for i in range(20)]
    data = imported(tmp_path, names, {name: {"object": [1]} for name in names})
    data.images[13].file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        write(data, tmp_path / "out")
    assert said in caught.value.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_images_without_any_label_and_no_images(tmp_path: Path) -> None:
    with pytest.raises(EmptyDataError, match="none of 2 images holds any label"):
        write(imported(tmp_path, ["1.png", "2.png"], {}), tmp_path / "out")
    with pytest.raises(EmptyDataError, match="there is no image to be imported"):
        write(imported(tmp_path, [], {}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("resample", ["nearest", "majority"])
@pytest.mark.parametrize(("wrong", "said"), [(-1, "holds the numbers -1 to 2"), (0.5, "whole numbers")])
@pytest.mark.parametrize("spread", [False, True])
def test_numbers_that_no_label_has_are_not_resampled(
    tmp_path: Path, resample: str, wrong: float, said: str, spread: bool
) -> None:
    cells = np.full((24, 32), 2, np.asarray(wrong).dtype)
    cells[0, 0] = wrong
    data = imported(tmp_path, ["1.png"], {"1.png": {"object": [cells]}})
    images = [replace(data.images[0], spread=spread)]
    with pytest.raises(DataFormatError, match=said):
        write(replace(data, images=images), tmp_path / "out", size=8, resample=resample)


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        (None, "annotations are label maps and label numbers by category, not None"),
        ({"object": np.ones((24, 32), int)}, "annotations in the category object stand in a list, not in"),
        ({"object": np.float64(1)}, "annotations in the category object stand in a list, not in"),
        ({"object": [1], "parts": [2]}, "in the category 'parts', which the data set does not list"),
        ({"object": [77]}, "images hold the label number 77 in the category 'object'; no such label"),
    ],
)
def test_annotations_that_are_none(tmp_path: Path, annotations: Any, said: str) -> None:
    with pytest.raises(DataFormatError) as caught:
        write(imported(tmp_path, ["1.png"], {"1.png": annotations}), tmp_path / "out")
    assert said in caught.value.message and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_images_without_a_name(tmp_path: Path, name: str) -> None:
    for size in (None, 8):
        with pytest.raises(DataFormatError, match="cannot be the name of an image"):
            write(imported(tmp_path, [name], {name: {"object": [1]}}), tmp_path / "out", size=size)


@pytest.mark.parametrize("options", [{"size": "8"}, {"size": 8.5}, {"limit": True}, {"workers": 1.5}])
def test_numbers_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="takes a whole number, not"):
        ImportOptions(**options)


def test_labels_that_are_too_many_for_colours_behind_them(tmp_path: Path) -> None:
    data = imported(tmp_path, ["1.png"], {"1.png": {"object": [1]}})
    labels = (*data.labels, LabelEntry(65_530, "last", ("object",)))
    with pytest.raises(DataFormatError, match="numbers up to 65,541, and label maps hold 65,535"):
        write(replace(data, labels=labels), tmp_path / "out", color=True)


def test_categories_that_would_be_one_are_told_before_anything_is_written(tmp_path: Path) -> None:
    data = imported(tmp_path, ["1.png"], {"1.png": {"object": [1]}})
    data.images[0].file.unlink()
    with pytest.raises(DataFormatError, match="'object' and 'OBJECT' differ by capitals"):
        write(replace(data, categories=("object", "OBJECT")), tmp_path / "out")
    with pytest.raises(DataFormatError, match="'group' cannot be a category's name"):
        write(replace(data, categories=("group",)), tmp_path / "out")
