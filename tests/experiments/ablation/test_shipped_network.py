"""The shipped network loses the classes whose units are removed, and what is kept of one still tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

import onnxdissect
from onnxdissect.tiny import make_tiny

MODEL = Path(__file__).parents[3] / "models" / "tiny_scenes.onnx"
LABELLED, IMAGES = 60, 240


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> onnxdissect.AblationResult:
    folder = tmp_path_factory.mktemp("scenes")
    make_tiny(folder / "data", images=IMAGES, seed=7, workers=1)
    options = {"layers": ["last"], "limit": LABELLED, "bootstrap": 0, "null": 0, "out": folder / "run"}
    run = onnxdissect.dissect(MODEL, folder / "data", **options)  # type: ignore[arg-type]
    return onnxdissect.ablate(MODEL, folder / "data", run, top_n=[4, 20], repeats=2, resamples=200)


def test_a_class_loses_more_without_its_units_than_without_random_ones(
    found: onnxdissect.AblationResult,
) -> None:
    assert found.shown == 12 and found.units == 128
    assert found.nothing.accuracy > 0.95
    for one in found.curve(None, "removed"):
        beyond = one.beyond_random
        assert beyond is not None and beyond.high is not None and beyond.high < -0.02
        assert one.others > one.value.accuracy + 0.05, "it is this class that is lost"
    last = found.curve(None, "removed")[-1]
    random = found.curve(None, "random removed")[-1]
    assert last.n == 20 and last.value.accuracy < 0.75 < random.value.accuracy


def test_only_twenty_units_tell_most_of_their_class(found: onnxdissect.AblationResult) -> None:
    """By the score of the class: which class scores highest also depends on what the others have lost."""
    few, kept = found.curve(None, "kept")
    random = found.curve(None, "random kept")
    assert kept.n == 20 and kept.value.area > 0.9 > 0.5 and kept.value.top1 > 0.75
    assert few.value.area > random[0].value.area + 0.1
    assert kept.value.area > random[1].value.area
