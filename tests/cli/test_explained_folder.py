"""Labelled images explained from a terminal: what is printed, what is written, what is refused."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.commands import run_command
from support.explained import CLASSES, explained_world
from support.labelled import SHOWN, labelled_folder

import onnxdissect
from onnxdissect.experiments.confusions import PredictionArrays, predictions_json
from onnxdissect.experiments.confusions.formats.stored import ARRAYS
from onnxdissect.report.pages.scripts import read_script
from onnxdissect.storage.archive_reader import read_archive


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = explained_world(tmp_path_factory.mktemp("folders"))
    labelled_folder(folder / "photos")
    return folder


@pytest.fixture(scope="module")
def found(world: Path) -> onnxdissect.LabelledExplanations:
    return onnxdissect.explain_labelled(world / "net.onnx", world / "photos", world / "run")


def words(world: Path, *more: object, images: object = "photos") -> list[object]:
    return ["explain", world / "net.onnx", "--images", world / str(images), "--run", world / "run", *more]


def test_accuracy_and_confusions_are_printed_and_nothing_is_written(
    world: Path, found: onnxdissect.LabelledExplanations
) -> None:
    before = sorted(path.name for path in world.iterdir())
    typed = ["explain", "net.onnx", "--images", "photos", "--run", "run"]
    said = subprocess.run(
        [sys.executable, "-m", "onnxdissect", *typed], capture_output=True, text=True, cwd=world, check=False
    )
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[0].strip() == "photos"
    assert lines[1].split() == ["class", "images", "right", "accuracy", "95", "%", "predicted"]
    for line, one in zip(lines[2:5], found.classes, strict=True):
        assert line.startswith(one.class_name)
        assert line.removeprefix(one.class_name).split()[:2] == [str(one.images), str(one.right)]
    assert lines[5].startswith(f"{found.right} of {SHOWN} images told right: ")
    first = found.confusions[0]
    assert lines[6].startswith(f"{first.class_name} taken for {first.predicted_name}: {first.images} images")
    assert f"fired for {first.predicted_name}: {first.fired[0].label} (unit {first.fired[0].unit}" in lines[6]
    assert "units are told of from 3 images on" in said.stdout
    assert "linear: a contribution is the score with only this unit active" in lines[-1]
    assert sorted(path.name for path in world.iterdir()) == before


def test_a_folder_takes_files_and_a_page(
    world: Path,
    found: onnxdissect.LabelledExplanations,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "deep" / "out"
    assert run_command(monkeypatch, *words(world, "--out", out, "--json")) == 0
    told = json.loads(capfd.readouterr().out)
    names = ["predictions.json", "predictions.npz", "predictions.csv", "index.html"]
    assert told.pop("files") == [str(out / name) for name in names]
    assert sorted(path.name for path in out.iterdir()) == sorted([*names, "page"])
    assert json.loads((out / "predictions.json").read_text(encoding="utf-8")) == told
    expected = json.loads(json.dumps(predictions_json(found)))
    for paths in (told, expected):
        assert Path(paths.pop("source")).name == "photos"
    assert told == expected
    assert told["images"][0]["name"] == found.images[0].name and told["held"] is None
    arrays = read_archive(out / "predictions.npz", ARRAYS)
    for field in fields(PredictionArrays):
        np.testing.assert_array_equal(arrays[field.name], getattr(found.arrays, field.name))
    with (out / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [one.name for one in found.images]
    assert [row["right"] == "yes" for row in rows] == [one.right for one in found.images]
    for row, one in zip(rows, found.images, strict=True):
        assert row["class"] == CLASSES[one.class_index] and row["predicted"] == CLASSES[one.predicted_index]
        assert row["units"] == ";".join(str(unit.unit) for unit in one.units)
        assert row["labels"] == ";".join(found.labels[unit.unit][0] for unit in one.units)
    (record,) = read_script(out / "page" / "data" / "predictions.js")
    shown = [one["at"] for one in record["images"]]
    assert shown == [example.image for example in found.examples]
    photos = sorted(int(path.stem) for path in (out / "page" / "photos").iterdir())
    assert photos == shown
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert run_command(monkeypatch, *words(world, "--out", out)) == 0
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_folder_with_anything_else_stays_as_it_is(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert run_command(monkeypatch, *words(world, "--out", tmp_path)) == 2
    assert "holds thesis.tex" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "predictions.json").write_text('{"who": "knows"}')
    assert run_command(monkeypatch, *words(world, "--out", other)) == 2
    assert "none of explained predictions" in capfd.readouterr().err
    assert (other / "predictions.json").read_text() == '{"who": "knows"}'
    # explanations of single images are others
    assert run_command(monkeypatch, *words(world, "--out", world / "run")) == 2
    assert "it stays as it is" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["a.png"], "hint: the one or the other"),
        (["--class", "kitchen"], "hint: leave --class away"),
        (["--layer", "inner"], "goes around"),
        (["--layer", "behind"], "lies behind the class scores"),
        (["--output", "maps"], "is no vector of class scores"),
        (["--top", "0"], "hint: --top 6"),
        (["--attribution", "linear", "--layer", "mid"], "hint: --attribution ablation"),
    ],
)
def test_what_is_wrong_is_told_in_one_message(
    world: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    more: list[str],
    said: str,
) -> None:
    assert run_command(monkeypatch, *words(world, *more)) == 2
    captured = capfd.readouterr()
    assert said in captured.err and not captured.out


def test_images_that_cannot_be_told_are_named(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def said(images: Path) -> str:
        assert run_command(monkeypatch, *words(world, "--out", tmp_path / "out", images=images)) == 2
        assert not (tmp_path / "out").exists()
        captured = capfd.readouterr()
        assert not captured.out and "Traceback" not in captured.err
        return captured.err

    photos = tmp_path / "photos"
    photos.mkdir()
    assert "no image in a folder of a class" in said(photos)
    for name in ("kitchen", "ski slop"):
        (photos / name).mkdir()
        cv2.imwrite(str(photos / name / "a.png"), np.full((20, 20, 3), 3, np.uint8))
    assert "candidates: ski slope" in said(photos)
    (photos / "ski slop").rename(photos / "ski slope")
    (photos / "ski slope" / "b.jpg").write_bytes(b"no image")
    assert "b.jpg" in said(photos)
    (photos / "ski slope" / "b.jpg").unlink()
    (photos / "ski slope" / "a.png").unlink()
    assert "of one class, 'kitchen'" in said(photos)
    assert "hint: onnxdissect explain MODEL IMAGE..." in said(photos)
    table = tmp_path / "table.csv"
    table.write_text("image,class\nphotos/kitchen/a.png,kitchen\nphotos/gone.png,ski lift\n")
    assert "gone.png" in said(table)


def test_no_image_at_all_is_told_with_both_ways(
    world: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_command(monkeypatch, "explain", world / "net.onnx", "--run", world / "run") == 2
    assert "--images SOURCE" in capfd.readouterr().err
