"""A run, its directory and a check with operators that the caller registered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import Builder, save

import onnxdissect
from onnxdissect import Operator, register_operator
from onnxdissect.check.gate import check_model
from onnxdissect.data import ArrayDataset, make_vocabulary
from onnxdissect.errors import OnnxDissectError, RunMismatchError
from onnxdissect.model.operators.rules import Axes, Numbers
from onnxdissect.pipeline.options import ModelOptions

DOMAIN = "ai.onnx.ml"
TABLE = register_operator(Operator("Binarizer", DOMAIN, axes=Axes.FIRST, numbers=Numbers.NONLINEAR))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("operators")
    b = Builder(("N", 3, 16, 16))
    x = b.node("Binarizer", b.conv("image", 4), name="bits", domain=DOMAIN, threshold=0.1)
    save(b.model(b.head(x), domains=[(DOMAIN, 1)]), place / "net.onnx")
    return place


def data() -> ArrayDataset:
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (12, 16, 16, 3)).astype(np.uint8)
    vocabulary = make_vocabulary({"object": {1: "bright", 2: "dark"}})
    return ArrayDataset(images, vocabulary, {"object": 1 + (images[..., 0] < 128)}, name="noise")


def options(**more: Any) -> dict[str, Any]:
    return {"preset": "raw", "bootstrap": 0, "null": 0, **more}


def test_a_run_knows_what_is_registered_and_states_it(world: Path) -> None:
    run = onnxdissect.dissect(
        world / "net.onnx", data(), "bits", **options(out=world / "run", operators=TABLE)
    )
    assert [layer.name for layer in run.layers] == ["bits"]
    stated = json.loads((world / "run" / "manifest.json").read_text())["model"]["operators"]
    assert stated == {
        "ai.onnx.ml::Binarizer": {
            "axes": "first",
            "domain": DOMAIN,
            "name": "Binarizer",
            "numbers": "nonlinear",
        }
    }
    # the same operator with another meaning is another run
    other = register_operator(Operator("Binarizer", DOMAIN, axes=Axes.FIRST), TABLE)
    with pytest.raises(RunMismatchError, match="operators"):
        onnxdissect.dissect(world / "net.onnx", data(), "bits", **options(out=world / "run", operators=other))


def test_nothing_is_stated_where_nothing_is_registered(world: Path) -> None:
    onnxdissect.dissect(world / "net.onnx", data(), "Conv_0:0", **options(out=world / "plain"))
    assert "operators" not in json.loads((world / "plain" / "manifest.json").read_text())["model"]
    with pytest.raises(OnnxDissectError, match="Binarizer leaves open"):
        onnxdissect.dissect(world / "net.onnx", data(), "bits", **options(out=world / "none"))


def test_a_check_reads_both_models_by_the_same_table(world: Path) -> None:
    read = ModelOptions(operators=TABLE)
    verdict = check_model(
        world / "net.onnx", world / "net.onnx", data=data(), options=read, layers=["bits"], preset="raw"
    )
    assert verdict.passed
    with pytest.raises(OnnxDissectError, match="bits"):
        check_model(world / "net.onnx", world / "net.onnx", data=data(), layers=["bits"], preset="raw")
