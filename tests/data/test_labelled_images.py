"""Which class each image shows: folders, tables, and scenes of data sets."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.datasets import random_broden, write_broden
from support.small_runs import broden

from onnxdissect.data import open_data, open_dataset
from onnxdissect.data.checked_dataset import CheckedDataset
from onnxdissect.data.labelled_images import LabelledImages, labelled_images
from onnxdissect.errors import (
    DataFormatError,
    DataNotFoundError,
    EmptyDataError,
    ImageFileError,
    OnnxDissectError,
)
from onnxdissect.tiny import make_tiny


def draw(path: Path, seed: int = 0) -> NDArray[np.uint8]:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 9, 3)).astype(np.uint8)
    cv2.imwrite(str(path), pixels[:, :, ::-1])
    return pixels


def pairs(found: LabelledImages) -> list[tuple[str, str]]:
    assert len(found) == len(found.names) == len(found.classes)
    return list(zip(found.names, found.classes, strict=True))


def test_each_folder_is_a_class_with_images_at_any_depth(tmp_path: Path) -> None:
    names = ["b/2.png", "b/deep/er/1.PNG", "a/1.png", "ünï cöde/x.png"]
    drawn = {name: draw(tmp_path / name, seed) for seed, name in enumerate(names)}
    draw(tmp_path / "loose.png")
    draw(tmp_path / ".hidden" / "1.png")
    draw(tmp_path / "a" / ".DS_Store.png")
    (tmp_path / "a" / "notes.txt").write_text("notes", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    for source in (tmp_path, str(tmp_path)):
        found = labelled_images(source)
        assert pairs(found) == [
            ("a/1.png", "a"),
            ("b/2.png", "b"),
            ("b/deep/er/1.PNG", "b"),
            ("ünï cöde/x.png", "ünï cöde"),
        ]
        assert found.left_out == 2, "the image beside the folders, and the notes"
        assert found.source == str(tmp_path)
        for i, name in enumerate(found.names):
            np.testing.assert_array_equal(found.read(i), drawn[name])


def test_links_to_folders_are_followed_for_a_class_and_not_within(tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere" / "1.png")
    draw(tmp_path / "images" / "a" / "2.png")
    (tmp_path / "images" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images" / "a" / "round").symlink_to(tmp_path / "images")
    assert pairs(labelled_images(tmp_path / "images")) == [("a/2.png", "a"), ("b/1.png", "b")]


def test_a_folder_without_images_of_a_class_says_what_is_taken(tmp_path: Path) -> None:
    draw(tmp_path / "loose.png")
    (tmp_path / "a").mkdir()
    with pytest.raises(EmptyDataError, match="holds no image in a folder of a class") as error:
        labelled_images(tmp_path)
    assert error.value.hint is not None and "one folder a class" in error.value.hint


def test_a_table_names_images_beside_it_and_their_classes(tmp_path: Path) -> None:
    drawn = draw(tmp_path / "images" / "x, y.png", 1)
    draw(tmp_path / "z.png", 2)
    text = '\ufeffclass,weight,image\nski slope,1,"images/x, y.png"\n beach ,2, z.png\n'
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    found = labelled_images(tmp_path / "table.csv")
    assert pairs(found) == [("images/x, y.png", "ski slope"), ("z.png", "beach")]
    assert found.left_out == 0
    np.testing.assert_array_equal(found.read(0), drawn)


@pytest.mark.parametrize(
    ("lines", "kind", "said"),
    [
        (["image,label", "a.png,b"], DataFormatError, "class"),
        (["image,class"], EmptyDataError, "lists no image"),
        (["image,class", "a.png,"], DataFormatError, "line 2: the class is missing"),
        (["image,class", "a.png,b", ",b"], DataFormatError, "line 3: the image is missing"),
        (
            ["image,class", "a.png,b", "a.png,c"],
            DataFormatError,
            "line 3: 'a.png' is there already, in line 2",
        ),
        (["image,class", "a.png,b", "./x/../a.png,b"], DataFormatError, "is there already, in line 2"),
    ],
)
def test_tables_that_do_not_say_one_class_of_each_image(
    tmp_path: Path, lines: list[str], kind: type[OnnxDissectError], said: str
) -> None:
    (tmp_path / "table.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    with pytest.raises(kind, match=said):
        labelled_images(tmp_path / "table.csv")


def test_files_that_are_not_there_are_told_before_any_is_read(tmp_path: Path) -> None:
    draw(tmp_path / "there.png")
    (tmp_path / "table.csv").write_text("image,class\nthere.png,a\nnone.png,b\n", encoding="utf-8")
    with pytest.raises(DataFormatError, match=r"table\.csv, line 3: there is no file 'none\.png'"):
        labelled_images(tmp_path / "table.csv")


def test_where_nothing_is_what_could_be_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError) as error:
        labelled_images(tmp_path / "nowhere")
    assert error.value.hint is not None and "one folder a class" in error.value.hint


def test_an_image_is_no_table(tmp_path: Path) -> None:
    draw(tmp_path / "one.png")
    with pytest.raises(DataFormatError, match=r"one\.png is one image"):
        labelled_images(tmp_path / "one.png")


def test_images_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    draw(tmp_path / "a" / "good.png")
    (tmp_path / "a" / "bad.png").write_bytes((tmp_path / "a" / "good.png").read_bytes()[:60])
    (tmp_path / "table.csv").write_text("image,class\na/none.png,a\n", encoding="utf-8")
    with pytest.raises(ImageFileError, match=r"a.bad\.png"):
        labelled_images(tmp_path).read(0)
    with pytest.raises(OnnxDissectError, match=r"a.none\.png"):
        labelled_images(tmp_path / "table.csv").read(0)
    with pytest.raises(DataNotFoundError, match="nowhere"):
        labelled_images(tmp_path / "nowhere")


def test_images_of_all_kinds_come_upright_as_rgb(tmp_path: Path) -> None:
    grey = np.arange(54, dtype=np.uint8).reshape(6, 9)
    folder = tmp_path / "a"
    folder.mkdir()
    Image.fromarray(grey).save(folder / "0grey.png")
    Image.fromarray(grey.astype(np.uint16) * 256).save(folder / "1sixteen.png")
    Image.fromarray(np.dstack([grey, grey, grey, 255 - grey])).save(folder / "2alpha.png")
    Image.new("CMYK", (9, 6), (0, 255, 255, 0)).save(folder / "3cmyk.jpg", quality=100)
    turned = Image.new("RGB", (9, 6), (0, 0, 255))
    exif = turned.getexif()
    exif[274] = 6  # turned a quarter
    turned.save(folder / "4turned.jpg", exif=exif, quality=100)
    found = labelled_images(tmp_path)
    assert all(found.read(i).dtype == np.uint8 for i in range(5))
    for i in range(3):
        np.testing.assert_array_equal(found.read(i), np.dstack([grey] * 3))
    red = found.read(3).reshape(-1, 3).mean(axis=0)
    assert red[0] > 200 and red[1:].max() < 60
    assert found.read(4).shape == (9, 6, 3)


def test_scenes_of_a_data_set_are_classes(tmp_path: Path) -> None:
    make_tiny(tmp_path / "tiny", images=10, seed=1, workers=1)
    data = open_data(tmp_path / "tiny")
    scenes = {one.index: one.name for one in data.vocabulary.concepts if "scene" in one.categories}
    expected = []
    for i in range(len(data)):
        shown = [scenes[int(k)] for k in data.read_annotation(i).image_labels if int(k) in scenes]
        if len(shown) == 1:
            expected.append((data.image_name(i), shown[0]))
    for source in (tmp_path / "tiny", data):
        found = labelled_images(source)
        assert pairs(found) == expected and found.left_out == len(data) - len(expected)
        assert 0 < len(found) < len(data)
        position = [data.image_name(i) for i in range(len(data))].index(found.names[-1])
        np.testing.assert_array_equal(found.read(len(found) - 1), data.read_image(position))


def test_the_index_tells_scenes_as_the_annotations_do(tmp_path: Path) -> None:
    # a number twice in a row, in the column of another category, nameless, several, none, beside label maps
    folder = write_broden(tmp_path / "data", random_broden(seed=5, pictures=24, labels=9, nameless=True))
    data = open_dataset(folder)
    with (folder / "index.csv").open("a", encoding="utf-8") as file:
        row = ["", "train", "24", "24", "12", "12", *[""] * 6]
        numbers = [one.number for one in data.vocabulary.concepts if "scene" in one.categories]
        for i, cell in enumerate(
            (f"{numbers[0]};{numbers[0]}", f"{numbers[0]};{numbers[1]}", "", numbers[1])
        ):
            for column in (7, 10):
                name = f"a/more{i}_{column}.png"
                file.write(",".join([name, *row[1:column], str(cell), *row[column + 1 :]]) + "\n")
                draw(folder / "images" / name)
    data = open_dataset(folder)
    by_index, by_annotation = labelled_images(data), labelled_images(CheckedDataset(data))
    assert pairs(by_index) == pairs(by_annotation)
    assert by_index.left_out == by_annotation.left_out and 4 < len(by_index) < len(data)
    for path in data.folder.rglob("*_*_*.png"):
        path.unlink()
    assert pairs(labelled_images(data)) == pairs(by_index), "no label map is read"


def test_a_data_set_without_scenes_has_no_classes(tmp_path: Path) -> None:
    broden(tmp_path / "data", 4, 0)
    with pytest.raises(DataFormatError, match="has no scenes") as error:
        labelled_images(tmp_path / "data")
    assert error.value.hint is not None and ".csv" in error.value.hint


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything may be read")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "a" / "1.png")
    (tmp_path / "a").chmod(0)
    try:
        with pytest.raises(OnnxDissectError, match="a"):
            labelled_images(tmp_path)
    finally:
        (tmp_path / "a").chmod(0o755)


def test_what_is_no_labelled_images_says_what_is(tmp_path: Path) -> None:
    draw(tmp_path / "one.png")
    (tmp_path / "words.txt").write_text("image,class\n", encoding="utf-8")
    for source, kind, said in (
        (str(tmp_path / "one.png"), DataFormatError, "is one image"),
        (str(tmp_path / "words.txt"), DataFormatError, r"is no \.csv"),
        (str(tmp_path / "nowhere"), DataNotFoundError, "there is no folder"),
        ("", DataFormatError, "empty name"),
    ):
        with pytest.raises(kind, match=said) as error:
            labelled_images(source)
        assert error.value.hint is not None and "one folder a class" in error.value.hint


def test_a_folder_called_like_a_source_is_meant_by_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path / "tiny" / "beach" / "0.png")
    monkeypatch.chdir(tmp_path)
    assert len(labelled_images("./tiny")) == 1
    assert len(labelled_images("tiny")) > 1000


def test_folders_without_images_and_links_to_nothing_are_named(tmp_path: Path) -> None:
    draw(tmp_path / "beach" / "0.png")
    (tmp_path / "kitchen").mkdir()
    (tmp_path / "office").mkdir()
    (tmp_path / "office" / "notes.txt").write_text("none", encoding="utf-8")
    found = labelled_images(tmp_path)
    assert (found.empty, found.left_out) == (("kitchen", "office"), 1)
    (tmp_path / "kitchen" / "gone.png").symlink_to(tmp_path / "nothing.png")
    found = labelled_images(tmp_path)
    assert found.empty == ("office",) and found.names[1] == "kitchen/gone.png"
    with pytest.raises(ImageFileError, match=r"gone\.png"):
        found.read(1)
