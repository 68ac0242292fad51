"""`data import cvat`: shapes drawn by pixel centres, and XML that nobody should have written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.commands import Called, called
from support.import_counts import Counts, add_up, counts, rows, splits
from support.samples import cvat
from support.samples.cvat import BOX, HEIGHT, MASK_AT, POLYGON, WIDTH, document
from support.samples.labelme import filled


def import_cvat(place: Path, *options: object) -> Called:
    given = ("--images", "task", "--annotations", "task/annotations.xml")
    return called(place, "data", "import", "cvat", "out", *given, *options)


def refused(place: Path, *options: object) -> str:
    done = import_cvat(place, *options)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert not (place / "out").exists() and done.stderr.count("error:") == 1 and done.stdout == ""
    return " ".join(done.stderr.split())


def drawn_counts() -> Counts:
    car = np.zeros((HEIGHT, WIDTH), bool)
    (left, top), mask = MASK_AT, cvat.mask_pixels() > 0
    car[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    return add_up(
        ("object", "car", filled("polygon", POLYGON)),
        ("object", "car", car),
        ("object", "person", filled("rectangle", BOX)),
        ("object", "person", filled("circle", [[24.0, 15.0], [29.25, 15.0]])),
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    cvat.make(tmp_path)
    return tmp_path


def with_document(place: Path, text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode("utf-8")
    (place / "task" / "annotations.xml").write_bytes(content)


def with_element(place: Path, element: str) -> None:
    with_document(place, document({"three.jpg": [element]}))


def test_shapes_cover_the_pixels_whose_centres_lie_inside(place: Path) -> None:
    done = import_cvat(place)
    assert done.returncode == 0, done.stderr
    assert counts(place / "out") == drawn_counts()
    maps = {row["image"]: row["object"].count(".png") for row in rows(place / "out")}
    assert maps == {"images/frame one.jpg": 2, "images/sub/two.jpg": 1, "images/three.jpg": 0}
    assert "1 polyline element left out: only areas are drawn" in done.stdout
    assert "1 tag element left out: --tags CATEGORY takes them" in done.stdout
    assert called(place, "data", "check", "out").returncode == 0


def test_tags_hold_for_the_image_as_a_whole(place: Path) -> None:
    assert import_cvat(place, "--tags", "scene").returncode == 0
    assert counts(place / "out") == drawn_counts() | {("scene", "night"): HEIGHT * WIDTH}


def test_images_and_classes_may_be_found_otherwise(place: Path) -> None:
    (place / "task" / "images").rename(place / "photos")
    text = document(cvat.elements(), labels=())
    for name, subset in (("three", "Validation"), ("sub/two", "a&#10;b")):
        text = text.replace(f' name="{name}.jpg"', f' name="{name}.jpg" subset="{subset}"')
    with_document(place, text)
    assert import_cvat(place, "--images", "photos").returncode == 0
    assert counts(place / "out") == drawn_counts()
    assert splits(place / "out") == {"frame one.jpg": "train", "sub/two.jpg": "a b", "three.jpg": "val"}


def test_polygons_that_are_lines_are_told_of(place: Path) -> None:
    line, box = (
        '<polygon label="car" points="1,2;3,4"/>',
        '<box label="car" xtl="0" ytl="0" xbr="2" ybr="3"/>',
    )
    with_document(place, document({"three.jpg": [line, box]}))
    done = import_cvat(place)
    assert done.returncode == 0, done.stderr
    assert counts(place / "out") == {("object", "car"): 6}
    assert "1 polygon element left out: only areas are drawn" in done.stdout


def test_boxes_and_ellipses_may_be_turned(place: Path) -> None:
    box = '<box label="car" xtl="10" ytl="8" xbr="20" ybr="12" rotation="90.0"/>'
    ellipse = '<ellipse label="person" cx="15" cy="10" rx="8.2" ry="3.1" rotation="90"/>'
    with_document(place, document({"three.jpg": [box, ellipse]}))
    assert import_cvat(place).returncode == 0
    upright = [
        ((x + 0.5 - 15) / 3.1) ** 2 + ((y + 0.5 - 10) / 8.2) ** 2 <= 1
        for y in range(HEIGHT)
        for x in range(WIDTH)
    ]
    assert counts(place / "out") == {("object", "car"): 40, ("object", "person"): sum(upright)}


ELEMENTS = [
    (
        '<polygon label="car" points="1,2;3,4;5"/>',
        "the polygon is malformed: its points hold '5', which is not x,y",
    ),
    ('<polygon label="car" points=""/>', "its points hold '', which is not x,y"),
    ('<polygon label="car" points="1,2;3,4;nan,5"/>', "its coordinate nan is of no pixel"),
    (
        '<box label="car" xtl="1" ytl="2" xbr="x" ybr="4"/>',
        "the box is malformed: its xbr is 'x', and no number",
    ),
    ('<box label="car" xtl="1" ytl="2" xbr="1e300" ybr="4"/>', "its coordinate 1e+300 is of no pixel"),
    ('<ellipse label="car" cx="1" cy="2" rx="-3" ry="4"/>', "its radii are -3 and 4"),
    (
        '<mask label="car" rle="3, 4" left="0" top="0" width="2" height="4"/>',
        "its run lengths add up to 7 pixels",
    ),
    (
        '<mask label="car" rle="3;5" left="0" top="0" width="2" height="4"/>',
        "not whole numbers between commas",
    ),
    (
        '<mask label="car" rle="8" left="31" top="0" width="2" height="4"/>',
        "its mask leads out of the image of 24 x 32",
    ),
    (
        '<mask label="car" rle="8" left="-1" top="0" width="2" height="4"/>',
        "its left is '-1', and no whole number from 0",
    ),
    (
        '<mask label="car" rle="0" left="1" top="0" width="0" height="4"/>',
        "its width is '0', and no whole number from 1",
    ),
    (
        '<polygon label="cart" points="1,2;3,4;5,6"/>',
        "the class 'cart' is not among the labels of the task candidates: car",
    ),
    ('<polygon points="1,2;3,4;5,6"/>', "the class of a polygon has no name"),
]


@pytest.mark.parametrize(("element", "said"), ELEMENTS)
def test_a_malformed_element_is_named(place: Path, element: str, said: str) -> None:
    with_element(place, element)
    told = refused(place)
    assert said in told and "annotations.xml, line 5" in told


ENTITIES = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
IMAGE = '<image id="0" name="{}" width="{}" height="24"/>'
DOCUMENTS: list[tuple[str | bytes, str]] = [
    ("", "is no XML: it is empty"),
    ("nonsense", "line 1, is no XML: syntax error"),
    ("<annotations>", "is no XML: no element found"),
    ("<annotations></annotation>", "is no XML: mismatched tag"),
    (b"<annotations>\xff</annotations>", "is no XML: not well-formed (invalid token)"),
    ("<annotations>&undeclared;</annotations>", "is no XML: undefined entity"),
    ('<?xml version="1.0" encoding="u8"?><annotations/>', "it is written in 'u8'; utf-8, utf-16, iso-8859-1"),
    ('<?xml version="1.0" encoding="shift_jis"?><annotations/>', "it is written in 'shift_jis'"),
    ("<html></html>", "'html' stands where annotations should"),
    (
        ENTITIES + "<annotations>&c;</annotations>",
        "declares a document type, whose entities could grow without end",
    ),
    (OUTSIDE + "<annotations>&b;</annotations>", "declares a document type"),
    ("<annotations></annotations>", "lists no image"),
    ('<annotations><track id="0" label="car"></track></annotations>', "the file is of a film, with tracks"),
    ("<annotations>" + "<a>" * 100 + "</a>" * 100 + "</annotations>", "nested more than 60 levels deep"),
    (f"<annotations>{IMAGE.format('', 32)}</annotations>", "an image without a name"),
    (
        f"<annotations>{IMAGE.format('a.jpg', 0)}</annotations>",
        "height and width of the image 'a.jpg' are not from 1",
    ),
    (
        f"<annotations>{IMAGE.format('three.jpg', 32) * 2}</annotations>",
        "the image 'three.jpg' is there twice",
    ),
    (
        f"<annotations>{IMAGE.format('a.jpg', 32)}</annotations>",
        "lists the image 'a.jpg', which is not in task",
    ),
    (
        f"<annotations>{IMAGE.format('../x.jpg', 32)}</annotations>",
        "names the file '../x.jpg', which is no path inside",
    ),
    (
        f"<annotations>{IMAGE.format('three.jpg', 31)}</annotations>",
        "was drawn on an image of 24 x 31 pixels",
    ),
    (
        f"<annotations>{IMAGE.format('three.jpg', 32)}{IMAGE.format('images/three.jpg', 32)}</annotations>",
        "'three.jpg' and 'images/three.jpg' are one file, task/images/three.jpg",
    ),
]


@pytest.mark.parametrize(("text", "said"), DOCUMENTS)
def test_a_document_that_is_wrong_is_refused(place: Path, text: str | bytes, said: str) -> None:
    with_document(place, text)
    assert said in refused(place)


def test_missing_files_are_told_of(place: Path) -> None:
    assert "there is no file of annotations none.xml" in refused(place, "--annotations", "none.xml")
    told = refused(place, "--annotations", "task/annotation.xml")
    assert "task/annotation.xml candidates: task/annotations.xml hint: export the task" in told
    assert "there is no folder photos" in refused(place, "--images", "photos")
    assert "it is a folder" in refused(place, "--annotations", "task")


def test_a_file_without_end_is_not_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxdissect.data.importers.formats.cvat import annotation_file

    monkeypatch.setattr(annotation_file, "MOST_ANNOTATION_BYTES", 100)
    assert "has more than 100 bytes, and no more are read" in refused(place)
