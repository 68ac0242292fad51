"""Which units of a run a folder of explanations tells of; folders of other runs are refused."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.explained import explained_world

import onnxdissect
from onnxdissect.errors import RunFormatError, RunMismatchError, RunNotFoundError
from onnxdissect.experiments.explanation import write_explanations
from onnxdissect.experiments.explanation.formats.told_units import read_told_units


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and explanations by it, with what stands for their page."""
    folder = explained_world(tmp_path_factory.mktemp("told"))
    pixels = [np.random.default_rng(seed).integers(0, 4, (20, 30, 3)).astype(np.uint8) for seed in (0, 1)]
    write_explanations(
        onnxdissect.explain(folder / "net.onnx", pixels, folder / "run", top=3), folder / "out"
    )
    (folder / "out" / "index.html").write_text("the page")
    return folder


def changed(world: Path, place: Path, change: Any) -> Path:
    shutil.copytree(world / "out", place)
    told = json.loads((place / "explanation.json").read_text(encoding="utf-8"))
    change(told)
    (place / "explanation.json").write_text(json.dumps(told), encoding="utf-8")
    return place


def with_more_units(one: dict[str, Any]) -> None:
    one["contributions"] += [0.0] * 94
    one["units"][0]["unit"] = 99


def test_units_are_counted_by_layer(world: Path) -> None:
    run = onnxdissect.load(world / "run")
    told = json.loads((world / "out" / "explanation.json").read_text(encoding="utf-8"))
    expected = Counter(("deep", unit["unit"]) for one in told["explanations"] for unit in one["units"])
    assert len(expected) >= 3
    assert read_told_units(world / "out", run).counts == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.update(layer="elsewhere"), "are of layer 'elsewhere', which the run"),
        (lambda one: one.update(layer="mid"), "are not of the run"),
        (lambda one: one.update(quantile=0.3), "they are of quantile 0.3"),
        (lambda one: one["units"][0].update(label="another"), "is another there, and"),
        (lambda one: one["units"][0].update(iou=0.987), "is 0.987 there, and"),
        (lambda one: one["units"][0].update(threshold=1.5), "is another one"),
        (lambda one: with_more_units(one), "they tell of unit 99, and the run has 6 units"),
    ],
)
def test_explanations_of_another_run_or_layer_are_refused(
    world: Path, tmp_path: Path, change: Any, said: str
) -> None:
    folder = changed(world, tmp_path / "out", lambda told: change(told["explanations"][1]))
    with pytest.raises(RunMismatchError, match=said) as refused:
        read_told_units(folder, onnxdissect.load(world / "run"))
    assert refused.value.hint


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told.pop("explanations"), "explanations is missing"),
        (lambda told: told.update(explanations=[]), "explanations is a list of 0"),
        (lambda told: told.update(format_version=2), "is of format version 2, not 1"),
        (lambda told: told["explanations"][0]["units"][0].update(unit="one"), "units.0..unit is 'one'"),
    ],
)
def test_what_is_no_explanation_is_refused(world: Path, tmp_path: Path, change: Any, said: str) -> None:
    with pytest.raises(RunFormatError, match=said):
        read_told_units(changed(world, tmp_path / "out", change), onnxdissect.load(world / "run"))


def test_folders_without_explanations_or_without_a_page_are_refused(world: Path, tmp_path: Path) -> None:
    run = onnxdissect.load(world / "run")
    for folder in (tmp_path, tmp_path / "nowhere", world / "net.onnx"):
        with pytest.raises(RunNotFoundError, match="explain MODEL IMAGE"):
            read_told_units(folder, run)
    folder = changed(world, tmp_path / "out", lambda told: None)
    (folder / "index.html").unlink()
    with pytest.raises(RunFormatError, match="holds no page of its explanations"):
        read_told_units(folder, run)
    (folder / "explanation.json").write_bytes(b"{")
    with pytest.raises(RunFormatError, match=r"explanation\.json"):
        read_told_units(folder, run)
