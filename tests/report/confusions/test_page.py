"""The page of right and wrong predictions says what was found, and what it leaves out."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.explained import explained_world
from support.labelled import SHOWN, labelled_folder

import onnxdissect
from onnxdissect import LabelledExplanations
from onnxdissect.experiments.confusions import Estimate
from onnxdissect.report.confusions import build_confusions
from onnxdissect.report.data.rle import mask_of_text
from onnxdissect.report.pages.scripts import read_script


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = explained_world(tmp_path_factory.mktemp("pages"))
    labelled_folder(folder / "photos")
    return folder


@pytest.fixture(scope="module")
def found(world: Path) -> LabelledExplanations:
    return onnxdissect.explain_labelled(world / "net.onnx", world / "photos", world / "run", examples=2)


def html(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_masks_and_counts_are_those_that_were_found(found: LabelledExplanations, tmp_path: Path) -> None:
    page = build_confusions(found, tmp_path)
    (record,) = read_script(tmp_path / "page" / "data" / "predictions.js")
    assert record["report"] == "" and "Report</a>" not in html(page)
    assert [[*one[:2], one[2] + one[3]] for one in record["classes"]] == [
        [one.class_index, one.class_name, one.images] for one in found.classes
    ]
    for told, example in zip(record["images"], found.examples, strict=True):
        image = found.images[example.image]
        assert (told["at"], told["name"]) == (example.image, image.name)
        assert (told["shown"], told["told"]) == (image.class_index, image.predicted_index)
        assert told["grid"] == [12, 12] and len(told["units"]) == len(image.units)
        for place, (one, unit) in enumerate(zip(told["units"], image.units, strict=True)):
            assert one[0] == unit.unit and one[3] is None
            np.testing.assert_array_equal(mask_of_text(one[4], (12, 12)), example.mask(place))
            assert record["units"][str(unit.unit)][:2] == list(found.labels[unit.unit])
    shown = len(found.examples)
    assert f"Pictures are shown of {shown} of {SHOWN} images" in html(page)
    assert not any(path.name.endswith(".partial") for path in tmp_path.iterdir())


def test_of_many_classes_the_most_frequent_confusions_are_told(
    found: LabelledExplanations, tmp_path: Path
) -> None:
    assert 'aria-label="Confusion matrix"' in html(build_confusions(found, tmp_path))
    many = replace(found, classes=found.classes * 14, confusions=found.confusions * 10)
    text = html(build_confusions(many, tmp_path))
    assert 'aria-label="Confusion matrix"' not in text
    assert text.count("<details") == 30
    assert f"{len(many.confusions) - 30} less frequent confusions are in predictions.json" in text


def test_what_there_is_none_of_is_left_out(found: LabelledExplanations, tmp_path: Path) -> None:
    unseen = replace(found.classes[0], images=0, right=0, accuracy=Estimate(None, None, None))
    none = replace(found, confusions=(), classes=(unseen, *found.classes[1:]), examples=(), left_out=3)
    text = html(build_confusions(none, tmp_path))
    assert "confusions-title" not in text and "held-title" not in text
    assert "shows no pictures" in text and "3 of the source have no class" in text
    assert re.search(
        r'<td class="number">0</td>\s*<td class="number">0</td>\s*<td class="number">–</td>', text
    )


def test_pictures_that_are_gone_are_told(world: Path, found: LabelledExplanations, tmp_path: Path) -> None:
    gone = found.images[found.examples[0].image].name
    kept = tmp_path / "kept.png"
    shutil.move(world / "photos" / gone, kept)
    try:
        text = html(build_confusions(found, tmp_path / "out"))
    finally:
        shutil.move(kept, world / "photos" / gone)
    assert f"1 of {len(found.examples)} images could not be read" in text
    (record,) = read_script(tmp_path / "out" / "page" / "data" / "predictions.js")
    assert [one["photo"] is None for one in record["images"]] == [True] + [False] * (len(found.examples) - 1)
