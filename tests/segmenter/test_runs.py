"""What the user types: a run on images that a segmenter labels, its report and its messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commands import Called, called
from support.models import save
from support.segmenters import classes, dissected, photographs, segmenter, world

import onnxdissect

SPEC = "segmenter:seg.onnx?images=photos&classes=classes.txt"
# a quarter of all pixels is of a unit's colour
OPTIONS = ("--preset", "unit", "--quantile", "0.3", "--layer", "units", "--bootstrap", "0", "--null", "0")


def run(folder: Path, spec: str = SPEC, *options: str) -> Called:
    return called(folder, "run", "net.onnx", "--data", spec, *OPTIONS, "--out", "run", *options)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    world(tmp_path)
    photographs(tmp_path / "photos", 8)
    dissected(tmp_path / "net.onnx")
    return tmp_path


def test_units_get_the_labels_of_the_segmenter_in_the_same_pass(place: Path) -> None:
    done = run(place, SPEC + "&ignore=background", "--no-report")
    assert done.returncode == 0, done.stderr
    found = onnxdissect.load(place / "run")
    labels = {unit.unit: (unit.label, unit.iou) for unit in found.units("units") if unit.detector}
    assert labels == {1: ("red", 1.0), 2: ("green", 1.0), 3: ("blue", 1.0)}


def test_what_is_made_of_the_run_is_found_again_from_any_folder(place: Path) -> None:
    assert run(place).returncode == 0
    record = json.loads((place / "run" / "manifest.json").read_text())["data"]
    assert record["spec"] == (f"segmenter:{place}/seg.onnx?images={place}/photos&classes={place}/classes.txt")
    assert [one["name"] for one in record["about"]["from"]] == ["photos", "seg.onnx"]
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    report = called(elsewhere, "report", place / "run")
    assert report.returncode == 0, report.stderr
    assert list((place / "run" / "report").rglob("*.jpg")) or list((place / "run" / "report").rglob("*.webp"))
    again = run(place)
    assert again.returncode == 0, again.stderr
    classes(place / "classes.txt", ("background", "rouge", "green", "blue"))
    other = run(place)
    assert other.returncode == 2
    assert "fingerprint" in other.stderr or "data" in other.stderr


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            SPEC.replace("classes.txt", "three.txt"),
            "tells 4 classes apart in 'scores' [1, 4, 16, 16], and three.txt names 3",
        ),
        (SPEC.replace("classes.txt", "gaps.csv"), "names classes up to 3, and not 1, 2"),
        (SPEC.replace("classes.txt", "doubles.txt"), "line 4: 'red' is there already, in line 2"),
        (SPEC.replace("=photos", "=empty"), "holds no image"),
        (SPEC.replace("seg.onnx", "gone.onnx"), "there is no file gone.onnx"),
        (SPEC.replace("seg.onnx", "net.onnx"), "labels no pixels, so that the network is no segmenter"),
        (SPEC.replace("seg.onnx", "nan.onnx"), "gives NaN or infinity in 'roots' for image a/0.png"),
        (SPEC.replace("=photos", "=torn"), "image a/0.png of torn"),
        (SPEC + "&images=empty", "images= is given twice"),
        (SPEC + "&confidence=90%25", "confidence= takes a number, not '90%25'"),
    ],
)
def test_what_is_wrong_is_one_message(place: Path, spec: str, said: str) -> None:
    (place / "empty").mkdir()
    classes(place / "three.txt", ("a", "b", "c"))
    classes(place / "doubles.txt", ("background", "red", "green", "red"))
    (place / "gaps.csv").write_text("index,name\n0,a\n3,b\n")
    save(segmenter("nan"), place / "nan.onnx")
    torn = photographs(place / "torn", 2) / "a" / "0.png"
    torn.write_bytes(torn.read_bytes()[:-20])
    done = run(place, spec, "--no-report")
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not done.stdout
