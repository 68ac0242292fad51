"""Data sets that are not there, or not what their tables say: every bad table and file is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.datasets import GRID, Damage, Picture, street, write_broden

from onnxdissect.data import open_dataset
from onnxdissect.errors import (
    DataFormatError,
    DataNotFoundError,
    EmptyDataError,
    ImageFileError,
    OnnxDissectError,
)

# --- no data set --------------------------------------------------------------------------------------


def test_folder_missing(tmp_path: Path) -> None:
    write_broden(tmp_path / "broden1_224", street())
    with pytest.raises(DataNotFoundError, match=r"there is no folder .*broden_224") as caught:
        open_dataset(tmp_path / "broden_224")
    assert caught.value.candidates == (str(tmp_path / "broden1_224"),)
    with pytest.raises(DataNotFoundError):
        open_dataset(tmp_path / "not" / "here")


def test_folder_without_index(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "zip" / "broden", street())
    with pytest.raises(DataNotFoundError, match=r"holds no index\.csv") as caught:
        open_dataset(folder.parent)
    assert caught.value.hint == f"--data {folder}"
    with pytest.raises(DataNotFoundError) as caught:
        open_dataset(folder / "images")
    assert caught.value.hint == f"--data {folder}"
    with pytest.raises(DataNotFoundError, match="is a file") as caught:
        open_dataset(folder / "index.csv")
    assert caught.value.hint == f"--data {folder}"
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFoundError) as caught:
        open_dataset(tmp_path / "empty")
    assert "index.csv, label.csv, category.csv" in str(caught.value)


@pytest.mark.parametrize("table", ["label.csv", "category.csv"])
def test_table_missing(damage: Damage, table: str) -> None:
    (damage.folder / table).unlink()
    with pytest.raises(DataFormatError, match=f"has no {table}"):
        open_dataset(damage.folder)


def test_index_without_rows(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "d", replace(street(), pictures=[]))
    with pytest.raises(EmptyDataError, match="lists no image"):
        open_dataset(folder)


# --- malformed tables ---------------------------------------------------------------------------------

BAD_TABLES: dict[str, tuple[str, str, str, str]] = {
    "index column missing": ("index.csv", "split,", "", r"lacks the column split; it has image, ih"),
    "index columns missing": ("index.csv", "ih,iw,", "", r"lacks the columns ih, iw"),
    "label column missing": ("label.csv", "number,", "no,", r"lacks the column number"),
    "category column missing": ("category.csv", "name,", "title,", r"lacks the column name"),
    "coverage column missing": (
        "c_scene.csv",
        ",coverage",
        ",covers",
        r"c_scene.csv lacks the column coverage",
    ),
    "column twice": ("index.csv", "split,", "image,", r"two columns called 'image'"),
    "category unknown": (
        "category.csv",
        "scene",
        "place",
        r"label.csv, line 4: there is no category 'scene'",
    ),
    "category column unknown": (
        "index.csv",
        "material,",
        "materiel,",
        r"column materiel, and category.csv lists",
    ),
    "category column absent": ("index.csv", "sw,object,", "sw,,", r"no column for object"),
    "category twice": (
        "category.csv",
        "material",
        "object",
        r"line 3: the category 'object' is listed twice",
    ),
    "category nameless": ("category.csv", "\nobject,", "\n,", r"line 2: '' cannot be a category's name"),
    "category a path": ("category.csv", "\nobject,", "\na/b,", r"'a/b' cannot be a category's name"),
    "number no integer": ("label.csv", "\n2,", "\ntwo,", r"label.csv, line 3: number must be .* not 'two'"),
    "number negative": ("label.csv", "\n2,", "\n-2,", r"not '-2'"),
    "number too high": ("label.csv", "\n300,", "\n65536,", r"65536 does not fit into a label map"),
    "number twice": ("label.csv", "\n2,", "\n1,", r"line 3: label number 1 is listed twice"),
    "label without category": (
        "label.csv",
        "\n1,road,object(2),",
        "\n9,road,,",
        r"label 9 \('road'\) has no cat",
    ),
    "frequency no integer": ("label.csv", "(2),2,", "(2),many,", r"line 2: frequency must be .* not 'many'"),
    "coverage no number": (
        "c_object.csv",
        "road,2,1.0",
        "road,2,nan",
        r"c_object.csv, line 2: coverage must",
    ),
    "size no integer": ("index.csv", "24,24,6,8", "24,x,6,8", r"line 2: iw must be .* not 'x'$"),
    "grid zero": ("index.csv", "24,24,6,8", "24,24,0,8", r"line 2: sh must be a whole number above zero"),
    "label unknown": ("index.csv", ",300\n", ",301\n", r"line 2: label number 301 is not in label.csv$"),
    "label within gap": ("index.csv", ",300\n", ",299\n", r"label number 299 is not in label.csv"),
    "label a fraction": ("index.csv", ",300\n", ",300.0\n", r"'300.0' is neither a label number nor"),
    "label negative": ("index.csv", ",300\n", ",-1\n", r"'-1' is neither a label number nor"),
    "image nameless": ("index.csv", "three.jpg", "", r"line 4: the image has no file name"),
    "image outside": ("index.csv", "three.jpg", "../three.jpg", r"'../three.jpg' leads out of"),
    "image absolute": ("index.csv", "three.jpg", "/three.jpg", r"leads out of the images folder"),
    "image on a drive": ("index.csv", "three.jpg", "C:\\three.jpg", r"leads out of the images folder"),
    "image with a zero": ("index.csv", "three.jpg", "three\0.jpg", r"'three\\x00.jpg' cannot be a file name"),
    "label map outside": ("index.csv", "a/one_object_0", "a\\..\\..\\x", r"leads out of the images folder"),
    "row too narrow": (
        "index.csv",
        "three.jpg,train,",
        "three.jpg,",
        r"line 4: the row has 8 cells, and the header 9$",
    ),
    "row too wide": ("index.csv", "6,8,,,", "6,8,,,,x", r"line 4: the row has 10 cells"),
    "quote never closed": ("label.csv", "\n2,metal", '\n2,"metal', r"label.csv, line .* not readable as CSV"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_malformed_table(damage: Damage, case: str) -> None:
    table, old, new, message = BAD_TABLES[case]
    damage.replace(table, old, new)
    with pytest.raises(DataFormatError, match=message):
        open_dataset(damage.folder)


def test_many_bad_rows_are_one_error(damage: Damage) -> None:
    for wrong in ("-4", "", "1e3"):
        damage.replace("index.csv", "24,24,6,8", f"24,{wrong},6,8")
    with pytest.raises(DataFormatError, match=r"line 2: iw .* not '-4' \(and 2 more like it\)") as caught:
        open_dataset(damage.folder)
    assert caught.value.hint == f"onnxdissect data check {damage.folder} lists every problem"


def test_table_in_another_encoding(damage: Damage) -> None:
    path = damage.folder / "label.csv"
    path.write_bytes(path.read_text(encoding="utf-8").replace("metal", "Stühle").encode("latin-1"))
    with pytest.raises(DataFormatError, match=r"not UTF-8 text \(line 3\)"):
        open_dataset(damage.folder)
    path.write_bytes(b"")
    with pytest.raises(DataFormatError, match=r"label.csv is empty"):
        open_dataset(damage.folder)


def test_lines_are_those_of_an_editor(damage: Damage) -> None:
    damage.replace("label.csv", "1,road", '1,"road\nand more"')
    damage.replace("label.csv", "\n300,night", "\n\n300,night")
    damage.replace("label.csv", "300", "none")
    with pytest.raises(DataFormatError, match=r"label.csv, line 6: number must be"):
        open_dataset(damage.folder)


# --- files that are not what the index says -----------------------------------------------------------


def delete(damage: Damage) -> None:
    (damage.folder / "images" / "a" / "one_object_0.png").unlink()


def cut(damage: Damage) -> None:
    damage.truncate("a/one_object_0.png", 0.8)


def resize(damage: Damage) -> None:
    damage.replace("index.csv", "24,24,6,8", "24,24,7,8")


def exchange(damage: Damage) -> None:
    images = damage.folder / "images" / "a"
    (images / "one_object_0.png").write_bytes((images / "one.jpg").read_bytes())


def renumber(damage: Damage) -> None:
    damage.replace("label.csv", "\n2,", "\n3,")


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (delete, ImageFileError, "is missing: there is no file"),
        (cut, ImageFileError, "is truncated"),
        (resize, ImageFileError, "is 6x8; by its sh and sw it should be 7x8"),
        (exchange, ImageFileError, "is not a PNG file"),
        (renumber, DataFormatError, "holds the label number 2; label.csv has no such label"),
    ],
)
def test_bad_label_map(
    damage: Damage, spoil: Callable[[Damage], None], kind: type[OnnxDissectError], message: str
) -> None:
    spoil(damage)
    dataset = open_dataset(damage.folder)
    with pytest.raises(kind, match=message) as caught:
        dataset.read_annotation(0)
    assert "label map a/one_object_0.png of image a/one.jpg (index.csv, line 2)" in str(caught.value)


def test_unknown_numbers_are_all_named(damage: Damage) -> None:
    broden = street()
    broden.pictures = [Picture("p.png", {"object": [np.arange(400, 448).reshape(GRID)]}, grid=GRID)]
    dataset = open_dataset(write_broden(damage.folder.parent / "d", broden))
    listed = ", ".join(map(str, range(400, 410)))
    with pytest.raises(DataFormatError, match=rf"label numbers {listed}, \.\.\.; label.csv"):
        dataset.read_annotation(0)


@pytest.mark.parametrize("image", [0, 1])
def test_bad_photograph(damage: Damage, image: int) -> None:
    dataset = open_dataset(damage.folder)
    name = dataset.image_name(image)
    damage.truncate(name)
    with pytest.raises(ImageFileError, match=rf"image {name} \(index.csv, line {image + 2}\) is truncated"):
        dataset.read_image(image)
    dataset.image_path(image).unlink()
    with pytest.raises(ImageFileError, match=rf"image {name} .* is missing"):
        dataset.read_image(image)
