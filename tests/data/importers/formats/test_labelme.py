"""`data import labelme`: shapes drawn by pixel centres, masks as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.commands import Called, called
from support.import_counts import Counts, add_up, counts, rows
from support.masked import photograph, save
from support.samples import labelme
from support.samples.labelme import HEIGHT, MASK_AT, WIDTH, document, filled, shape, write

TRIANGLE: list[list[Any]] = [[2.75, 1.25], [20.25, 3.0], [12.0, 21.75]]


def import_labelme(place: Path, *options: object) -> Called:
    return called(place, "data", "import", "labelme", "out", "--root", "drawn", *options)


def refused(place: Path) -> str:
    done = import_labelme(place)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert not (place / "out").exists() and done.stderr.count("error:") == 1 and done.stdout == ""
    return " ".join(done.stderr.split())


def drawn_counts(category: str = "object") -> Counts:
    cats = [one for one in labelme.shapes()["a/one.jpg"] if one["label"] == "cat"]
    dog = np.zeros((HEIGHT, WIDTH), bool)
    (left, top), pixels = MASK_AT, labelme.mask_pixels() > 0
    dog[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    sofa = labelme.shapes()["a/one.jpg"][1]
    return add_up(
        (category, "cat", np.any([filled(one["shape_type"], one["points"]) for one in cats], axis=0)),
        (category, "sofa", filled("rectangle", sofa["points"])),
        (category, "dog", dog),
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    labelme.make(tmp_path)
    return tmp_path


@pytest.mark.parametrize("category", ["object", "part"])
def test_shapes_cover_the_pixels_whose_centres_lie_inside(place: Path, category: str) -> None:
    done = import_labelme(place, "--category", category)
    assert done.returncode == 0, done.stderr
    assert counts(place / "out") == drawn_counts(category)
    # the sofa lies over the cat
    assert rows(place / "out")[0][category].count(".png") == 2
    for told in ("1 shape of the kind linestrip", "1 shape of the kind point", "1 shape called __ignore__"):
        assert told in done.stdout
    assert called(place, "data", "check", "out").returncode == 0


def test_old_and_odd_files_are_read(place: Path) -> None:
    first = {name: value for name, value in shape("cat", "polygon", TRIANGLE).items() if name != "shape_type"}
    value = document("..\\b.png", [first])
    del value["imageHeight"], value["imageWidth"], value["version"]
    (place / "drawn" / "b.json").unlink()
    write(place / "drawn" / "a" / "b.json", value)
    assert import_labelme(place).returncode == 0
    rest = filled("polygon", labelme.shapes()["a/one.jpg"][0]["points"])
    cat = filled("circle", labelme.shapes()["a/one.jpg"][2]["points"]) | rest
    assert counts(place / "out")["object", "cat"] == int(cat.sum()) + int(filled("polygon", TRIANGLE).sum())


@pytest.mark.parametrize("turned", range(1, 9))
def test_shapes_on_photographs_that_exif_turns_lie_where_they_were_drawn(tmp_path: Path, turned: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turned
    stored = (HEIGHT, WIDTH) if turned < 5 else (WIDTH, HEIGHT)
    save(tmp_path / "drawn" / "a.jpg", Image.fromarray(photograph(3, *stored)), exif=exif.tobytes())
    write(tmp_path / "drawn" / "a.json", document("a.jpg", [shape("cat", "polygon", TRIANGLE)]))
    done = import_labelme(tmp_path)
    assert done.returncode == 0, done.stderr
    # a mask that lies over the pixels as stored is turned upright by whoever turns the photograph
    image = Image.open(tmp_path / "out" / "images" / "a_object.png")
    assert image.size == stored[::-1]
    image.getexif()[0x0112] = turned
    from PIL import ImageOps

    found = np.asarray(ImageOps.exif_transpose(image))[:, :, 0] > 0
    assert np.array_equal(found, filled("polygon", TRIANGLE))


def test_what_lies_beside_shapes_is_told_of(place: Path) -> None:
    save(place / "drawn" / "a" / "bare.png", Image.fromarray(photograph(3, HEIGHT, WIDTH)))
    (place / "drawn" / "readme.txt").write_text("whose pets they are")
    one = place / "drawn" / "a" / "one.json"
    drawn = labelme.shapes()["a/one.jpg"]
    write(one, document("one.jpg", drawn, flags={"night": True, "rain": False}))
    # editors on Windows begin files so
    one.write_bytes(b"\xef\xbb\xbf" + one.read_bytes())
    done = import_labelme(place)
    assert done.returncode == 0, done.stderr
    assert counts(place / "out") == drawn_counts()
    assert "1 image without file of shapes is left out: 'a/bare.png'\n" in done.stdout
    assert "flags of 1 image left out: only shapes are read" in done.stdout


def test_an_unknown_kind_is_told_of(place: Path) -> None:
    write(
        place / "drawn" / "b.json",
        document("b.png", [shape("x", "spiral", [[1, 1]]), shape("y", "polygon", [])]),
    )
    done = import_labelme(place)
    assert "1 shape of the unknown kind 'spiral', and left out" in done.stdout
    assert "1 shape of fewer than three points, and left out" in done.stdout


SHAPES: list[tuple[Any, str]] = [
    (
        shape("a", "polygon", [[1, 2], [3, 4], [5, "6"]]),
        "shapes[0] is malformed: its coordinates are not all numbers",
    ),
    (shape("a", "polygon", [[1, 2], [3, 4], [5, 1e300]]), "its coordinate 1e+300 is of no pixel"),
    (
        shape("a", "polygon", [[1, 2], [3, 4], [5]]),
        "its points are an object of the type list, and no list of x and y",
    ),
    ({"label": "a", "points": True}, "its points are True, and no list of x and y"),
    (shape("a", "rectangle", [[1, 2]]), "a rectangle has two corners, and this one 1 point"),
    (shape("a", "circle", TRIANGLE), "a circle has a centre and a point on it, and this one 3 points"),
    (shape("a", "mask", [[0, 0], [1, 1]]), "a mask has two corners and its pixels"),
    (shape("a", "mask", [[0, 0], [1, 1]], mask="%"), "its mask is not in base64"),
    (shape("a", "mask", [[0, 0], [1, 1]], mask="AAAA"), "its mask cannot be read"),
    (
        shape("a", "mask", [[0, 0], [1, 1]], mask=labelme.packed_mask()),
        "its mask is 9 x 12, and between its corners",
    ),
    (
        shape("a", "mask", [[25, 0], [36, 8]], mask=labelme.packed_mask()),
        "its mask leads out of the image of 24 x 32",
    ),
    (shape("", "polygon", TRIANGLE), "the class of shapes[0] is called '', and no concept can be"),
    (shape("a\nb", "polygon", TRIANGLE), "is called 'a\\nb', and no concept can be"),
    ({"points": TRIANGLE}, "the class of shapes[0] has no name"),
    (3, "it has no list of shapes"),
]


@pytest.mark.parametrize(("drawn", "said"), SHAPES)
def test_a_malformed_shape_is_named(place: Path, drawn: Any, said: str) -> None:
    write(place / "drawn" / "b.json", document("b.png", [drawn]))
    told = refused(place)
    assert said in told and "drawn/b.json" in told


def remove(folder: Path, pattern: str) -> None:
    for path in folder.rglob(pattern):
        path.unlink()


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: (folder / "b.json").write_bytes(b""), "b.json cannot be read"),
    (lambda folder: (folder / "b.json").write_bytes(b"{"), "b.json cannot be read"),
    (lambda folder: (folder / "b.json").write_bytes(b'"\xff"'), "b.json is not UTF-8 text"),
    (lambda folder: write(folder / "b.json", [1]), "b.json is no file of labelme: it names no image"),
    (lambda folder: write(folder / "b.json", {"shapes": []}), "it names no image"),
    (lambda folder: write(folder / "b.json", {"imagePath": "b.png"}), "it has no list of shapes"),
    (lambda folder: write(folder / "b.json", document("a/one.jpg", [])), "are of one image, drawn/a/one.jpg"),
    (
        lambda folder: write(folder / "b.json", document("c.png", [])),
        "is of the image 'c.png', and there is no such file",
    ),
    (
        lambda folder: write(folder / "b.json", document("c.png", [], imageData="AA==")),
        "and there is no such file; the file holds its pixels hint: imagePath is relative",
    ),
    (lambda folder: write(folder / "b.json", document("../b.png", [])), "no path inside drawn"),
    (
        lambda folder: write(folder / "b.json", document("b.png", [], imageHeight=23)),
        "was drawn on an image of 23 x 32",
    ),
    (
        lambda folder: write(folder / "b.json", document("b.png", [], imageHeight="a")),
        "imageHeight and imageWidth are not",
    ),
    (lambda folder: remove(folder, "*.json"), "holds no file that ends in .json"),
    (lambda folder: folder.rename(folder.with_name("moved")), "there is no folder drawn"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN)
def test_files_that_are_wrong_are_refused(place: Path, change: Callable[[Path], object], said: str) -> None:
    change(place / "drawn")
    assert said in refused(place)
