"""`data import coco` of files that are wrong: one message each, and nothing is written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.commands import called
from support.samples import coco

from onnxdissect.data.importers.formats.coco import annotation_file

INSTANCES, PANOPTIC = "annotations/instances_val2017.json", "annotations/panoptic_val2017.json"
PNG = "annotations/panoptic_val2017/000000000139.png"


def refused(place: Path, *options: object) -> str:
    done = called(place, "data", "import", "coco", "../out", "--images", ".", *options)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert not (place.parent / "out").exists() and "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1 and done.stdout == ""
    return " ".join(done.stderr.split())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    coco.make(tmp_path)
    return tmp_path / "COCO"


def annotation(**other: Any) -> dict[str, Any]:
    return coco.INSTANCES[1] | other


def runs(counts: Any, size: Any = (coco.HEIGHT, coco.WIDTH)) -> dict[str, Any]:
    return {"size": list(size) if isinstance(size, tuple) else size, "counts": counts}


SEGMENTATIONS = [
    (runs([100, 50, 200]), "run lengths add up to 350 pixels, and its mask of 24 x 32 has 768"),
    (runs([800, -32]), "run lengths are not whole numbers from 0 to 768"),
    (runs(coco.packed([700, 60])), "run lengths add up to 760 pixels"),
    (runs("0P"), "packed run lengths break off within a number"),
    (runs("é"), "packed run lengths hold letters that packing does not make"),
    (runs([768], (32, 24)), "its mask is 32 x 24, and the image 24 x 32"),
    (runs([768], None), "its mask is None, and the image 24 x 32"),
    (runs(None), "its run lengths are None, neither a list nor a text"),
    ([[1, 2, 3, 4, 5, 6, 7]], "7 coordinates, which are not x and y in turn"),
    ([[1, 2, 3, 4, 5, "6"]], "coordinates are not all numbers"),
    ([[1, 2, 3, 4, 5, 1e300]], "coordinate 1e+300 is of no pixel"),
    ([[0, 0, 1e9, 0, 0, 1e9]], "steps of a fifth of a pixel; at most"),
    ([[1, 2, 3, 4, 5, 6], 7], "holds polygons and something else"),
    (7, "its segmentation is 7, neither polygons nor run lengths"),
]


@pytest.mark.parametrize(("segmentation", "said"), SEGMENTATIONS)
def test_a_malformed_segmentation_is_named(place: Path, segmentation: Any, said: str) -> None:
    value = coco.document(categories=coco.THINGS, annotations=[annotation(segmentation=segmentation, id=77)])
    coco.write(place / INSTANCES, value)
    told = refused(place, "--annotations", INSTANCES)
    assert f"{INSTANCES}: the annotation with the id 77 is malformed: its" in told.replace("it has", "its")
    assert said in told


def images(*changed: dict[str, Any]) -> dict[str, Any]:
    listed = [one | change for one, change in zip(coco.IMAGES.values(), changed, strict=False)]
    return {"images": [*listed, *list(coco.IMAGES.values())[len(changed) :]]}


DOCUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"annotations": [annotation(), annotation()]}, "the annotation id 2 is there twice"),
    (
        {"annotations": [annotation(id=None)]},
        "the id of annotations[0] is None, and neither a number nor a name",
    ),
    (
        {"annotations": [annotation(image_id=5)]},
        "the annotation with the id 2 is of the image 5, which is not listed",
    ),
    (
        {"annotations": [annotation(category_id=2)]},
        "the annotation with the id 2 is of the category 2, which is not listed; there are 3",
    ),
    (
        {"annotations": [annotation(category_id="1")]},
        "the category_id of annotations[0] is '1', and no whole number",
    ),
    ({"annotations": [3]}, "annotations[0] is 3, and no record"),
    ({"annotations": {}}, "annotations is no list"),
    ({"categories": [*coco.THINGS, coco.THINGS[0]]}, "the category id 1 is there twice"),
    (
        {"categories": [{"id": True, "name": "a"}]},
        "the id of categories[0] is True, and no whole number from 0",
    ),
    (
        {"categories": [{"id": 1, "name": "a\nb"}, *coco.THINGS[1:]]},
        "the category 1 is called 'a\\nb', and no concept can",
    ),
    (
        {"categories": [{"id": 1, "name": "a\ud800"}, *coco.THINGS[1:]]},
        "the category 1 is called 'a\\ud800', and no concept can",
    ),
    ({"categories": [{"id": 1}]}, "the name of categories[0] is None, and no text"),
    (images({"id": 285}), "the image id 285 is there twice"),
    (images({"file_name": "000000000285.jpg"}), "the image '000000000285.jpg' is there twice"),
    (images({"file_name": "../../etc/passwd"}), "names the file '../../etc/passwd', which is no path inside"),
    (images({"file_name": "/etc/passwd"}), "names the file '/etc/passwd', which is no path inside"),
    (images({"file_name": "a\\b.jpg"}), "which is no path inside"),
    (images({"file_name": "val2017"}), "names 'val2017', which is a folder"),
    (images({"file_name": 3}), "the file_name of images[0] is 3, and no name"),
    (
        images({"file_name": "x.jpg"}, {"file_name": "y.jpg"}),
        "2 of the 3 images that annotations/instances_val2017.json",
    ),
    (images({"height": 0}), "height and width of the image '000000000139.jpg' are not from 1 to"),
    (
        images({"height": 32, "width": 24}),
        "was drawn on an image of 32 x 24 pixels (height x width), and val2017",
    ),
    ({"images": [], "annotations": []}, "lists no image"),
]


@pytest.mark.parametrize(("lists", "said"), DOCUMENTS)
def test_a_file_that_contradicts_itself_is_refused(place: Path, lists: dict[str, Any], said: str) -> None:
    value = coco.document(categories=coco.THINGS, annotations=coco.INSTANCES) | lists
    coco.write(place / INSTANCES, value)
    assert said in refused(place, "--annotations", INSTANCES)


TEXTS = [
    ("", "is empty"),
    (" \n", "is empty"),
    ("[1, 2]", "it does not begin with a record, at character 0"),
    ("nonsense", "it does not begin with a record"),
    ('{"images": [', "at character 12"),
    ('{"images": []}', "it has no categories and no annotations"),
    ('{"images": [], "images": []}', "'images' is there twice"),
    ('{"images": [] "categories": []}', "a comma is missing"),
    ('{"images" []}', "a colon is missing"),
    ('{"images": [{} {}]}', "the id of images[0] is None"),
    ('{"images": [], "categories": [], "annotations": []} more', "something follows its end"),
    ('{"images": [], "info": NaN}', "it holds NaN, which is no number of JSON"),
    ('{"images": [], "info": ' + "9" * 5000 + "}", "is no file of annotations"),
    ('{"images": [], "info": ' + "[" * 100_000 + "}", "it is nested too deep"),
]


@pytest.mark.parametrize(("text", "said"), TEXTS)
def test_what_is_no_such_json_is_refused(place: Path, text: str, said: str) -> None:
    (place / INSTANCES).write_text(text, encoding="utf-8")
    assert said in refused(place, "--annotations", INSTANCES)


def test_other_files_in_its_place_are_refused(place: Path) -> None:
    assert "there is no file of annotations none.json" in refused(place, "--annotations", "none.json")
    told = refused(place, "--annotations", INSTANCES.replace("2017.json", "2014.json"))
    assert f"annotations/instances_val2014.json candidates: {INSTANCES}" in told
    assert "it is a folder" in refused(place, "--annotations", "val2017")
    (place / "latin.json").write_bytes(b'{"images": ["\xe9"]}')
    assert "is not UTF-8 text" in refused(place, "--annotations", "latin.json")
    if hasattr(os, "mkfifo"):
        os.mkfifo(place / "pipe.json")
        assert "it is a named pipe" in refused(place, "--annotations", "pipe.json")


def test_a_file_above_the_limit_is_not_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotation_file, "MOST_ANNOTATION_BYTES", 100)
    assert "bytes or more; at most 100 are read" in refused(place, "--annotations", INSTANCES)


def test_a_link_out_of_the_folder_is_not_followed(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    image = place / "val2017" / "000000000139.jpg"
    moved = image.rename(tmp_path_factory.mktemp("elsewhere") / "photo.jpg")
    image.symlink_to(moved)
    told = refused(place, "--annotations", INSTANCES)
    assert "names the file 'val2017/000000000139.jpg': it leads out of" in told


def test_names_that_some_file_systems_take_for_one_are_refused(place: Path) -> None:
    (place / "val2017" / "000000000285.jpg").rename(place / "val2017" / "A.jpg")
    (place / "val2017" / "000000000139.jpg").rename(place / "val2017" / "a.JPG")
    if len(list((place / "val2017").iterdir())) < 3:
        pytest.skip("this file system takes them for one")
    value = coco.document(categories=coco.THINGS, annotations=coco.INSTANCES)
    coco.write(place / INSTANCES, value | images({"file_name": "a.JPG"}, {"file_name": "A.jpg"}))
    assert "'val2017/A.jpg' and 'val2017/a.JPG' would be one" in refused(place, "--annotations", INSTANCES)


def test_one_image_under_two_names_is_refused(place: Path) -> None:
    value = coco.document(categories=coco.THINGS, annotations=coco.INSTANCES)
    names = images({"file_name": "000000000139.jpg"}, {"file_name": "./000000000139.jpg"})
    coco.write(place / INSTANCES, value | names)
    told = refused(place, "--annotations", INSTANCES)
    assert "'000000000139.jpg' and './000000000139.jpg' are one file, val2017/000000000139.jpg" in told


def test_a_file_is_given_once(place: Path) -> None:
    again = f"annotations/../{INSTANCES}"
    told = refused(place, "--annotations", INSTANCES, "--annotations", again)
    assert f"--annotations {again} was given twice" in told


@pytest.mark.parametrize("split", ["", " ", "a\nb"])
def test_a_split_has_a_name(place: Path, split: str) -> None:
    told = refused(place, "--annotations", INSTANCES, "--split", split)
    assert f"--split takes the name of a split, not {split!r}" in told


def test_why_nothing_is_labelled_is_told(place: Path) -> None:
    boxes = [one | {"segmentation": []} for one in coco.INSTANCES]
    coco.write(place / INSTANCES, coco.document(categories=coco.THINGS, annotations=boxes))
    told = refused(place, "--annotations", INSTANCES)
    assert "none of 3 images holds any label" in told
    assert "left out: 4 annotations with a box or points only" in told


def test_files_that_contradict_each_other_are_refused(place: Path) -> None:
    other = coco.document(categories=[{"id": 1, "name": "cat"}], annotations=[])
    coco.write(place / "other_val2017.json", other)
    told = refused(place, "--annotations", INSTANCES, "--annotations", "other_val2017.json")
    assert "the category 1 is called 'cat', and 'person' in a file before it" in told
    coco.write(place / "same_train2017.json", coco.document(categories=coco.THINGS, annotations=[]))
    (place / "train2017").symlink_to("val2017")
    options = ("--annotations", INSTANCES, "--annotations", "same_train2017.json")
    told = refused(place, "--images", "val2017", *options)
    assert "is of the split train, and of val in a file before it" in told


def pixels(change: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]) -> Callable[[Path], None]:
    def apply(place: Path) -> None:
        found = np.asarray(Image.open(place / PNG))
        Image.fromarray(change(found.copy())).save(place / PNG)

    return apply


def with_segments(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], None]:
    def apply(place: Path) -> None:
        value = json.loads((place / PANOPTIC).read_text(encoding="utf-8"))
        change(value["annotations"])
        coco.write(place / PANOPTIC, value)

    return apply


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (with_segments(lambda a: a[0]["segments_info"].pop()), "holds the segment id 70000 at"),
    (
        with_segments(lambda a: a[0]["segments_info"].append(a[0]["segments_info"][0])),
        "id 3226956 is there twice",
    ),
    (
        with_segments(lambda a: a[0]["segments_info"][0].update(id=0)),
        "the id 0 of a segment is not from 1 to",
    ),
    (
        with_segments(lambda a: a[0]["segments_info"][0].update(category_id=4)),
        "is of the category 4, which is not",
    ),
    (with_segments(lambda a: a[0].update(segments_info=3)), "the segments_info of annotations[0] is no list"),
    (
        with_segments(lambda a: a[1].pop("segments_info")),
        "annotations[1] is of another kind than those before",
    ),
    (with_segments(lambda a: a[0].pop("file_name")), "names the file ''"),
    (
        with_segments(lambda a: a[0].update(file_name="../x.png")),
        "names the file '../x.png', which is no path",
    ),
    (with_segments(lambda a: a.append(a[0])), "the image id 139 is there twice"),
    (pixels(lambda p: p[:, :20]), "of another aspect"),
    (pixels(lambda p: p[:, :, 0]), "holds the segment id"),
    (lambda place: (place / PNG).unlink(), "annotations/panoptic_val2017 has no '000000000139.png'"),
    (lambda place: (place / PNG).write_bytes(b""), "000000000139.png is an empty file"),
    (
        lambda place: (place / PNG).write_bytes((place / PNG).read_bytes()[:99]),
        "000000000139.png is truncated",
    ),
    (
        lambda place: (place / PNG).parent.rename(place / "moved"),
        "there is no folder annotations/panoptic_val2017",
    ),
]


@pytest.mark.parametrize(("change", "said"), BROKEN)
def test_panoptic_files_that_are_wrong_are_refused(
    place: Path, change: Callable[[Path], object], said: str
) -> None:
    change(place)
    assert said in refused(place, "--annotations", PANOPTIC)


def test_maps_of_ids_in_colours_or_of_other_ids_are_refused(place: Path) -> None:
    (place / "maps").mkdir()
    for key in coco.IMAGES:
        Image.new("L", (coco.WIDTH, coco.HEIGHT), 1).save(place / "maps" / f"{key:012}.png")
    Image.new("RGB", (coco.WIDTH, coco.HEIGHT)).save(place / "maps" / "000000000285.png")
    options = ("--annotations", INSTANCES, "--masks", "maps")
    assert "000000000285.png holds colours, and should hold ids of categories" in refused(place, *options)
    Image.new("L", (coco.WIDTH, coco.HEIGHT), 2).save(place / "maps" / "000000000285.png")
    assert "holds the category id 2 at 768 pixels, and the annotations list no such" in refused(
        place, *options
    )
