"""`data import segmenter`: labels kept on disk are those that are made while another network is dissected."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from naive import data as naive_data
from PIL import Image
from support.commands import Called, called
from support.models import save
from support.segmenters import classes, dissected, photographs, picture, segmenter, truth, two_heads, world

import onnxdissect
from onnxdissect.data import open_data, open_dataset

OPTIONS = ("--model", "seg.onnx", "--images", "photos", "--classes", "classes.txt")


def imported(folder: Path, *options: object, out: str = "kept") -> Called:
    return called(folder, "data", "import", "segmenter", out, *OPTIONS, *options)


def test_what_is_written_is_what_the_naive_reader_finds(tmp_path: Path) -> None:
    world(tmp_path)
    done = imported(tmp_path, "--ignore", "background")
    assert done.returncode == 0, done.stderr
    assert called(tmp_path, "data", "check", "kept").returncode == 0
    found = naive_data.read(tmp_path / "kept")
    assert found.names == {1: "red", 2: "green", 3: "blue"}
    assert [one.name for one in found.images] == ["a/0.png", "a/2.png", "b/1.png", "b/3.png"]
    for one, seed in zip(found.images, (0, 2, 1, 3), strict=True):
        label = truth(picture(seed))
        for number in (1, 2, 3):
            assert one.pixels[number] == {(int(r), int(c)) for r, c in np.argwhere(label == number)}
        kept = tmp_path / "kept" / "images" / one.name
        assert kept.read_bytes() == (tmp_path / "photos" / one.name).read_bytes()


@pytest.mark.parametrize("query", ["", "&ignore=background&grid=8", "&confidence=0.9"])
def test_both_ways_give_the_same_run(tmp_path: Path, query: str) -> None:
    """Photographs of another aspect than the label grid, one of which holds no label at all."""
    world(tmp_path, segmenter(stride=2))
    photographs(tmp_path / "photos", 8, (24, 48))
    cv2.imwrite(str(tmp_path / "photos" / "z.png"), np.full((24, 48, 3), 90, np.uint8))
    dissected(tmp_path / "net.onnx")
    options = [f"--{pair.replace('=', ' ')}".split() for pair in query.split("&") if pair]
    assert imported(tmp_path, *[word for pair in options for word in pair]).returncode == 0
    runs = []
    for data, out in (
        (f"segmenter:seg.onnx?images=photos&classes=classes.txt{query}", "direct"),
        ("kept", "from-disk"),
    ):
        words = ("--quantile", 0.3, "--layer", "units", "--bootstrap", 50, "--null", 3, "--no-report")
        done = called(tmp_path, "run", "net.onnx", "--data", data, "--preset", "unit", *words, "--out", out)
        assert done.returncode == 0, done.stderr
        runs.append(onnxdissect.load(tmp_path / out))
    direct, kept = runs
    assert [one.name for one in direct.concepts] == [one.name for one in kept.concepts]
    assert np.array_equal(direct.iou("units"), kept.iou("units"))
    assert list(direct.units()) == list(kept.units())
    for scoring in ("lite", "pnas"):
        assert np.array_equal(
            direct.rescore(scoring=scoring).iou("units"), kept.rescore(scoring=scoring).iou("units")
        )


def test_heads_become_categories(tmp_path: Path) -> None:
    world(tmp_path, two_heads(2))
    classes(tmp_path / "light.txt", ("dark", "bright"))
    done = called(
        tmp_path,
        *("data", "import", "segmenter", "kept", "--model", "seg.onnx", "--images", "photos"),
        *("--heads", "color:colours,material:brightness"),
        *("--classes", "color:classes.txt,material:light.txt", "--grid", "8", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert [one["name"] for one in json.loads(done.stdout)["categories"]] == ["color", "material"]
    direct = open_data(
        f"segmenter:{tmp_path}/seg.onnx?images={tmp_path}/photos&grid=8&heads=color:colours,material:brightness"
        f"&classes=color:{tmp_path}/classes.txt,material:{tmp_path}/light.txt"
    )
    kept = open_dataset(tmp_path / "kept")
    for i in range(len(kept)):
        one, two = direct.read_annotation(i), kept.read_annotation(i)
        assert np.array_equal(np.sort(one.planes, axis=0), np.sort(two.planes, axis=0))


def test_labels_that_are_kept_lie_over_the_pixels_as_stored(tmp_path: Path) -> None:
    world(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(5)).save(
        tmp_path / "photos" / "turned.jpg", exif=exif, quality=100, subsampling=0
    )
    assert imported(tmp_path).returncode == 0
    (found,) = open_dataset(tmp_path / "kept").read_annotation(4).planes
    assert np.array_equal(found, truth(picture(5)) + 1)


def test_the_folder_tells_which_network_labelled_it(tmp_path: Path) -> None:
    world(tmp_path)
    assert imported(tmp_path, "--ignore", "0", "--grid", "8").returncode == 0
    about = json.loads((tmp_path / "kept" / "about.json").read_text())
    assert about["made"] == "import segmenter --ignore 0 --grid 8"
    photos, network = about["from"]
    assert (photos["name"], photos["images"]) == ("photos", 4)
    digest = hashlib.sha256((tmp_path / "seg.onnx").read_bytes()).hexdigest()
    assert (network["name"], network["fingerprint"]) == ("seg.onnx", digest)


def test_images_can_stay_where_they_are(tmp_path: Path) -> None:
    world(tmp_path)
    done = imported(tmp_path, "--link")
    assert done.returncode == 0, done.stderr
    link = tmp_path / "kept" / "images" / "a" / "0.png"
    assert link.is_symlink()
    assert link.resolve() == tmp_path / "photos" / "a" / "0.png"
    assert "linked:kept" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--grid", "x"), "grid= takes height x width, 1 to 1,000,000 each, not 'x'"),
        (("--confidence", "2"), "confidence= is the least probability"),
        (("--ignore", "bleu"), "no class is called 'bleu'"),
        (("--model", "nan.onnx"), "gives NaN or infinity in 'roots' for image a/0.png"),
        (("--images", "torn"), "a/0.png"),
        (("--images", "none"), "there is no folder of images none"),
        (("--classes", "a&b.txt"), "there is no list of classes a&b.txt"),
        (("--model", "a?b.onnx"), "there is no file a?b.onnx"),
    ],
)
def test_nothing_is_left_of_an_import_that_fails(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    world(tmp_path)
    save(segmenter("nan"), tmp_path / "nan.onnx")
    torn = photographs(tmp_path / "torn", 2) / "a" / "0.png"
    torn.write_bytes(torn.read_bytes()[:-20])
    before = sorted(tmp_path.iterdir())
    given = dict(zip(OPTIONS[::2], OPTIONS[1::2], strict=True)) | {options[0]: options[1]}
    done = called(
        tmp_path, "data", "import", "segmenter", "kept", *(w for pair in given.items() for w in pair)
    )
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before
