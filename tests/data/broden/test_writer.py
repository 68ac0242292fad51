"""What the Broden writer writes, the reader reads back."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from naive import data as naive_data
from support.datasets import Broden, brodens, encoded, label_png

from onnxdissect.data import ImageRecord, LabelEntry, check_folder, open_dataset, write_image, write_tables
from onnxdissect.data.broden.writer import Annotated
from onnxdissect.errors import DataFormatError, EmptyDataError, ImageFileError, OutputError

IMAGE = np.zeros((4, 6, 3), np.uint8)
MAP = np.array([[0, 1], [2, 300]])
LABELS = [
    LabelEntry(1, "road", ("object",)),
    LabelEntry(2, 'straße, "wet"', ("object", "material"), ("lane", "street")),
    LabelEntry(300, "night", ("scene", "object")),
]
CATEGORIES = ("object", "material", "scene")


def as_png(name: str) -> str:
    return f"{name.rpartition('.')[0]}.png"


def write(folder: Path, broden: Broden) -> list[ImageRecord]:
    """A test's data set by the package's writer; categories of a label are also those it is found in."""
    records = [
        write_image(
            folder,
            as_png(picture.name),
            picture.pixels(),
            picture.cells,
            split=picture.split,
            grid=picture.grid,
        )
        for picture in broden.pictures
    ]
    found = {
        (category, number) for r in records for category, pixels in r.pixels.items() for number in pixels
    }
    labels = [
        LabelEntry(
            label.number,
            label.name,
            tuple(c for c in broden.categories if c in label.listed or (c, label.number) in found),
        )
        for label in broden.labels
    ]
    write_tables(folder, broden.categories, labels, records)
    return records


@settings(deadline=None, max_examples=60)
@given(broden=brodens())
def test_what_is_written_is_read_back(broden: Broden) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "data"
        records = write(folder, broden)
        assert [ImageRecord.from_json(record.to_json()) for record in records] == records
        dataset = open_dataset(folder)
        expected = naive_data.read(folder)
        concepts = dataset.vocabulary.concepts
        assert {c.number: c.name for c in concepts} == {n.number: n.name for n in broden.labels if n.name}
        assert {c.number: c.category for c in concepts} == expected.primary
        coverage = {c.number: Fraction() for c in concepts}
        for i, picture in enumerate(broden.pictures):
            assert np.array_equal(dataset.read_image(i), picture.pixels())
            assert (dataset.split(i), dataset.grid(i)) == (picture.split, picture.grid)
            truth = dataset.read_annotation(i).truth(len(concepts))
            for concept in concepts:
                held = np.zeros(picture.grid, bool)
                for cell in picture.cells.values():
                    for item in cell:
                        held |= np.asarray(item == concept.number)
                assert truth[concept.index] == held.sum()
                for category in broden.categories:
                    within = np.zeros(picture.grid, bool)
                    for item in picture.cells.get(category, []):
                        within |= np.asarray(item == concept.number)
                    pixels = records[i].pixels.get(category, {})
                    assert pixels.get(concept.number, 0) == within.sum()
                    coverage[concept.number] += Fraction(int(within.sum()), within.size)
        for concept in concepts:
            assert concept.coverage == pytest.approx(float(coverage[concept.number]), abs=1e-6)


def test_a_written_data_set_has_no_problem(tmp_path: Path) -> None:
    records = [
        write_image(tmp_path, "a/one.png", IMAGE, {"object": [MAP, MAP.T], "scene": [300]}, group="film"),
        write_image(tmp_path, "two.png", IMAGE + 9, {"material": [2]}, split="val"),
    ]
    assert records[0].cells == {"object": "a/one_object_1.png;a/one_object_2.png", "scene": "300"}
    # the corners are alike in both maps, and count once
    assert records[0].pixels == {"object": {1: 2, 2: 2, 300: 1}, "scene": {300: 4}}
    assert records[1].grid == (4, 6)
    write_tables(tmp_path, CATEGORIES, LABELS, records)
    report = check_folder(tmp_path, min_images=1)
    assert (report.images, report.problems) == (2, ())
    dataset = open_dataset(tmp_path)
    assert dataset.grouped_by == "group"
    # "night" covers a whole image as a scene, a quarter of one as an object
    assert [c.category for c in dataset.vocabulary.concepts] == ["object", "material", "scene"]
    assert (tmp_path / "label.csv").read_text(encoding="utf-8").splitlines()[2] == (
        '2,"straße, ""wet""",object(1);material(1),2,1.500000,lane;street'
    )


def test_an_image_can_be_a_file(tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    source.write_bytes(encoded(IMAGE + 70, ".jpg"))
    record = write_image(tmp_path / "d", "photo.jpg", source, {"object": [MAP]})
    assert (record.size, record.grid) == ((4, 6), (2, 2))
    assert (tmp_path / "d" / "images" / "photo.jpg").read_bytes() == source.read_bytes()
    source.write_bytes(label_png(MAP)[:40])
    with pytest.raises(ImageFileError, match="truncated"):
        write_image(tmp_path / "d", "broken.png", source, {})
    with pytest.raises(ImageFileError, match="missing"):
        write_image(tmp_path / "d", "none.png", tmp_path / "none.png", {})


@pytest.mark.parametrize(
    ("name", "image", "annotations", "told"),
    [
        ("a.jpg", IMAGE, {}, "arrays are written as PNG"),
        ("../a.png", IMAGE, {}, "cannot be the name of an image"),
        ("/a.png", IMAGE, {}, "cannot be the name of an image"),
        ("a;b.png", IMAGE, {}, "cannot be the name of an image"),
        ("a\\b.png", IMAGE, {}, "cannot be the name of an image"),
        ("a", IMAGE, {}, "cannot be the name of an image"),
        ("a.png ", IMAGE, {}, "cannot be the name of an image"),
        ("a.png", IMAGE.astype(np.float32), {}, "array of uint8"),
        ("a.png", IMAGE[:, :, 0], {}, "array of uint8"),
        ("a.png", IMAGE, {"object": [MAP, MAP[:1]]}, "different sizes: 1x2, 2x2"),
        ("a.png", IMAGE, {"object": [MAP], "scene": [MAP[:, :1]]}, "different sizes"),
        ("a.png", IMAGE, {"object": [MAP * 300]}, "0 to 90000"),
        ("a.png", IMAGE, {"object": [MAP - 1]}, "-1 to 299"),
        ("a.png", IMAGE, {"object": [MAP / 1]}, "whole numbers"),
        ("a.png", IMAGE, {"object": [0]}, "0 is no label number"),
        ("a.png", IMAGE, {"object": [65536]}, "65536 is no label number"),
        ("a.png", IMAGE, {"my/category": [1]}, "cannot be a category's name"),
        ("a.png", IMAGE, {"ih": [1]}, "a column of that name"),
        ("a.png", IMAGE, {"\ud800": [1]}, "cannot be a category's name"),
        ("\ud800.png", IMAGE, {}, "cannot be the name of an image"),
        ("a.png", IMAGE.tolist(), {}, "an image is an array or the Path of a file"),
        ("a.png", IMAGE, {"object": [MAP.tolist()]}, "a label map as an array, or a label number"),
        ("a.png", IMAGE, {"object": [1.7]}, "or a label number, not 1.7"),
        ("a.png", IMAGE, {"object": ["1"]}, "or a label number, not '1'"),
        ("a.png", IMAGE, {"object": [True]}, "or a label number, not True"),
    ],
)
def test_what_the_layout_cannot_hold_is_refused(
    tmp_path: Path, name: str, image: np.ndarray, annotations: dict[str, Annotated], told: str
) -> None:
    with pytest.raises(DataFormatError, match=told):
        write_image(tmp_path, name, image, annotations)
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"grid": (0, 0)}, "whole numbers from 1"),
        ({"grid": (-1, 5)}, "whole numbers from 1"),
        ({"grid": (7.0, 7.0)}, "whole numbers from 1"),
        ({"grid": (7, 7)}, "7x7 was asked for, and its label maps are 2x2"),
        ({"split": None}, "are texts of one line, not None"),
        ({"group": 3}, "are texts of one line, not 3"),
        ({"split": "a\nb"}, "are texts of one line, not 'a\\\\nb'"),
    ],
)
def test_what_else_cannot_be_told_is_refused(tmp_path: Path, more: dict[str, Any], told: str) -> None:
    with pytest.raises(DataFormatError, match=told):
        write_image(tmp_path, "a.png", IMAGE, {"object": [MAP]}, **more)
    assert not list(tmp_path.rglob("*.png"))


def test_an_image_whose_label_map_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    write_image(tmp_path, "a_object.png", IMAGE, {})
    with pytest.raises(OutputError, match=r"a_object\.png"):
        write_image(tmp_path, "a.png", IMAGE, {"object": [MAP]})
    (tmp_path / "images" / "a_object.png").unlink()
    write_image(tmp_path, "a.png", IMAGE, {"object": [MAP]})


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_image(tmp_path, "a.png", IMAGE, {"object": [MAP]})
    with pytest.raises(OutputError, match=r"cannot write .*a\.png: File exists"):
        write_image(tmp_path, "a.png", IMAGE, {})
    with pytest.raises(OutputError, match=r"a_object\.png"):
        write_image(tmp_path, "a_object.png", IMAGE, {})


@pytest.mark.parametrize(
    ("categories", "labels", "told"),
    [
        ((), LABELS, "at least one category"),
        (("object", "object"), LABELS, "listed twice"),
        (("object", "Object"), LABELS, "'object' and 'Object' differ by capitals"),
        (("object", "\u00e9", "e\u0301"), LABELS, "differ by capitals or the form of a letter"),
        (("object", "k" * 201), LABELS, "longer than 200 bytes"),
        (("object", "a\x7fb"), LABELS, "cannot be a category's name"),
        (tuple(f"c{i}" for i in range(1025)), LABELS, "1,025 categories; at most 1,024 are read"),
        (("object", "split"), LABELS, "a column of that name"),
        (("object", "a(b)"), LABELS, "cannot be a category's name"),
        (("object", "material"), LABELS, "'scene', which is not listed"),
        (CATEGORIES, [*LABELS, LabelEntry(1, "again", ("object",))], "listed twice"),
        (CATEGORIES, [*LABELS, LabelEntry(0, "nothing", ("object",))], "1 to 65535"),
        (CATEGORIES, [*LABELS, LabelEntry(9, " dog", ("object",))], "neither begins nor ends"),
        (CATEGORIES, [*LABELS, LabelEntry(9, "dog", ())], "has no category"),
        (CATEGORIES, LABELS[1:], "hold the label number 1 in the category 'object'"),
        (("material", "scene"), [LabelEntry(2, "wet", ("scene",))], "category 'object', which is not listed"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    tmp_path: Path, categories: tuple[str, ...], labels: list[LabelEntry], told: str
) -> None:
    records = [write_image(tmp_path, "a.png", IMAGE, {"object": [MAP]})]
    with pytest.raises(DataFormatError, match=told):
        write_tables(tmp_path, categories, labels, records)
    assert not (tmp_path / "index.csv").exists()


def test_images_are_needed_once_each(tmp_path: Path) -> None:
    record = write_image(tmp_path, "a.png", IMAGE, {"object": [MAP]})
    with pytest.raises(DataFormatError, match="listed twice"):
        write_tables(tmp_path, CATEGORIES, LABELS, [record, record])
    with pytest.raises(EmptyDataError, match="at least one image"):
        write_tables(tmp_path, CATEGORIES, LABELS, [])


def test_a_data_set_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_image(tmp_path / "file", "a.png", IMAGE, {})
    with pytest.raises(OutputError):
        write_tables(tmp_path / "file", CATEGORIES, LABELS, [ImageRecord("a.png", "train", (4, 6), (2, 2))])


def test_a_file_is_linked_to_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(encoded(IMAGE, ".png"))
    record = write_image(tmp_path / "out", "a/1.png", tmp_path / "photo.png", {"object": [MAP]}, link=True)
    written = tmp_path / "out" / "images" / "a" / "1.png"
    assert written.is_symlink() and written.samefile(tmp_path / "photo.png") and record.size == (4, 6)
    with pytest.raises(OutputError, match="File exists"):
        write_image(tmp_path / "out", "a/1.png", tmp_path / "photo.png", {}, link=True)
    assert written.samefile(tmp_path / "photo.png")


def test_the_size_of_a_file_that_has_been_decoded_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(encoded(IMAGE, ".png"))
    record = write_image(tmp_path / "out", "1.png", tmp_path / "photo.png", {}, decoded=(4, 6))
    assert record == write_image(tmp_path / "other", "1.png", tmp_path / "photo.png", {})
