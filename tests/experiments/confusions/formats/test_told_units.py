"""A report leads to labelled predictions only if they are of its run, and counts what they tell of."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.explained import explained_world
from support.labelled import labelled_folder

import onnxdissect
from onnxdissect.errors import OnnxDissectError, RunFormatError, RunMismatchError
from onnxdissect.experiments.confusions import write_predictions
from onnxdissect.experiments.confusions.formats.told_units import read_predicting_units
from onnxdissect.report.confusions import build_confusions
from onnxdissect.report.explanation import explanation_links

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = explained_world(tmp_path_factory.mktemp("told"))
    found = onnxdissect.explain_labelled(
        folder / "net.onnx", labelled_folder(folder / "photos"), folder / "run", examples=1
    )
    write_predictions(found, folder / "out")
    build_confusions(found, folder / "out")
    return folder


def changed(world: Path, folder: Path, change: Change) -> Path:
    shutil.copytree(world / "out", folder)
    path = folder / "predictions.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    change(told)
    path.write_text(json.dumps(told), encoding="utf-8")
    return folder


def test_units_link_to_the_predictions_that_they_made(world: Path) -> None:
    told = json.loads((world / "out" / "predictions.json").read_text(encoding="utf-8"))
    expected = Counter(unit["unit"] for image in told["images"] for unit in image["units"])
    run = onnxdissect.load(world / "run")
    records: list[dict[str, Any]] = [{"unit": unit.unit} for unit in run.units("deep")]
    explanation_links([world / "out"], run, world / "run" / "report").add_to("deep", [records])
    found = {record["unit"]: record["explained"] for record in records if "explained" in record}
    assert found == {
        unit: [[f"../../out/index.html#unit={unit}", "out", count]] for unit, count in expected.items()
    }


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda told: told.update(layer="other"), RunMismatchError, "they are of layer 'other', which"),
        (lambda told: told.update(quantile=0.3), RunMismatchError, "they are of quantile 0.3"),
        (lambda told: told["units"].pop(), RunMismatchError, "is no detector there, and"),
        (lambda told: told["units"][0].update(label="moon"), RunMismatchError, "is moon there, and"),
        (lambda told: told["images"][0].pop("units"), RunFormatError, "images[0]"),
        (lambda told: told.update(format_version=2), RunFormatError, "format version 2, not 1"),
    ],
)
def test_what_is_not_of_the_run_is_refused(
    world: Path, tmp_path: Path, change: Change, error: type[OnnxDissectError], said: str
) -> None:
    with pytest.raises(error) as caught:
        read_predicting_units(changed(world, tmp_path / "out", change), onnxdissect.load(world / "run"))
    assert said in caught.value.message and caught.value.hint


def test_predictions_without_a_page_are_refused(world: Path, tmp_path: Path) -> None:
    folder = changed(world, tmp_path / "out", lambda told: None)
    (folder / "index.html").unlink()
    with pytest.raises(RunFormatError, match="no page of its predictions"):
        read_predicting_units(folder, onnxdissect.load(world / "run"))
