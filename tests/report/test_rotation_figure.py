"""The figure of a curve: as wide as a column, the same bytes each time, with all that it is to show."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from support.rotations import rotated, small_world
from support.small_runs import contents

from onnxdissect.errors import OutputError
from onnxdissect.experiments.rotation import RotationResult
from onnxdissect.report.figures.rotation import draw_rotations


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RotationResult:
    return rotated(small_world(tmp_path_factory.mktemp("world")), layers=["relu0", "relu1"])


def test_equal_results_are_equal_files_of_a_columns_width(result: RotationResult, tmp_path: Path) -> None:
    written = draw_rotations(result, tmp_path / "one")
    assert [path.name for path in written] == [
        f"{slug}-q{q}.{form}" for slug in ("relu0", "relu1") for q in (0, 1) for form in ("svg", "pdf", "png")
    ]
    draw_rotations(result, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    image = cv2.imread(str(tmp_path / "one" / "relu0-q0.png"))
    assert image is not None and image.shape[1] == 660  # 3.3 inches of 200 dots
    drawn = (tmp_path / "one" / "relu0-q0.svg").read_text(encoding="utf-8")
    curve = result.curve("relu0", 0.1)
    shown = [name for name in result.categories if any(v.by_category[name].mean for v in curve.values)]
    assert shown
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    for said in ("share of the rotation", "unique detectors", "random directions", "permutation", *shown):
        assert said in texts
    assert "95 % interval" in texts


def test_what_is_not_there_is_not_drawn(result: RotationResult, tmp_path: Path) -> None:
    def bare(text: str) -> bool:
        return "95 % interval" not in text

    curves = tuple(
        replace(
            curve,
            values=tuple(
                replace(value, unique=replace(value.unique, low=None, high=None)) for value in curve.values
            ),
        )
        for curve in result.curves
    )
    draw_rotations(replace(result, curves=curves), tmp_path / "without")
    assert all(bare(path.read_text(encoding="utf-8")) for path in (tmp_path / "without").glob("*.svg"))


def test_a_folder_that_cannot_be_written_is_named(result: RotationResult, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="taken"):
        draw_rotations(result, tmp_path / "taken" / "figures")
